"""What is new: the pictures that came with the last update, in a short video of their own."""

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image, ImageOps

from clustering_assets.cli.whats_new import whats_new
from clustering_assets.defs.links import FILES
from clustering_assets.integrity import State
from clustering_assets.outputs import GALLERY, WHATS_NEW
from clustering_assets.video.encode import read_digest
from clustering_assets.whats_new import new_rows
from clustering_assets_tests.projects import defs


def test_new_is_what_came_with_the_last_update_that_brought_something():
    times = pd.to_datetime(pd.Series([None, "2024-05-01", "2024-05-08", "2024-05-08"]))
    images = pd.DataFrame({"path": list("abcd"), "added_at": times})
    assert list(new_rows(images)["path"]) == ["c", "d"]
    assert list(new_rows(images, pd.Timestamp("2024-04-30"))["path"]) == ["b", "c", "d"]
    assert new_rows(images, pd.Timestamp("2025-01-01")).empty
    assert new_rows(images.assign(added_at=pd.Series(pd.NaT, images.index))).empty
    assert new_rows(images[["path"]]).empty


def said(*flags):
    done = CliRunner().invoke(whats_new, flags, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def job(project, **config):
    """What a run of the job notes."""
    run = {
        "ops": {"show_whats_new": {"config": config}},
        "resources": {"settings": {"config": project.settings().model_dump()}},
    }
    with project.instance() as instance:
        done = defs.resolve_job_def("make_whats_new").execute_in_process(run_config=run, instance=instance)
    (output,) = [event.step_output_data for event in done.all_events if event.is_successful_output]
    return {name: value.value for name, value in output.metadata.items()}


def test_the_job_of_the_ui_says_that_nothing_is_new_and_what_it_cannot_read(project):
    assert job(project) == {"pictures": 0, "shown": 0}
    with pytest.raises(dg.Failure, match="since = 'yesterday evening': must be a day"):
        job(project, since="yesterday evening")


@pytest.mark.slow
def test_the_pictures_of_the_last_update_become_a_short_video(project):
    assert "Nothing is new: no picture came since the first update." in said()
    path = project.outputs.path(WHATS_NEW)
    assert not path.exists()
    old = sorted((project.root / "images").rglob("*.jpg"))[:4]
    for number, picture in enumerate(old):
        with Image.open(picture) as image:
            ImageOps.flip(image.convert("RGB")).save(project.root / f"images/new {number}.jpg", quality=92)
    project.update()
    assert f"{path}: " in (first := said("--length", "6")) and "4 pictures that came on" in first
    assert project.outputs.records.state(WHATS_NEW) is State.WHOLE
    digest = read_digest(path)
    made = path.stat().st_mtime_ns
    assert "Nothing new since then" in said("--length", "6") and path.stat().st_mtime_ns == made
    shown = job(project, length=6)
    assert (
        shown == {"open": f"{FILES}{path.absolute()}", "pictures": 4, "shown": shown["shown"]}
        and shown["shown"]
    )
    assert path.stat().st_mtime_ns == made
    assert "Nothing is new: no picture came since 2999-01-01" in said("--since", "2999-01-01")
    assert project.update().made == ["gallery"]
    assert "whats_new.mp4" in project.outputs.path(GALLERY).read_text(encoding="utf-8")
    assert path.is_file() and "Nothing new since then" in said("--length", "6")
    assert "4 pictures" in said("--length", "9") and read_digest(path) != digest
    assert project.update().made == ["gallery"], "its still is another one's"
