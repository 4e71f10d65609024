"""`new_images_sensor`: an update for every change that has settled, and for nothing else."""

import json

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from clustering_assets.defs.resources import settings_type
from clustering_assets.defs.runs import INTERRUPTIONS
from clustering_assets.defs.sensors import PATIENCE, Watch, stage_settings, watch_listing
from clustering_assets.defs.update import run_config
from clustering_assets.outputs import GALLERY
from clustering_assets.settings import Film, Settings, VideoSettings, Work, load_settings
from clustering_assets_tests.projects import defs

new_images_sensor = defs.resolve_sensor_def("new_images_sensor")


@given(listings=st.lists(st.sampled_from("abc"), max_size=30))
def test_an_update_is_asked_for_exactly_when_a_new_listing_has_been_seen_twice(listings):
    watch, requested, before = Watch(), "", ""
    for listing in listings:
        watch, reason = watch_listing(watch, listing)
        due = listing == before != requested
        assert (reason == "") == due
        requested = listing if due else requested
        before = listing
    assert watch.requested == requested


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    return images


def tick(folder, cursor, instance=None):
    places = {"images": folder, "output": folder.parent / "output", "music": folder.parent / "music"}
    resource = settings_type(load_settings(**{name: str(place) for name, place in places.items()}))()
    context = dg.build_sensor_context(
        cursor=cursor, resources={"settings": resource}, instance=instance or dg.DagsterInstance.ephemeral()
    )
    return new_images_sensor(context)


def look(project, cursor, instance, **changed):
    resource = settings_type(project.settings(**changed))()
    return new_images_sensor(
        dg.build_sensor_context(cursor=cursor, resources={"settings": resource}, instance=instance)
    )


def put(folder, name, colour="red"):
    Image.new("RGB", (8, 8), colour).save(folder / name)


def test_new_pictures_start_one_update_when_they_have_settled(folder):
    put(folder, "a.png")
    first = tick(folder, None)
    assert not first.run_requests and "still arriving" in first.skip_reason.skip_message
    second = tick(folder, first.cursor)
    assert len(second.run_requests) == 1
    third = tick(folder, second.cursor)
    assert not third.run_requests and "nothing is new" in third.skip_reason.skip_message


def test_a_removed_picture_starts_an_update_too(folder):
    asked, cursor = 0, None
    for step in ("add", "wait", "add more", "wait", "remove", "wait"):
        if step == "add":
            put(folder, "a.png")
        elif step == "add more":
            put(folder, "b.png")
        elif step == "remove":
            (folder / "b.png").unlink()
        result = tick(folder, cursor)
        cursor = result.cursor
        asked += len(result.run_requests or [])
    assert asked == 3


def test_a_changed_picture_of_the_same_name_starts_an_update(folder):
    put(folder, "a.png")
    cursor = tick(folder, tick(folder, None).cursor).cursor
    put(folder, "a.png", colour="blue")
    result = tick(folder, tick(folder, cursor).cursor)
    assert len(result.run_requests) == 1


def test_music_pins_names_and_choices_that_change_start_an_update_too(folder):
    put(folder, "a.png")
    cursor = tick(folder, tick(folder, None).cursor).cursor
    root = folder.parent
    for name in (
        "music/song.mp3",
        "music/pins.csv",
        "output/clusters/names.csv",
        "output/clusters/choices.csv",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("calm,song.mp3")
        result = tick(folder, tick(folder, cursor).cursor)
        assert len(result.run_requests) == 1, name
        cursor = result.cursor
    assert not tick(folder, tick(folder, cursor).cursor).run_requests


def test_files_that_arrive_without_a_pause_are_taken_after_a_while():
    watch, due = Watch(), []
    for arrived in range(3 * PATIENCE):
        watch, reason = watch_listing(watch, f"{arrived} pictures")
        due += [arrived] if not reason else []
    assert due == [PATIENCE, 2 * PATIENCE + 1]


OTHERS = {
    "images/photos.db": b"SQLite format 3\x00",
    "images/LOG": b"line",
    "images/.hidden.jpg": b"x",
    "images/notes/readme.txt": b"text",
    "music/player.db": b"SQLite format 3\x00",
    "music/playlist": b"text",
}
"""Files beside pictures and music that are neither."""


def write(root, name, data):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)


def test_what_changes_beside_pictures_and_music_starts_nothing_and_blocks_nothing(folder):
    put(folder, "a.png")
    cursor = tick(folder, tick(folder, None).cursor).cursor
    for turn in range(3):
        for name, data in OTHERS.items():
            write(folder.parent, name, data * (turn + 1))
        quiet = tick(folder, cursor)
        assert not quiet.run_requests and "nothing is new" in quiet.skip_reason.skip_message
        cursor = quiet.cursor
    put(folder, "b.png")
    cursor = tick(folder, cursor).cursor
    for name, data in OTHERS.items():
        write(folder.parent, name, data * 9)
    assert len(tick(folder, cursor).run_requests) == 1


