"""Kaggle: its own client against a server that speaks its requests, its credentials, clear refusals."""

import sys

import pytest

from clustering_assets.sources.imported import SourceError
from clustering_assets.sources.kaggle import import_kaggle

kagglehub = pytest.importorskip("kagglehub")
kaggle_env = pytest.importorskip("kagglesdk.kaggle_env")

SERVICE = "/api/v1/datasets.DatasetApiService"


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    """A machine without credentials."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(kagglehub.config, "DEFAULT_KAGGLE_CREDENTIALS_FOLDER", str(home / ".kaggle"))
    return home


@pytest.fixture
def kaggle(web, nobody, monkeypatch, zipped, picture):
    """A Kaggle on loopback with version 3 of ada/cats, for the user ada."""
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, web.url)
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "secret")
    web.api[f"{SERVICE}/GetDataset"] = (200, {"ownerRef": "ada", "currentVersionNumber": 3})
    web.api[f"{SERVICE}/DownloadDataset"] = (302, f"{web.url}/storage/cats.zip?signed=1")
    contents = {f"set/{i}.jpg": picture(i) for i in range(6)} | {"set/readme.txt": b"cats"}
    web.files["/storage/cats.zip?signed=1"] = zipped(contents)
    return web


def test_the_pictures_of_a_dataset_land_in_its_own_folder(kaggle, tmp_path, patience, picture):
    done = import_kaggle("ada/cats", tmp_path / "images", patience=patience)
    assert done.folder == tmp_path / "images" / "kaggle" / "ada" / "cats"
    assert (done.files, done.skipped, done.failures) == (6, 1, ())
    assert (done.folder / "set" / "2.jpg").read_bytes() == picture(2)
    assert sorted(path.name for path in done.folder.iterdir()) == ["set"]


def test_the_usual_credentials_and_the_current_version_are_sent(kaggle, tmp_path, patience):
    import_kaggle("ada/cats", tmp_path / "images", patience=patience)
    assert kaggle.posted[f"{SERVICE}/DownloadDataset"][0]["datasetVersionNumber"] == 3
    assert all(headers["Authorization"].startswith("Basic ") for headers in kaggle.headers)


def test_a_version_can_be_named(kaggle, tmp_path, patience):
    import_kaggle("ada/cats/versions/2", tmp_path / "images", patience=patience)
    assert kaggle.posted[f"{SERVICE}/DownloadDataset"][0]["datasetVersionNumber"] == 2
    assert f"{SERVICE}/GetDataset" not in kaggle.posted


def test_a_broken_download_goes_on(kaggle, tmp_path, patience):
    kaggle.faults["/storage/cats.zip?signed=1"] = [
        "",
        "drop:1000",
        "429:1",
    ]  # the first request is the client's own
    done = import_kaggle("ada/cats", tmp_path / "images", patience=patience)
    assert done.files == 6
    assert ("/storage/cats.zip?signed=1", "bytes=1000-") in kaggle.ranges


def test_a_limit_takes_some_pictures(kaggle, tmp_path, patience):
    assert import_kaggle("ada/cats", tmp_path / "images", limit=3, patience=patience).files == 3


def test_a_zip_bomb_is_refused_and_the_archive_deleted(kaggle, tmp_path, patience, zipped):
    kaggle.files["/storage/cats.zip?signed=1"] = zipped({"bomb.jpg": bytes(30_000_000)})
    with pytest.raises(SourceError, match="zip bomb"):
        import_kaggle("ada/cats", tmp_path / "images", patience=patience)
    assert not [path for path in (tmp_path / "images").rglob("*") if path.is_file()]


def test_a_dataset_that_is_not_there_says_so(kaggle, tmp_path, patience):
    kaggle.api[f"{SERVICE}/GetDataset"] = (404, {"code": 404, "message": "Not found"})
    with pytest.raises(SourceError, match="ada/dogs: not found"):
        import_kaggle("ada/dogs", tmp_path / "images", patience=patience)


def test_wrong_credentials_say_so(kaggle, tmp_path, patience):
    kaggle.api[f"{SERVICE}/GetDataset"] = (403, {"code": 403, "message": "Permission denied"})
    with pytest.raises(SourceError, match="credentials are wrong or may not read it"):
        import_kaggle("ada/cats", tmp_path / "images", patience=patience)


def test_the_signed_address_is_not_in_a_message(kaggle, tmp_path, patience):
    del kaggle.files["/storage/cats.zip?signed=1"]
    with pytest.raises(SourceError, match="HTTP 404") as raised:
        import_kaggle("ada/cats", tmp_path / "images", patience=patience)
    assert "signed" not in str(raised.value)


def test_without_credentials_the_error_says_how_to_give_them(nobody, tmp_path):
    with pytest.raises(SourceError, match=r"KAGGLE_API_TOKEN.*kaggle\.json"):
        import_kaggle("ada/cats", tmp_path / "images")
    assert not (tmp_path / "images").exists()


def test_a_broken_credentials_file_is_named(nobody, tmp_path):
    (nobody / ".kaggle").mkdir()
    (nobody / ".kaggle" / "kaggle.json").write_text("not json")
    with pytest.raises(SourceError, match=r"kaggle\.json"):
        import_kaggle("ada/cats", tmp_path / "images")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(SourceError, match=r"pip install kagglehub"):
        import_kaggle("ada/cats", tmp_path / "images")


def test_a_client_that_is_too_old_says_so(monkeypatch, tmp_path):
    monkeypatch.delattr(kagglehub.clients, "build_kaggle_client")
    with pytest.raises(SourceError, match="pip install -U kagglehub"):
        import_kaggle("ada/cats", tmp_path / "images")


@pytest.mark.parametrize(
    "name", ["cats", "ada/cats/more", "https://www.kaggle.com/ada/cats", "ada/..", "../x", "ada/"]
)
def test_a_name_that_is_no_dataset_is_refused(nobody, tmp_path, name):
    with pytest.raises(SourceError, match="OWNER/DATASET"):
        import_kaggle(name, tmp_path / "images")


def test_a_limit_below_one_is_refused(tmp_path):
    with pytest.raises(SourceError, match="limit = 0"):
        import_kaggle("ada/cats", tmp_path, limit=0)
