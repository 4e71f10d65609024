"""`album_film`: made where it is asked for, of the videos that there are, and again when one of them changes."""

import json

import av
import dagster as dg
import pytest

from clustering_assets.cli.verify import read_everything
from clustering_assets.defs.records import FILM, LEFT_OUT, recorded
from clustering_assets.defs.resources import settings_type
from clustering_assets.defs.standing import standings
from clustering_assets.integrity import State
from clustering_assets.outputs import ALBUM_FILM, GALLERY, SUMMARY_REPORT
from clustering_assets_tests.projects import defs

pytestmark = pytest.mark.slow


def tick(project, instance, **changed):
    """What the sensor asks for."""
    resource = settings_type(project.settings(**changed))()
    context = dg.build_sensor_context(
        instance=instance, resources={"settings": resource}, repository_def=defs.get_repository_def()
    )
    return defs.resolve_sensor_def("cluster_videos_sensor")(context).run_requests


def chapters(project):
    with av.open(str(project.outputs.path(ALBUM_FILM))) as file:
        return [chapter["metadata"]["title"] for chapter in file.chapters()]


def test_a_film_is_made_where_it_is_asked_for_and_kept_while_nothing_changes(project):
    film = project.outputs.path(ALBUM_FILM)
    names = {recipe.title for recipe in project.recipes().values()}
    assert project.update().made == [] and not film.exists()
    first = project.update(album_film=True)
    assert "album_film" in first.made and not first.failed and not first.flawed
    assert set(chapters(project)) == names
    assert "album_film.mp4" in project.outputs.path(GALLERY).read_text()
    summary = json.loads(project.outputs.path(SUMMARY_REPORT).with_suffix(".json").read_text())
    assert summary["film"]["path"].endswith(ALBUM_FILM) and summary["film"]["left_out"] == {}
    assert read_everything(project.outputs)[ALBUM_FILM] is State.WHOLE

    made = film.stat().st_mtime_ns
    again = project.update(album_film=True)
    assert again.made == [] and film.stat().st_mtime_ns == made
    film.write_bytes(film.read_bytes()[:-1])
    with project.instance() as instance:
        states = {one.name: one.state for one in standings(instance, project.settings(album_film=True))}
        assert states["album_film"] == "stale" and states["ledger"] == "done"
        assert "album_film" not in {one.name for one in standings(instance, project.settings())}
    assert project.update(album_film=True).made == ["album_film"]
    assert len(chapters(project)) == len(names)


def test_a_video_that_is_missing_costs_only_itself_and_comes_in_later(project):
    key, other, *_ = project.recipes()
    videos = {one: project.outputs.existing_video(one) for one in (key, other)}
    whole = videos[key].read_bytes()
    videos[key].unlink()
    with project.instance() as instance:
        config = {"resources": {"settings": {"config": project.settings(album_film=True).model_dump()}}}
        job = defs.resolve_job_def("make_film")
        assert job.execute_in_process(instance=instance, run_config=config).success
        (name, reason) = next(iter(recorded(instance, "album_film", LEFT_OUT).items()))
        assert name == key and "has no video" in reason
        assert len(chapters(project)) == len(project.recipes()) - 1

        videos[key].write_bytes(whole)
        project.outputs.records.publish([project.outputs.name_of(videos[key])])
        (request,) = tick(project, instance, album_film=True)
        assert request.job_name == "make_film"
    assert project.update(album_film=True).made == ["album_film", "gallery"]
    assert len(chapters(project)) == len(project.recipes())


def test_the_sensor_asks_for_the_film_when_the_videos_are_done(project):
    with project.instance() as instance:
        (request,) = tick(project, instance, album_film=True)
        assert request.job_name == "make_film"
        assert tick(project, instance) == []


def test_a_film_of_nothing_is_refused_with_words_and_stops_nothing(project):
    for path in project.outputs.videos():
        path.unlink()
    config = {"resources": {"settings": {"config": project.settings().model_dump()}}}
    with project.instance() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(
            instance=instance, run_config=config, asset_selection=[FILM, dg.AssetKey("ledger")]
        ).success, "it was not asked for"
        with pytest.raises(dg.Failure) as refused:
            job.execute_in_process(instance=instance, run_config=config, asset_selection=[FILM])
    assert "no video to make a film of: render the videos first" in str(refused.value.description)
