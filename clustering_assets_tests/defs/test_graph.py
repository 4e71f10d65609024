"""The order of stages: it comes from what depends on what, so a new asset finds its own place."""

import dagster as dg

from clustering_assets.defs.data_versions import EVERY_UPDATE, ON_REQUEST, USES
from clustering_assets.defs.graph import project_stages, stages_of
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.partitions import CLUSTERS
from clustering_assets.settings import Settings
from clustering_assets_tests.projects import defs


def asset(name, *deps, output="a.csv", **more):
    return dg.AssetSpec(name, deps=deps, metadata={OUTPUT: output, **more.pop("metadata", {})}, **more)


def test_each_asset_comes_after_those_that_it_depends_on_and_in_the_part_of_an_update_that_it_belongs_to():
    stages = stages_of(
        [
            asset("telling", "showing", metadata={EVERY_UPDATE: True}),
            asset("showing", "film", "counted", metadata={USES: ["fps"]}),
            asset("film", "sorted", partitions_def=CLUSTERS, metadata={USES: ["quality"]}),
            asset("album", "film", metadata={ON_REQUEST: "album_film"}),
            asset("counted", "listed"),
            asset("sorted", "embedded", metadata={USES: ["seed", "eps"]}),
            asset("embedded", "listed"),
            asset("listed", "folder"),
            asset("heard"),
            dg.AssetSpec("folder"),
        ]
    )
    assert set(stages.scans) == {"listed", "heard"}
    assert set(stages.middle) == {"counted", "embedded", "sorted"}
    assert stages.middle.index("embedded") < stages.middle.index("sorted")
    assert (stages.closing, stages.last) == (("showing",), ("telling",))
    assert stages.asked_for(Settings(album_film=True)) == ["album"] and not stages.asked_for(Settings())
    assert stages.settings == {"fps", "seed", "eps"}


def test_every_asset_that_is_made_here_has_its_place():
    stages = project_stages()
    specs = defs.resolve_all_asset_specs()
    assert stages == stages_of(specs)
    assert {*stages.recorded, *stages.last, "cluster_videos", "source_images"} == {
        spec.key.to_user_string() for spec in specs
    }
    assert stages.recorded == (
        "image_manifest",
        "music_tracks",
        "dataset_analysis",
        "embeddings",
        "cluster_assignments",
        "cluster_plot",
        "music_choice",
        "album_film",
        "ledger",
        "gallery",
    )
