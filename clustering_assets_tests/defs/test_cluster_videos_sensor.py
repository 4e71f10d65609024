"""`cluster_videos_sensor`: what is missing or out of date is asked for, and nothing else."""

import json
import shutil

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering_assets.defs.jobs import DIGEST_TAG, FIRST_TAG, digest_tag, due_keys
from clustering_assets.defs.partitions import CLUSTERS
from clustering_assets.defs.records import VIDEOS, latest_videos
from clustering_assets.defs.resources import settings_type
from clustering_assets.defs.runs import ATTEMPTS
from clustering_assets.defs.sensors import LOOK, PORTION
from clustering_assets.defs.up_to_date import UP_TO_DATE
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, MUSIC_CHOICE, MUSIC_TRACKS
from clustering_assets.video.recipe import out_of_date
from clustering_assets_tests.projects import defs

cluster_videos_sensor = defs.resolve_sensor_def("cluster_videos_sensor")

DIGESTS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["1", "2"]))


@given(wanted=DIGESTS, made=DIGESTS, present=st.sets(st.sampled_from("abcdef")))
def test_a_video_is_out_of_date_unless_the_very_same_one_is_there(wanted, made, present):
    due = set(out_of_date(wanted, made, present))
    assert due == {key for key in wanted if made.get(key) != wanted[key] or key not in present}


@dg.asset
def elsewhere() -> None:
    """An asset of another project in the same instance."""


def tick(project, instance, **changed):
    resource = settings_type(project.settings(**changed))()
    context = dg.build_sensor_context(
        instance=instance, resources={"settings": resource}, repository_def=defs.get_repository_def()
    )
    return cluster_videos_sensor(context)


def asked(*requests):
    """Keys of the videos that are asked for; in the first place of each run those of all it renders."""
    known = [f"cluster_{number}" for number in range(99)]
    runs = [
        {"dagster/partition": run.partition_key, **run.tags} if run.partition_key else run.tags
        for run in requests
    ]
    return [due_keys(tags, known) for tags in runs if "dagster/partition" in tags or FIRST_TAG in tags]


def test_nothing_is_asked_for_when_all_videos_are_up_to_date(project):
    with project.instance() as instance:
        result = tick(project, instance)
    assert result.run_requests == [] and "up to date" in result.skip_reason.skip_message
    assert result.dynamic_partitions_requests == [] and list(result.asset_events) == []


def test_between_looks_only_a_run_makes_it_look_again(project):
    def look(cursor):
        context = dg.build_sensor_context(
            instance=instance,
            resources={"settings": settings_type(project.settings())()},
            repository_def=defs.get_repository_def(),
            cursor=cursor,
        )
        return cluster_videos_sensor(context), context.cursor

    with project.instance() as instance:
        _, cursor = look("of another version")
        next((project.root / "output/videos").glob("cluster_1_*.mp4")).unlink()
        soon, same = look(cursor)
        assert "up to date" in soon.skip_message and same == cursor
        dg.materialize([elsewhere], instance=instance)
        (after, _) = look(cursor)
        assert asked(*after.run_requests) == [["cluster_1"]]
        later = json.loads(cursor) | {"at": json.loads(cursor)["at"] - LOOK}
        (after, _) = look(json.dumps(later))
        assert asked(*after.run_requests) == [["cluster_1"]]


def test_videos_that_a_new_picture_leaves_alone_are_recorded_as_up_to_date(project):
    config = {"resources": {"settings": {"config": project.settings().model_dump()}}}
    before = {key: recipe.digest for key, recipe in project.recipes().items()}
    shutil.copy(project.root / "images" / project.shown("cluster_1")[0], project.root / "images/copy.jpg")
    with project.instance() as instance:
        videos = {key: event.asset_materialization for key, event in latest_videos(instance, before).items()}
        assert defs.resolve_job_def("cluster_images").execute_in_process(instance=instance, run_config=config)
        assert project.out_of_date(instance) == set(before)
        changed = {key for key, recipe in project.recipes().items() if recipe.digest != before[key]}
        assert changed and changed < set(before), (
            "a copy touches the videos of some clusters and not of others"
        )
        (requested,) = map(set, asked(*tick(project, instance).run_requests))
        assert requested == changed
        assert project.out_of_date(instance) == requested
        kept = latest_videos(instance, set(before) - changed)
        tick(project, instance)
        assert latest_videos(instance, set(before) - changed) == kept, "once is enough"
        for key, event in kept.items():
            video = event.asset_materialization
            assert video.metadata == {**videos[key].metadata, "rendered": dg.MetadataValue.bool(False)}


