"""What became of one picture, in sentences, on the output of a small project."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from clustering_assets.cli.main import cli
from clustering_assets.slideshows import open_slideshow
from clustering_assets.tables import LEDGER


@pytest.fixture
def asked(project):
    """What `why` says of a picture: exit status and text."""

    def ask(picture):
        done = CliRunner().invoke(cli, ["why", str(picture)])
        return done.output if done.exit_code == 0 else str(done.exception)

    return ask


def test_a_picture_that_is_shown_is_shown_when_the_answer_says(asked, project):
    slideshow = open_slideshow("cluster_0")
    slide = slideshow.timeline.slides[1]
    text = asked(slide.path)
    assert "It is used." in text and "cluster 0" in text
    seconds = f"{slide.cut / slideshow.fps:.1f} to {slide.until / slideshow.fps:.1f} s"
    assert f"slide 2 of {len(slideshow.timeline.slides)}, from {seconds}" in text


def test_a_picture_that_is_not_shown_is_told_the_setting_that_would_show_it(asked, project):
    shown = {slide.path for slide in open_slideshow("cluster_0").timeline.slides}
    rows = project.assignments()
    members = rows[(rows["cluster"] == 0) & (rows["duplicate_of"] == "")]
    left = next(path for path in members["path"] if path not in shown)
    assert f"With max_images_per_video = {len(members)} it shows all" in asked(left)
    again = open_slideshow("cluster_0", max_images_per_video=len(members))
    assert left in {slide.path for slide in again.timeline.slides}


def test_a_file_that_was_rejected_is_told_its_stage_and_reason(asked, project):
    ledger = project.outputs.read_table(LEDGER)
    for row in ledger[ledger["outcome"] == "rejected"].itertuples():
        assert row.reason in asked(row.path) and row.stage in asked(row.path)


def test_a_picture_is_known_by_its_path_from_anywhere_and_by_its_name(asked, project):
    path = project.assignments()["path"].iloc[0]
    assert asked(path) == asked(Path("images", path)) == asked(Path("images", path).absolute())
    assert asked(path) == asked(Path(path).name)


def test_a_name_that_was_never_seen_is_told_why(asked, project):
    path = project.assignments()["path"].iloc[0]
    assert f"Did you mean {path}" in asked(path.replace(".", "_.", 1))
    assert "hidden" in asked("images/.hidden.jpg")
    shutil.copy(Path("images", path), "images/new.jpg")
    try:
        assert "came after the scan" in asked("new.jpg")
    finally:
        Path("images/new.jpg").unlink()


def test_open_says_where_the_gallery_is_or_that_there_is_none(project, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    done = CliRunner().invoke(cli, ["open", "--output", "output"])
    assert done.exit_code == 0 and opened == [Path("output/gallery/index.html").absolute().as_uri()]
    assert CliRunner().invoke(cli, ["open", "--print"]).output.strip() == opened[0] and len(opened) == 1
    assert "run makes it" in str(CliRunner().invoke(cli, ["open", "--output", "elsewhere"]).exception)
