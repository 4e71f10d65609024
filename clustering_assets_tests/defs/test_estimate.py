"""About how long an update takes: of what it is made, and what it goes by."""

import dagster as dg
import pytest

from clustering_assets.defs.estimate import (
    EMBEDDED,
    TWO_CORES,
    Estimate,
    estimate,
    newly_read,
    pictures_to_embed,
    unknown_videos,
)
from clustering_assets.defs.standing import how_long, standings
from clustering_assets.settings import load_settings
from clustering_assets.tables import IMAGE_MANIFEST


def test_without_a_record_it_grows_with_pictures_videos_and_their_size():
    def seconds(pictures=1000, clusters=5, **settings):
        values = load_settings(clusters=clusters, **settings)
        stages = dict.fromkeys(TWO_CORES, pictures)
        return estimate(instance, values, stages, unknown_videos(values))

    with dg.DagsterInstance.ephemeral() as instance:
        usual = seconds()
        assert not usual.measured and len(usual.seconds) == len(TWO_CORES) + 5
        assert sum(seconds(pictures=2000).seconds.values()) > sum(usual.seconds.values())
        assert seconds(clusters=10).videos == pytest.approx(2 * usual.videos)
        assert seconds(resolution="640x360").videos < seconds(length=15).videos < usual.videos
        assert len(unknown_videos(load_settings(clusters=0))) > 1


def test_it_says_the_whole_the_part_of_the_videos_and_what_it_goes_by():
    words = str(Estimate({"embeddings": 63.0, "cluster_0": 100.0, "cluster_1": 80.0}, 180.0, measured=True))
    assert words == "about 4 minutes, 3 minutes of it for videos, going by the last time"
    assert str(Estimate({"ledger": 1.0}, 0.0, measured=False)) == "about 5 s, going by what two idle cores do"


def test_what_was_measured_counts_for_other_sizes_too(project):
    with project.instance() as instance:
        some, more = (
            estimate(instance, project.settings(), {"embeddings": count}, {}) for count in (30, 3000)
        )
        assert some.measured and more.seconds["embeddings"] > 2 * some.seconds["embeddings"]
        lengths = {"cluster_0": 3.0}
        small, large = (
            estimate(instance, project.settings(resolution=size), {}, lengths).videos
            for size in ("320x180", "1280x720")
        )
        assert small < large < 16 * small, "a part of it does not grow with the pictures"
        few = dg.AssetMaterialization("embeddings", metadata={EMBEDDED: 1})
        instance.report_runless_asset_event(few)
        assert estimate(instance, project.settings(), {"embeddings": 30}, {}) == some


def test_only_what_is_due_counts(project):
    with project.instance() as instance:
        all_done = how_long(instance, project.settings(), standings(instance, project.settings()))
        assert not all_done.seconds
        changed = project.settings(fps=12)
        videos = how_long(instance, changed, standings(instance, changed))
    assert {
        "cluster_0",
        "cluster_1",
        "cluster_2",
    } <= videos.seconds.keys() and "embeddings" not in videos.seconds
    manifest = project.outputs.read_table(IMAGE_MANIFEST)
    assert pictures_to_embed(project.settings(), manifest)[1] == 0
    assert pictures_to_embed(project.settings(output="elsewhere"), manifest) == (len(manifest), len(manifest))
    assert (
        newly_read(manifest, manifest),
        newly_read(manifest, manifest.iloc[3:]),
        newly_read(manifest, None),
    ) == (
        0,
        3,
        len(manifest),
    )