def test_a_changed_setting_asks_for_every_video_once_in_one_run(project):
    with project.instance() as instance:
        before = latest_videos(instance, project.recipes())
        result = tick(project, instance, fps=12)
        assert latest_videos(instance, project.recipes()) == before, "none of them is recorded as up to date"
        assert asked(*result.run_requests) == [["cluster_0", "cluster_1", "cluster_2"]]
        (request,) = result.run_requests
        assert request.job_name == "render_videos"
        some = {tag: value for tag, value in request.tags.items() if not tag.endswith("cluster_2")}
        instance.create_run_for_job(
            defs.resolve_job_def("render_videos"), status=dg.DagsterRunStatus.STARTED, tags=some
        )
        again = tick(project, instance, fps=12)
        assert asked(*again.run_requests) == [["cluster_2"]]


def test_a_deleted_file_is_asked_for(project):
    (project.root / "output/videos/cluster_2_slideshow_with_music.mp4").unlink()
    with project.instance() as instance:
        assert [request.partition_key for request in tick(project, instance).run_requests] == ["cluster_2"]


def test_why_videos_are_due_is_told_on_the_page_of_the_asset_once(project):
    (project.root / "output/videos/cluster_2_slideshow_with_music.mp4").unlink()
    with project.instance() as instance:
        assert last_verdict(instance).passed, "the first update says that all is well"
        told, of_one = tick(project, instance).asset_events
        assert (told.asset_key, told.passed) == (VIDEOS, False)
        assert told.description == "1 of 3 videos missing or out of date. cluster_2: its file is gone"
        assert (of_one.partition, of_one.metadata["due"].value) == ("cluster_2", "its file is gone")
        for event in (told, of_one):
            instance.report_runless_asset_event(event)
        assert list(tick(project, instance).asset_events) == []
        tracks = project.outputs.read_table(MUSIC_CHOICE)
        project.swap(instance, MUSIC_CHOICE, tracks.assign(track="another.flac", track_hash="another"))
        told, *each = tick(project, instance).asset_events
        assert [event.partition for event in each] == ["cluster_0", "cluster_1"], (
            "of the other it is said already"
        )
        assert "cluster_0: track another.flac instead of" in told.description


def last_verdict(instance):
    """What the page of the videos says of all of them."""
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key([UP_TO_DATE])[UP_TO_DATE]
    return found.event.dagster_event.asset_check_evaluation_data


def test_a_damaged_file_is_asked_for(project):
    path = project.root / "output/videos/cluster_2_slideshow_with_music.mp4"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with project.instance() as instance:
        assert [request.partition_key for request in tick(project, instance).run_requests] == ["cluster_2"]


@pytest.mark.parametrize("name", [CLUSTER_ASSIGNMENTS.file, MUSIC_TRACKS.file, "embeddings/image_paths.txt"])
def test_no_video_is_made_of_damaged_results(name, project):
    (project.root / "output/videos/cluster_2_slideshow_with_music.mp4").unlink()
    path = project.outputs.path(name)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with project.instance() as instance:
        result = tick(project, instance)
    assert isinstance(result, dg.SkipReason)
    assert name in result.skip_message and "cluster_images" in result.skip_message


def test_a_video_that_keeps_failing_is_left_to_a_person(project):
    with project.instance() as instance:
        (together,) = tick(project, instance, fps=12).run_requests
        failed = {"status": dg.DagsterRunStatus.FAILURE}
        job = defs.resolve_job_def("render_videos")
        only = {tag: value for tag, value in together.tags.items() if tag[-1] not in "12"}
        instance.create_run_for_job(job, **failed, tags=only)
        again = tick(project, instance, fps=12)
        assert asked(*again.run_requests) == [["cluster_1", "cluster_2"], ["cluster_0"]], (
            "it takes no other with it"
        )
        for _ in range(ATTEMPTS):
            tags = {"dagster/partition": "cluster_0", DIGEST_TAG: together.tags[digest_tag("cluster_0")]}
            instance.create_run_for_job(job, **failed, tags=tags)
        again = tick(project, instance, fps=12)
        assert asked(*again.run_requests) == [["cluster_1", "cluster_2"]]
        assert "refresh_report" not in [request.job_name for request in again.run_requests]
        for key in ("cluster_1", "cluster_2"):
            config = {"resources": {"settings": {"config": project.settings(fps=12).model_dump()}}}
            assert (
                defs.resolve_job_def("render_videos")
                .execute_in_process(partition_key=key, instance=instance, run_config=config)
                .success
            )
        (report,) = tick(project, instance, fps=12).run_requests
        assert report.job_name == "refresh_report", "the summary says which video is missing"
        healed = tick(project, instance, fps=15)
        assert asked(*healed.run_requests) == [["cluster_0", "cluster_1", "cluster_2"]]