def test_a_picture_and_a_track_are_noticed_by_what_is_in_them_too(folder, pictures_and_music):
    put(folder, "a.png")
    cursor = tick(folder, tick(folder, None).cursor).cursor
    track = max((pictures_and_music / "music").iterdir(), key=lambda path: path.stat().st_size)
    for name, data in {
        "images/no_ending": (folder / "a.png").read_bytes(),
        "images/b.dat": (folder / "a.png").read_bytes(),
        "images/broken.jpg": b"broken",
        "music/no_ending": track.read_bytes(),
    }.items():
        write(folder.parent, name, data)
        asked = tick(folder, tick(folder, cursor).cursor)
        assert len(asked.run_requests) == 1, name
        cursor = asked.cursor


def test_a_folder_without_any_picture_says_so(folder):
    write(folder, "notes.txt", b"text")
    result = tick(folder, None)
    assert isinstance(result, dg.SkipReason) and "no pictures" in result.skip_message


@pytest.mark.parametrize(
    "cursor",
    [
        "{",
        "null",
        "[1]",
        '{"seen": 5}',
        '{"version": 2, "seen": null}',
        "\x00",
        '"text"',
        '{"waited": "soon"}',
    ],
)
def test_a_cursor_that_cannot_be_read_heals_with_a_word(cursor, project):
    with project.instance() as instance:
        healed = look(project, cursor, instance)
        assert not healed.run_requests and "made anew" in healed.skip_reason.skip_message
        put(project.root / "images", "new.png")
        seen = look(project, healed.cursor, instance)
        assert "made anew" not in seen.skip_reason.skip_message
        assert look(project, seen.cursor, instance).run_requests


def test_the_cursor_of_an_earlier_or_a_later_version_is_gone_on_with(folder):
    put(folder, "a.png")
    cursor = json.loads(tick(folder, tick(folder, None).cursor).cursor)
    earlier = {"seen": cursor["seen"], "requested": cursor["requested"], "updates": 7}
    for other in (earlier, {**cursor, "of_tomorrow": [1]}):
        result = tick(folder, json.dumps(other))
        assert not result.run_requests and "made anew" not in result.skip_reason.skip_message


def other_project(instance, **tags):
    """An unfinished ad-hoc run of another project in the same instance."""

    @dg.asset
    def sales() -> None:
        """Nothing of ours."""

    job = dg.Definitions(assets=[sales]).resolve_implicit_global_asset_job_def()
    return instance.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags=tags, asset_selection=frozenset({sales.key})
    )


def test_runs_of_other_projects_stop_nothing(folder):
    put(folder, "a.png")
    with dg.DagsterInstance.ephemeral() as instance:
        other_project(instance)
        assert tick(folder, tick(folder, None, instance).cursor, instance).run_requests


def test_an_update_that_was_ended_from_outside_is_asked_for_again_more_often(folder):
    put(folder, "a.png")
    with dg.DagsterInstance.ephemeral() as instance:
        asked = tick(folder, tick(folder, None, instance).cursor, instance)
        tags = asked.run_requests[0].tags
        tries = 0
        while asked.run_requests:
            tries += 1
            assert tries <= INTERRUPTIONS
            run = instance.create_run_for_job(
                defs.resolve_job_def("cluster_images"), status=dg.DagsterRunStatus.STARTED, tags=tags
            )
            instance.report_run_failed(run, "killed")
            asked = tick(folder, asked.cursor, instance)
        assert tries == INTERRUPTIONS
        assert "the update failed, see run" in asked.skip_reason.skip_message


def test_half_written_files_with_partial_names_are_not_seen(folder):
    put(folder, "a.png")
    cursor = tick(folder, tick(folder, None).cursor).cursor
    (folder / ".b.png.1234.partial").write_bytes(b"half")
    assert not tick(folder, tick(folder, cursor).cursor).run_requests


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(folder):
    put(folder, "a.png")
    cursor = tick(folder, None).cursor
    result = tick(folder / "missing", cursor)
    assert isinstance(result, dg.SkipReason)
    assert "missing" in result.skip_message


def test_an_empty_folder_says_where_to_put_pictures(folder):
    result = tick(folder, None)
    assert isinstance(result, dg.SkipReason)
    assert str(folder) in result.skip_message and "CLUSTERING_IMAGES" in result.skip_message


def test_pictures_that_an_update_has_seen_already_start_nothing_when_the_sensor_is_first_switched_on(project):
    with project.instance() as instance:
        first = look(project, None, instance)
        assert not first.run_requests and "nothing is new" in first.skip_reason.skip_message
        Image.new("RGB", (8, 8), "red").save("images/new.png")
        cursor = look(project, first.cursor, instance).cursor
        assert look(project, cursor, instance).run_requests


def test_an_update_that_ended_in_the_middle_is_gone_on_with_when_the_sensor_is_first_switched_on(project):
    Image.new("RGB", (300, 200), "red").save("images/new.png")
    with project.instance() as instance:
        defs.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey("image_manifest")],
            instance=instance,
            run_config=run_config(project.settings()),
        )
        assert look(project, look(project, None, instance).cursor, instance).run_requests


