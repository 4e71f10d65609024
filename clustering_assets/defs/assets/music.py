"""Music: the analysed library, and the track for each cluster."""

import dagster as dg
import pandas as pd

from clustering_assets.defs.assets.dataset import OWNERS
from clustering_assets.defs.checks import Checks, Verdict
from clustering_assets.defs.data_versions import USES, data_version, digest
from clustering_assets.defs.estimate import ANALYSED, newly_read
from clustering_assets.defs.failures import told
from clustering_assets.defs.groups import Group
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.io_managers.table import TABLE, shown_table
from clustering_assets.defs.records import previous_table
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.files import music_source
from clustering_assets.outputs import pins_file
from clustering_assets.settings import Settings
from clustering_assets.tables import MUSIC_CHOICE, MUSIC_TRACKS
from clustering_assets.video.recipe import expected_seconds

checks = Checks("music_tracks")


@checks("The music folder holds at least one track that can be used.")
def has_music(tracks: pd.DataFrame, values: Settings) -> Verdict:
    """Whether the videos will have sound."""
    usable = bool((tracks["outcome"] == "used").any())
    return Verdict(
        usable, None if usable else f"No usable track in {values.music}: the videos will be silent."
    )


@dg.asset(
    group_name=Group.MUSIC,
    kinds={"python", "ffmpeg", "parquet"},
    owners=OWNERS,
    code_version="4",
    io_manager_key="table_io",
    dagster_type=TABLE,
    metadata={OUTPUT: MUSIC_TRACKS.file, USES: ["music", "follow_links", "mood_model"]},
    check_specs=checks.specs,
)
@told()
def music_tracks(context: dg.AssetExecutionContext, settings: SettingsResource) -> dg.MaterializeResult:
    """The music folder, listened to: tempo, beats, loudness, brightness, mode, valence and arousal of each track.

    A file that cannot be used keeps its row with the reason. A track that has not changed is not decoded again.
    """
    from clustering_assets.music.analysis import VERSION
    from clustering_assets.music.learned_mood import learned_mood
    from clustering_assets.music.library import analyse_library

    values = settings.value
    previous = previous_table(context.instance, settings.outputs, MUSIC_TRACKS)
    mood_model = learned_mood(values.mood_model)
    tracks = analyse_library(music_source(values), previous=previous, mood_model=mood_model)
    used = tracks[tracks["outcome"] == "used"]
    rejected = tracks[tracks["outcome"] != "used"]
    return dg.MaterializeResult(
        value=tracks,
        data_version=dg.DataVersion(
            digest(
                [
                    VERSION,
                    tracks[["path", "content_hash", "outcome"]].values.tolist(),
                    *filter(None, [mood_model]),
                ]
            )
        ),
        check_results=checks.results(tracks, values),
        metadata={
            "tracks": len(used),
            ANALYSED: newly_read(tracks, previous),
            "minutes": round(float(used["seconds"].sum()) / 60, 1),
            "mood_model": mood_model or "none",
            "rejected": dg.MetadataValue.json(rejected[["path", "reason"]].values.tolist()),
        },
    )


@dg.asset(
    group_name=Group.MUSIC,
    kinds={"python", "csv"},
    owners=OWNERS,
    code_version="6",
    io_manager_key="table_io",
    dagster_type=TABLE,
    metadata={
        OUTPUT: MUSIC_CHOICE.file,
        USES: ["music", "pins_file", "seconds_per_image", "max_images_per_video", "length", "seed"],
    },
)
@told()
def music_choice(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    image_manifest: pd.DataFrame,
    cluster_assignments: pd.DataFrame,
    music_tracks: pd.DataFrame,
) -> dg.MaterializeResult:
    """The track for each cluster, and why.

    What the pictures look like and what the tracks sound like meet in one plane of valence and arousal. Each row gives
    the cluster's features, its mood, the chosen track, the runners-up with their distances, and the reason in one
    sentence.
    """
    from clustering_assets.music.cluster_features import cluster_features
    from clustering_assets.music.match import choose_music, odd_pins
    from clustering_assets.music.pins import read_pins
    from clustering_assets.music.sensitivity import sensitivity

    values = settings.value
    version = data_version(context, values)
    clusters = cluster_features(cluster_assignments, image_manifest)
    seconds = expected_seconds(cluster_assignments, values)
    pins = read_pins(pins_file(values), required=bool(values.pins_file))
    choice = choose_music(
        clusters,
        music_tracks,
        pins=pins,
        seconds=seconds,
        seed=values.seed,
        previous=previous_table(context.instance, settings.outputs, MUSIC_CHOICE),
        sequence=_in_time(cluster_assignments) if "events" in values.group_by else (),
    )
    by_weight = sensitivity(clusters, music_tracks, seconds=seconds, seed=values.seed)
    return dg.MaterializeResult(
        value=choice,
        data_version=version,
        metadata={
            "reasons": shown_table(choice[["key", "mood", "why"]]),
            "warning": "\n".join(odd_pins(pins, choice, music_tracks)),
            "sensitivity": shown_table(by_weight),
        },
    )


def _in_time(assignments: pd.DataFrame) -> list[int]:
    """Ids of the clusters of events as they follow each other in time, which is their map's first axis."""
    return [int(str(number)) for number in assignments.groupby("cluster")["x"].median().sort_values().index]
