"""Where state is kept: that of each output by itself, with what an older version kept for all of them together."""

import shutil

import dagster as dg
import pytest

from clustering_assets.defs.instance import collection_of, open_instance
from clustering_assets.defs.records import recorded_version
from clustering_assets.defs.resources import settings_type
from clustering_assets.settings import load_settings
from clustering_assets_tests.servers import configure

CLUSTERS = dg.AssetKey("cluster_assignments")


@pytest.fixture(params=["with a configuration", "without one"], autouse=True)
def folder(request, tmp_path, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return configure(tmp_path) if request.param == "with a configuration" else tmp_path


def note(folder, output, about="", version="1") -> None:
    with open_instance(folder, about) as instance:
        made = dg.AssetMaterialization(
            CLUSTERS, metadata={"output": output}, tags={"dagster/data_version": version}
        )
        instance.report_runless_asset_event(made)


def version(folder, output) -> str | None:
    with open_instance(folder, output) as instance:
        return recorded_version(instance, CLUSTERS)


def test_two_outputs_of_one_folder_do_not_share_their_history(folder):
    outputs = ("output", "album", "s3://bucket/output")
    for number, output in enumerate(outputs):
        note(folder, output, about=output, version=str(number))
    for number, output in enumerate(outputs):
        assert version(folder, output) == str(number)
    assert version(folder, "") == "0"
    assert version(folder, str(folder / "album")) == "1"
    assert version(folder, "/elsewhere/album") is None
    with open_instance(folder, "album") as instance:
        assert collection_of(instance) == "album"


def test_what_an_older_version_kept_of_an_output_comes_along(folder):
    note(folder, "album")
    assert version(folder, "another") is None
    assert version(folder, "album") == "1"
    note(folder, "album", about="album", version="2")
    assert (version(folder, "album"), version(folder, "")) == ("2", "1")


def test_a_chosen_home_stays_what_it_is(folder, monkeypatch):
    home = folder / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    note(folder, "album", about="album")
    assert version(folder, "another") == "1"
    shutil.rmtree(home)


def test_a_run_is_about_the_output_whose_history_it_is_in_and_says_so(folder):
    worked = []

    @dg.asset
    def first(settings: settings_type(load_settings())):
        worked.append(settings.value.output)

    with open_instance(folder, "album") as instance:
        for output in ("other", "album"):
            resources = {"settings": settings_type(load_settings())(output=output)}
            result = dg.materialize([first], resources=resources, instance=instance, raise_on_error=False)
            assert result.success == (output == "album")
        assert instance.get_run_by_id(result.run_id).tags["output"] == "album"
    assert worked == ["album"]