@pytest.mark.parametrize(
    "left", [b"<html>", *(pytest.param(way, marks=pytest.mark.slow) for way in (None, b""))]
)
def test_results_that_were_damaged_or_deleted_are_made_anew_once(left, project):
    config = run_config(project.settings())
    page = project.root / "output" / GALLERY
    whole = page.read_bytes()
    with project.instance() as instance:
        cursor = look(project, None, instance).cursor
        for _ in range(2):
            page.unlink() if left is None else page.write_bytes(left)
            asked = look(project, cursor, instance)
            (request,) = asked.run_requests
            job = defs.resolve_job_def(
                "refresh_report"
            )  # mends the page, and costs less than the job asked for
            assert job.execute_in_process(instance=instance, run_config=config, tags=request.tags).success
            assert page.read_bytes() == whole
            cursor = look(project, asked.cursor, instance).cursor
            assert not look(project, cursor, instance).run_requests


def test_damage_that_an_update_does_not_mend_is_not_asked_for_for_ever(project):
    (project.root / "output" / GALLERY).unlink()
    with project.instance() as instance:
        cursor = look(project, None, instance).cursor
        asked = look(project, cursor, instance)
        (request,) = asked.run_requests
        instance.create_run_for_job(
            defs.resolve_job_def("cluster_images"), status=dg.DagsterRunStatus.SUCCESS, tags=request.tags
        )
        assert not look(project, asked.cursor, instance).run_requests


def test_too_few_pictures_are_refused_once_and_another_setting_tries_again(project):
    Image.new("RGB", (300, 200), "red").save("images/new.png")
    with project.instance() as instance:
        cursor = look(project, None, instance, min_images=500).cursor
        asked = look(project, cursor, instance, min_images=500)
        (request,) = asked.run_requests
        defs.resolve_job_def("cluster_images").execute_in_process(
            instance=instance,
            run_config=run_config(project.settings(min_images=500)),
            tags=request.tags,
            raise_on_error=False,
        )
        refused = look(project, asked.cursor, instance, min_images=500)
        assert not refused.run_requests and "the update failed, see run" in refused.skip_reason.skip_message
        changed = look(project, refused.cursor, instance)
        assert look(project, changed.cursor, instance).run_requests


def test_settings_of_the_clusters_start_an_update_and_those_of_videos_alone_do_not(project):
    with project.instance() as instance:
        cursor = look(project, None, instance).cursor
        for changed, updates in ({"fps": 12}, False), ({"clusters": 2}, True), ({"output": "other"}, True):
            seen = look(project, cursor, instance, **changed).cursor
            assert bool(look(project, seen, instance, **changed).run_requests) == updates, changed


def test_every_setting_calls_for_an_update_or_makes_videos_or_changes_no_result():
    no_result = {"sensors", "batch_size", "cache", *Work.model_fields}
    of_videos = {*VideoSettings.model_fields, *Film.model_fields}
    assert stage_settings() | of_videos | no_result == set(Settings.model_fields)
    assert {"images", "music", "clusters", "output", "min_images", "resolution"} <= stage_settings()
    assert not {"fps", "quality", "titles", *Film.model_fields, *no_result} & stage_settings()


def test_while_an_update_is_under_way_changes_wait(folder):
    put(folder, "a.png")
    with dg.DagsterInstance.ephemeral() as instance:
        asked = tick(folder, tick(folder, None, instance).cursor, instance)
        job = defs.resolve_job_def("cluster_images")
        run = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags=asked.run_requests[0].tags
        )
        put(folder, "b.png")
        waiting = tick(folder, tick(folder, asked.cursor, instance).cursor, instance)
        assert not waiting.run_requests and run.run_id in waiting.skip_reason.skip_message
        instance.report_run_canceled(run)
        assert tick(folder, waiting.cursor, instance).run_requests


@pytest.mark.parametrize(
    ("statuses", "again"),
    [
        ([], False),
        (["STARTED"], False),
        (["SUCCESS"], False),
        (["FAILURE"], True),
        (["FAILURE", "FAILURE"], True),
        (["FAILURE", "FAILURE", "FAILURE"], False),
        (["FAILURE", "SUCCESS"], False),
        (["CANCELED"], False),
    ],
)
def test_an_update_that_failed_is_asked_for_again_but_not_for_ever(folder, statuses, again):
    put(folder, "a.png")
    with dg.DagsterInstance.ephemeral() as instance:
        asked = tick(folder, tick(folder, None, instance).cursor, instance)
        (request,) = asked.run_requests
        for status in statuses:
            instance.create_run_for_job(
                defs.resolve_job_def("cluster_images"), status=dg.DagsterRunStatus[status], tags=request.tags
            )
        later = tick(folder, asked.cursor, instance)
    assert bool(later.run_requests) == again
    if again:
        assert later.run_requests[0].tags == {**request.tags, "reason": "the last update failed"}
