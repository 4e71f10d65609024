"""Settings: one precedence everywhere, and bad values refused by name."""

import dagster as dg
import pytest

from clustering_assets.defs.resources import settings_type
from clustering_assets.settings import (
    Limits,
    Settings,
    SettingsError,
    VideoSettings,
    load_settings,
    unknown_variables,
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without a `.env` of the developer's."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CLUSTERING_{name.upper()}", raising=False)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ("", (1280, 720)),
        ("wide", (1280, 720)),
        ("vertical", (720, 1280)),
        ("square", (720, 720)),
        ("1080x1350", (1080, 1350)),
    ],
)
def test_a_shape_turns_the_resolution_or_is_a_size_of_its_own(shape, size):
    assert load_settings(resolution="1280x720", shape=shape).video.size == size


@pytest.mark.parametrize("shape", ["tall", "1081x1350", "9:16"])
def test_an_unknown_shape_is_refused(shape):
    with pytest.raises(SettingsError, match="shape"):
        load_settings(shape=shape)


def test_the_promised_defaults():
    settings = load_settings()
    assert (settings.clusters, settings.algorithm, settings.backbone) == (5, "kmeans", "auto")
    assert (settings.size, settings.fps) == ((1920, 1080), 25)
    assert (settings.seconds_per_image, settings.transition_seconds) == (3, 0.8)
    assert (settings.max_images_per_video, settings.min_images, settings.seed) == (40, 200, 0)


def test_env_file_then_environment_then_what_is_given(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("CLUSTERING_FPS=24\nCLUSTERING_SEED=4\nCLUSTERING_CLUSTERS=auto\n")
    monkeypatch.setenv("CLUSTERING_SEED", "5")
    monkeypatch.setenv("CLUSTERING_MIN_IMAGES", "7")
    settings = load_settings(min_images=8, output=None)
    assert (settings.fps, settings.seed, settings.min_images, settings.clusters) == (24, 5, 8, 0)
    assert settings.output == "output"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"resolution": "321x241"}, ["resolution", "321x241", "even"]),
        ({"resolution": "big"}, ["resolution", "big", "1920x1080"]),
        ({"seconds_per_image": -1}, ["seconds_per_image", "-1", "greater than 0"]),
        ({"clusters": -3}, ["clusters", "-3", "greater than or equal to 0"]),
        ({"clusters": "many"}, ["clusters", "many", "integer"]),
        ({"algorithm": "magic"}, ["algorithm", "magic", "kmeans"]),
        ({"fps": 0}, ["fps", "0", "greater"]),
        ({"images": "photos", "output": "./photos"}, ["output", "photos", "another folder than images"]),
        ({"transition_seconds": 2}, ["transition_seconds", "2", "half of seconds_per_image", "3"]),
        ({"max_failure_rate": 1.5}, ["max_failure_rate", "1.5", "less than or equal to 1"]),
        ({"quality": "best"}, ["quality", "best", "preview"]),
    ],
)
def test_a_bad_value_is_refused_with_name_value_and_range(given, words):
    with pytest.raises(SettingsError) as error:
        load_settings(**given)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"resolution": "641x360"}, "resolution = '641x360'.*even"),
        ({"fps": 0}, "fps = 0.*greater"),
        ({"transition_seconds": 2}, "half of seconds_per_image"),
        ({"fsp": 24}, "fsp = 24.*not permitted"),
    ],
)
def test_a_group_alone_refuses_the_same(bad, words):
    with pytest.raises(SettingsError, match=words):
        VideoSettings(**bad)


def test_the_groups_hold_what_was_given():
    settings = load_settings(max_megapixels=3, seed=4, resolution="640x360")
    assert settings.limits == Limits(max_megapixels=3)
    assert (settings.video.size, settings.video.seed) == ((640, 360), 4)


def test_a_bad_environment_variable_is_named(monkeypatch):
    monkeypatch.setenv("CLUSTERING_FPS", "fast")
    with pytest.raises(SettingsError, match="CLUSTERING_FPS"):
        load_settings()


def test_a_misspelt_variable_is_named_with_the_one_that_may_be_meant(tmp_path, monkeypatch):
    assert unknown_variables() == []
    (tmp_path / ".env").write_text("CLUSTERING_ALGORITM=dbscan\nOTHER=1\n")
    monkeypatch.setenv("CLUSTERING_FPZ", "24")
    monkeypatch.setenv("CLUSTERING_SEED", "5")
    assert unknown_variables() == [
        "CLUSTERING_ALGORITM is no setting; did you mean CLUSTERING_ALGORITHM?",
        "CLUSTERING_FPZ is no setting; did you mean CLUSTERING_FPS?",
    ]


def test_all_bad_values_are_told_at_once():
    with pytest.raises(SettingsError) as error:
        load_settings(fps=0, seed=-1)
    assert len(str(error.value).splitlines()) == 2


def test_the_launchpad_has_every_setting_with_the_environment_as_default():
    resource = settings_type(load_settings(fps=30))
    assert set(Settings.model_fields) <= set(resource.model_fields)
    assert resource().value == load_settings(fps=30)
    assert resource(fps=24).value.fps == 24


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"backbone": "resnet51"}, ["'resnet51' is not a backbone", "Did you mean resnet50"]),
        ({"weights": "mine.pth", "backbone": "resnet50"}, ["weights = 'mine.pth'", "no such file"]),
        ({"names_file": "names.csv"}, ["names_file = 'names.csv'", "no such file"]),
        ({"pins": "cluster_0\n"}, ["pins.csv, line 1", "is no pin"]),
    ],
)
def test_what_a_setting_names_is_looked_for_before_the_first_step_works(given, words, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music/pins.csv").write_text(given.pop("pins", ""))
    worked = []

    @dg.asset
    def first(settings: settings_type(load_settings())):
        worked.append(settings.value)

    settings = settings_type(load_settings())(**given)
    result = dg.materialize([first], resources={"settings": settings}, raise_on_error=False)
    assert not result.success and not worked
    failure = str(result.all_events)
    for word in words:
        assert word in failure


def test_a_place_has_one_spelling(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLUSTERING_IMAGES", "~/Pictures/summer/")
    settings = load_settings(output="./out//", music="~", names_file="s/../names.csv")
    assert settings.images == str(tmp_path / "Pictures/summer")
    assert (settings.output, settings.music, settings.names_file) == ("out", str(tmp_path), "names.csv")
    assert load_settings(output="s3://bucket/prefix/").output == "s3://bucket/prefix/"
    assert load_settings().weights == ""


@pytest.mark.parametrize("captions", ["{nme}", "{date:%Y}", "{name!r}", "dates", "{name", "{}", "Sea"])
def test_captions_that_cannot_be_filled_in_are_refused_with_what_can(captions):
    with pytest.raises(SettingsError, match=r"captions = .*\{name\} or \{date\} or \{place\} or \{folder\}"):
        load_settings(captions=captions)


def test_captions_may_say_several_things():
    assert load_settings(captions="{name} - {date}").caption_fields == {"name", "date"}
    assert load_settings(captions="place").caption_fields == {"place"}
    assert not load_settings().caption_fields
