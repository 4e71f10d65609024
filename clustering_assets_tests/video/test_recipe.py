"""Settings of a video and the digest of its recipe."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from clustering_assets.settings import VideoSettings, load_settings
from clustering_assets.video import faces, recipe
from clustering_assets.video.recipe import recipe_digest, recipes


@pytest.fixture
def images() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": ["a.jpg", "b.jpg", "c.jpg"],
            "content_hash": ["1", "2", "3"],
            "duplicate_of": ["", "", "a.jpg"],
            "taken_at": pd.to_datetime(pd.Series(["2020-01-01", None, "2021-05-05"])),
            "cluster": 2,
            "typicality": [0.9, 0.5, 0.1],
        }
    )


def test_the_digest_is_the_same_for_the_same_recipe(images):
    assert recipe_digest(images, "m", "Sea", VideoSettings()) == recipe_digest(
        images, "m", "Sea", VideoSettings()
    )


def test_the_order_of_the_rows_does_not_reach_the_digest(images):
    turned = images.iloc[::-1].reset_index(drop=True)
    assert recipe_digest(turned, "m", "Sea", VideoSettings()) == recipe_digest(
        images, "m", "Sea", VideoSettings()
    )


def test_figures_that_wander_with_each_clustering_do_not_reach_the_digest(images):
    moved = images.assign(typicality=images["typicality"] + 0.01, x=1.0)
    assert recipe_digest(moved, "m", "Sea", VideoSettings()) == recipe_digest(
        images, "m", "Sea", VideoSettings()
    )


@pytest.mark.parametrize(
    ("column", "value"), [("path", "z.jpg"), ("content_hash", "9"), ("duplicate_of", "b.jpg"), ("cluster", 3)]
)
def test_what_the_pictures_are_changes_the_digest(images, column, value):
    changed = images.copy()
    changed.loc[2, column] = value
    changed["cluster"] = changed["cluster"].max() if column == "cluster" else changed["cluster"]
    assert recipe_digest(changed, "m", "", VideoSettings()) != recipe_digest(images, "m", "", VideoSettings())


def test_only_choices_that_there_are_reach_the_digest(images):
    plain = recipe_digest(images, "m", "", VideoSettings())
    assert recipe_digest(images.assign(choice=""), "m", "", VideoSettings()) == plain
    chosen = [
        recipe_digest(images.assign(choice=["", kind, ""]), "m", "", VideoSettings())
        for kind in ("exclude", "must", "cover")
    ]
    assert len({plain, *chosen}) == 4


def test_length_and_shape_reach_the_digest_where_they_are_set(images):
    def digest(**changed):
        return recipe_digest(images, "m", "", VideoSettings(**changed))

    assert digest(length=0, shape="") == digest() == digest(shape="wide")
    assert (
        len(
            {digest(), digest(length=30), digest(length=15), digest(shape="vertical"), digest(shape="square")}
        )
        == 5
    )
    assert digest(shape="vertical") == digest(resolution="1080x1920")


def test_the_digest_of_a_video_without_what_came_later_is_the_one_that_older_versions_gave(
    images, monkeypatch
):
    monkeypatch.setattr(faces, "version", lambda: "none")
    assert recipe_digest(images, "m", "Sea", VideoSettings()) == "e6bb23a5a528f56ac891cc8c6d8ac822"


def test_another_track_changes_the_digest(images):
    assert recipe_digest(images, "m", "", VideoSettings()) != recipe_digest(images, "", "", VideoSettings())


@pytest.mark.parametrize("field", VideoSettings.model_fields)
def test_every_setting_changes_the_digest(images, field):
    plain = VideoSettings()
    value = getattr(plain, field)
    texts = {
        "resolution": "640x360",
        "shape": "square",
        "order": "time",
        "captions": "date",
        "quality": "high",
        "encoder": "nvenc",
    }
    other = texts.get(field)
    if other is None:
        other = not value if isinstance(value, bool) else value + 2
    changed = plain.model_copy(update={field: other})
    assert recipe_digest(images, "m", "", changed) != recipe_digest(images, "m", "", plain)


def test_captions_that_once_were_on_or_off_are_the_same_as_before(images):
    def digest(captions):
        return recipe_digest(images.assign(place=""), "m", "Sea", VideoSettings(captions=captions))

    assert (
        digest("none") == digest(False) == digest("no") == recipe_digest(images, "m", "Sea", VideoSettings())
    )
    assert digest("auto") == digest(True) == digest("true")
    assert (
        len({digest(kind) for kind in ("none", "auto", "name", "date", "place", "folder", "{name}, {date}")})
        == 7
    )


def test_captions_depend_on_what_they_say_and_on_nothing_else(images):
    def digest(captions, title="Sea", **columns):
        changed = images.assign(**{"place": "Rome", **columns})
        return recipe_digest(changed, "m", title, VideoSettings(captions=captions))

    assert (
        digest("date", title="Hills")
        == digest("date")
        != digest("date", taken_at=images["taken_at"] + pd.Timedelta(days=1))
    )
    assert digest("date", place="Oslo") == digest("date") and digest("place", place="Oslo") != digest("place")
    assert digest("{name}: {place}", title="Hills") != digest("{name}: {place}")


def test_words_have_a_version_where_there_are_any(images, monkeypatch):
    def digests():
        return [
            recipe_digest(images, "m", "Sea", VideoSettings(**changed))
            for changed in ({}, {"titles": True}, {"captions": "name"})
        ]

    before = digests()
    monkeypatch.setattr(recipe, "WORDS_VERSION", 99)
    assert [one == other for one, other in zip(before, digests(), strict=True)] == [True, False, False]


def test_pictures_of_a_camera_whose_clock_was_wrong_are_in_the_right_order_and_place():
    minutes = np.sort(np.random.default_rng(0).choice(8 * 24 * 2, 40, replace=False)) * 30
    days = pd.Timestamp("2024-05-01") + pd.to_timedelta(pd.Series(minutes), unit="min")
    right = pd.DataFrame({"camera": "A", "taken_at": days, "latitude": 41.9, "longitude": 12.5})
    wrong = right.assign(camera="B", taken_at=days - pd.Timedelta(hours=7), latitude=float("nan"))
    manifest = pd.concat([right, wrong], ignore_index=True).assign(
        outcome="used", bytes=1, mtime_ns=0, width=9, height=9, sharpness=1.0, brightness=1.0, contrast=1.0
    )
    manifest["path"] = manifest["content_hash"] = [f"{number:02}.jpg" for number in range(len(manifest))]
    assignments = manifest[["path", "content_hash"]].assign(cluster=0, cluster_name="Rome", duplicate_of="")
    choice = pd.DataFrame({"cluster": [0], "track": [""], "track_hash": [""]})

    def taken(**changed):
        (made,) = recipes(assignments, manifest, choice, load_settings(**changed)).values()
        return made.images["taken_at"]

    assert (taken(order="time") == pd.concat([days] * 2).to_numpy()).all()
    assert (taken() == manifest["taken_at"]).all(), "where no time is used, none is looked at"


def test_a_name_matters_only_where_it_is_shown(images):
    plain, titled = VideoSettings(), VideoSettings(titles=True)
    assert recipe_digest(images, "m", "Sea", plain) == recipe_digest(images, "m", "Hills", plain)
    assert recipe_digest(images, "m", "Sea", titled) != recipe_digest(images, "m", "Hills", titled)


def test_the_time_taken_matters_only_where_it_orders_the_pictures(images):
    later = images.assign(taken_at=images["taken_at"] + pd.Timedelta("1D"))
    visual, timed = VideoSettings(), VideoSettings(order="time")
    assert recipe_digest(later, "", "", visual) == recipe_digest(images, "", "", visual)
    assert recipe_digest(later, "", "", timed) != recipe_digest(images, "", "", timed)


def test_digests_stay_what_earlier_versions_wrote(images, monkeypatch):
    """Another digest would render every video anew: only a new version may, one of words only where there are some."""
    monkeypatch.setattr(faces, "version", lambda: "none")
    given = load_settings(
        resolution="1280x720", fps=30, seconds_per_image=2, transition_seconds=1, max_images_per_video=9,
        motion=False, beat_sync=False, order="time", titles=True, captions="auto", quality="high", encoder="nvenc",
        seed=7,
    )  # fmt: skip
    assert recipe_digest(images, "m", "Sea", VideoSettings()) == "e6bb23a5a528f56ac891cc8c6d8ac822"
    assert recipe_digest(images, "m", "Sea", given.video) == "cf399382ac7a4dd0aeb9d2d3e4f40f1f"
    assert recipe_digest(images, "", "Sea", VideoSettings()) == "fafefd81e653f44c0fb530e5b5c52a8d"
    assert recipe_digest(images, "", "Sea", given.video) == "e4ad54c71a4c8cb59a93075a3c1c7382"


def test_the_recipe_loads_neither_video_nor_vision_libraries():
    heavy = "{'av', 'cv2', 'moviepy', 'torch'}"
    code = f"import sys, clustering_assets.video.recipe; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