def test_clusters_that_came_and_went_change_the_partitions(project):
    assignments = project.assignments()
    assignments.loc[assignments["cluster"] == 1, "cluster"] = 7
    choice = project.outputs.read_table(MUSIC_CHOICE)
    choice.loc[choice["cluster"] == 1, ["cluster", "key"]] = [7, "cluster_7"]
    with project.instance() as instance:
        project.swap(instance, CLUSTER_ASSIGNMENTS, assignments)
        project.swap(instance, MUSIC_CHOICE, choice)
        result = tick(project, instance)
    changed = {
        type(request).__name__: request.partition_keys for request in result.dynamic_partitions_requests
    }
    assert list(changed["AddDynamicPartitionsRequest"]) == ["cluster_7"]
    assert list(changed["DeleteDynamicPartitionsRequest"]) == ["cluster_1"]
    assert [request.partition_key for request in result.run_requests] == ["cluster_7"]


def test_while_an_update_is_under_way_it_waits(project):
    with project.instance() as instance:
        run = instance.create_run_for_job(
            defs.resolve_job_def("cluster_images"), status=dg.DagsterRunStatus.STARTED
        )
        result = tick(project, instance, fps=12)
        assert isinstance(result, dg.SkipReason) and run.run_id in result.skip_message


def test_before_the_first_clusters_it_says_that_there_are_none(fresh):
    project = fresh()
    with project.instance() as instance:
        result = tick(project, instance)
    assert isinstance(result, dg.SkipReason) and "no clusters yet" in result.skip_message


def test_the_summary_is_refreshed_once_after_the_last_video(project):
    (project.root / "output/videos/cluster_2_slideshow_with_music.mp4").unlink()
    with project.instance() as instance:
        request = tick(project, instance).run_requests[0]
        job = defs.resolve_job_def("render_videos")
        result = job.execute_in_process(
            partition_key=request.partition_key,
            instance=instance,
            run_config={"resources": {"settings": {"config": project.settings().model_dump()}}},
        )
        assert result.success
        (report,) = tick(project, instance).run_requests
        assert report.job_name == "refresh_report"


@pytest.mark.parametrize("missing", [MUSIC_CHOICE.file])
def test_clusters_without_chosen_music_wait_for_it(project, missing):
    project.outputs.path(missing).unlink()
    with project.instance() as instance:
        assert isinstance(tick(project, instance), dg.SkipReason)


def make_many_clusters(project, instance, count):
    """Every picture becomes a cluster of its own, `count` of them."""
    assignments = project.assignments().head(count)
    choice = project.outputs.read_table(MUSIC_CHOICE)
    assignments["cluster"] = range(len(assignments))
    choice = choice.head(1).loc[[0] * len(assignments)].reset_index(drop=True)
    choice["cluster"] = range(len(choice))
    choice["key"] = [f"cluster_{number}" for number in choice["cluster"]]
    project.swap(instance, CLUSTER_ASSIGNMENTS, assignments)
    project.swap(instance, MUSIC_CHOICE, choice)


def test_many_videos_are_asked_for_in_portions(project):
    with project.instance() as instance:
        make_many_clusters(project, instance, PORTION + 5)
        (request,) = tick(project, instance).run_requests
        (first,) = asked(request)
        assert len(first) == PORTION
        instance.add_dynamic_partitions("clusters", first)
        under_way = {
            tag: value for tag, value in request.tags.items() if tag not in map(digest_tag, first[-2:])
        }
        instance.create_run_for_job(
            defs.resolve_job_def("render_videos"), status=dg.DagsterRunStatus.STARTED, tags=under_way
        )
        (more,) = asked(*tick(project, instance).run_requests)
        assert len(more) == 2 and not {*more} & {*first[:-2]}


def test_runs_and_partitions_of_other_projects_are_left_alone_and_stop_nothing(project):
    @dg.asset(partitions_def=CLUSTERS)
    def machines() -> None:
        """An asset of another project, whose partitions have the same name."""

    job = dg.Definitions(assets=[machines]).resolve_implicit_global_asset_job_def()
    (project.root / "output/videos/cluster_2_slideshow_with_music.mp4").unlink()
    with project.instance() as instance:
        instance.add_dynamic_partitions("clusters", ["node-a", "cluster_99"])
        instance.create_run_for_job(
            job,
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": "cluster_2"},
            asset_selection=frozenset({machines.key}),
        )
        result = tick(project, instance)
    assert [request.partition_key for request in result.run_requests] == ["cluster_2"]
    (deleted,) = result.dynamic_partitions_requests
    assert list(deleted.partition_keys) == ["cluster_99"]


def test_a_video_whose_run_was_ended_from_outside_is_asked_for_again(project):
    (project.root / "output/videos/cluster_2_slideshow_with_music.mp4").unlink()
    with project.instance() as instance:
        for _ in range(ATTEMPTS + 1):
            (request,) = tick(project, instance).run_requests
            run = instance.create_run_for_job(
                defs.resolve_job_def("render_videos"),
                status=dg.DagsterRunStatus.STARTED,
                tags={"dagster/partition": "cluster_2", **request.tags},
            )
            instance.report_run_failed(run, "killed")
