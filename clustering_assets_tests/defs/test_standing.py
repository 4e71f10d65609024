"""What is done, stale or missing, and why; and updates of a part."""

import json
import shutil

import pytest
from click.testing import CliRunner

from clustering_assets.cli.main import cli
from clustering_assets.defs.standing import Standing, standings
from clustering_assets.defs.update import RunFailed, update
from clustering_assets.outputs import CLUSTER_PLOT, GALLERY
from clustering_assets_tests.cli.test_cli import flags
from clustering_assets_tests.projects import defs


def undone(project, **changed) -> dict[str, Standing]:
    with project.instance() as instance:
        return {
            one.name: one for one in standings(instance, project.settings(**changed)) if one.state != "done"
        }


def test_after_an_update_everything_is_done_in_the_order_of_the_work(project):
    with project.instance() as instance:
        found = standings(instance, project.settings())
    assert {one.state for one in found} == {"done"} and not any(one.why for one in found)
    names = [one.name for one in found]
    assert names.index("image_manifest") < names.index("cluster_assignments") < names.index("cluster_0")
    assert names.index("cluster_2") < names.index("gallery") and len(names) == len(set(names))
    assert all(one.seconds for one in found if one.name.startswith("cluster_") and one.name[-1].isdigit())


def test_new_pictures_and_what_follows_from_them_are_stale(project):
    picture = project.root / "images" / str(project.assignments()["path"].iloc[0])
    shutil.copy(picture, picture.with_stem("new"))
    due = undone(project)
    assert due["image_manifest"].why == "1 new"
    assert due["embeddings"].why == "follows image_manifest" and due["embeddings"].state == "stale"
    assert "music_tracks" not in due and "cluster_0" not in due


def test_a_result_that_is_gone_is_missing_and_another_setting_is_named(project):
    (project.root / "output" / CLUSTER_PLOT).unlink()
    project.outputs.existing_video("cluster_1").unlink()
    plot = undone(project)["cluster_plot"]
    assert (plot.state, plot.why) == ("missing", f"{CLUSTER_PLOT} is gone")
    due = undone(project, fps=12, clusters=4)
    assert (due["cluster_1"].state, due["cluster_1"].why) == ("missing", "its file is gone")
    assert due["cluster_0"].why == "setting fps changed"
    assert due["cluster_assignments"].why == "setting clusters changed"
    assert "follows the videos" in due["gallery"].why


def test_an_output_in_which_nothing_was_made_has_everything_missing(project):
    due = undone(project, output="elsewhere")
    assert {one.state for one in due.values()} == {"missing"} and due[
        "cluster_videos"
    ].why == "there are no clusters yet"


def test_only_what_is_named_is_made(project):
    for name in (CLUSTER_PLOT, GALLERY):
        (project.root / "output" / name).unlink()
    project.outputs.existing_video("cluster_1").unlink()
    project.outputs.existing_video("cluster_2").unlink()
    with project.instance() as instance:
        result = update(defs, instance, project.settings(), only=["cluster_plot", "cluster_2"])
        with pytest.raises(RunFailed, match=r"'plots': is none of .*cluster_plot"):
            update(defs, instance, project.settings(), only=["plots"])
        with pytest.raises(RunFailed, match="cluster_plot is made of cluster_assignments"):
            update(defs, instance, project.settings(output="elsewhere"), only=["cluster_plot"])
    assert result.made == ["cluster_plot"] and result.rendered == ["cluster_2"]
    left = undone(project)
    assert left["cluster_1"].state == left["gallery"].state == "missing" and "cluster_2" not in left
    assert not (project.root / "output" / GALLERY).exists()


def test_the_commands_answer_people_and_machines(project):
    run = CliRunner().invoke
    assert "Everything is up to date." in run(cli, ["status", *flags()]).output
    told = json.loads(run(cli, ["status", "--json", *flags()]).output)
    assert told["done"] and told["standing"][0].keys() == {"name", "state", "why", "seconds"}
    plan = run(cli, ["run", "--dry-run", *flags(fps=12)]).output
    assert "setting fps changed" in plan and "image_manifest" not in plan
    assert plan.splitlines()[-1].endswith("going by the last time.")
    fresh = run(
        cli, ["run", "--dry-run", *flags(output="elsewhere", resolution="1280x720")]
    ).output.splitlines()[-1]
    assert fresh.endswith("of it for videos, going by what two idle cores do.")
    nothing = json.loads(run(cli, ["run", "--dry-run", "--json", "--again", "--output", "output"]).output)
    assert nothing["standing"] == []
    picture = str(project.assignments()["path"].iloc[0])
    assert json.loads(run(cli, ["why", "--json", picture, "--output", "output"]).output)["path"] == picture
