"""Results that were destroyed: noticed, in every way that a file can be, and made again as they were."""

import json
import os
import shutil
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from clustering_assets.cli.main import cli
from clustering_assets.defs.resources import settings_type
from clustering_assets.defs.staleness import is_as_made, videos_due
from clustering_assets.embedding.files import SEAL, load_embeddings, save_embeddings
from clustering_assets.integrity import RECORDS, State
from clustering_assets.outputs import BUNDLES, EMBEDDINGS, GALLERY, RESULTS, Outputs, files_of
from clustering_assets.results import is_whole
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, DamagedTable, write_table
from clustering_assets_tests.projects import Project, defs, without_dagster_home

SUMMARY = ("summary_report.json", "summary_report.txt")


@pytest.fixture(scope="module")
def another(first, tmp_path_factory) -> Project:
    """The same pictures in fewer clusters."""
    root = tmp_path_factory.mktemp("another") / "project"
    shutil.copytree(first[0].root, root)
    with without_dagster_home(), pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        Project(root).update(clusters=2, fps=12)
    return Project(root)


def published(project) -> dict[str, Path]:
    """Every file that the project publishes, by its name below the output."""
    output = project.root / "output"
    found = {path.relative_to(output).as_posix(): path for path in output.rglob("*") if path.is_file()}
    hidden = ("embeddings/cache/", ".")
    return {name: path for name, path in sorted(found.items()) if not name.startswith(hidden)}


def contents(project) -> dict[str, bytes]:
    """What they hold; of the summary what does not tell of the time it took."""
    held = {name: path.read_bytes() for name, path in published(project).items()}
    summary = json.loads(held.pop("summary_report.json"))
    assert held.pop("summary_report.txt")
    kept = {name: summary[name] for name in ("clusters", "settings", "versions")}
    return {**held, "summary": json.dumps(kept).encode()}


def missing(path: Path, _: Path) -> None:
    path.unlink()


def empty(path: Path, _: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed(path: Path, _: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


def flipped(path: Path, _: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in (len(data) // 3, len(data) // 2, len(data) - len(data) // 4):
        data[place] ^= 0x04
    path.write_bytes(data)


def of_another_run(path: Path, other: Path) -> None:
    if other.is_file() and other.read_bytes() != path.read_bytes():
        shutil.copy2(other, path)
    else:
        path.write_bytes(b"of another run")


WAYS = [missing, empty, cut, zeroed, flipped, of_another_run]


def in_another(another, name):
    return another.root / "output" / name


@pytest.mark.parametrize("destroy", WAYS)
def test_each_file_that_is_destroyed_alone_is_noticed(destroy, project, another):
    asset_of = {file: name for name in RESULTS for file in files_of(name)}
    with project.instance() as instance:
        for name, path in published(project).items():
            kept = path.read_bytes(), path.stat()
            destroy(path, in_another(another, name))
            if name in asset_of:
                assert not is_whole(project.outputs, asset_of[name]), name
            elif name.startswith(BUNDLES):
                assert not is_as_made(
                    instance, defs.resolve_assets_def("gallery").get_asset_spec(), project.outputs
                )
            else:
                key = path.name.partition("_slideshow")[0]
                assert videos_due(instance, project.recipes(), project.settings()) == (key,)
            path.write_bytes(kept[0])
            os.utime(path, ns=(kept[1].st_atime_ns, kept[1].st_mtime_ns))
        assert not videos_due(instance, project.recipes(), project.settings())
    assert all(is_whole(project.outputs, name) for name in RESULTS)


@pytest.mark.slow
@pytest.mark.parametrize("destroy", WAYS)
def test_all_files_destroyed_at_once_are_made_again_as_they_were(destroy, project, another):
    before = contents(project)
    for name, path in published(project).items():
        destroy(path, in_another(another, name))
    result = project.update()
    assert sorted(result.rendered) == ["cluster_0", "cluster_1", "cluster_2"] and not result.failed
    assert contents(project) == before
    again = project.update()
    assert (again.made, again.rendered) == ([], [])


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("clusters/cluster_visualization.png", ["cluster_plot"]),
        ("dataset_analysis.png", ["dataset_analysis"]),
        (GALLERY, ["gallery"]),
        ("manifest/ledger.csv", ["ledger", "gallery"]),
        ("videos/cluster_1_slideshow_with_music.mp4", ["ledger", "gallery"]),
    ],
)
def test_a_result_that_was_destroyed_costs_no_other(name, made, project):
    before = contents(project)
    zeroed(project.root / "output" / name, Path())
    result = project.update()
    assert result.made == made and result.rendered == (["cluster_1"] if name.startswith("videos/") else [])
    assert contents(project) == before


@pytest.mark.parametrize("cell", ["abc", "", "99999999999999999999", "../../secret/x.jpg"])
def test_a_cell_that_was_changed_is_noticed_and_mended(cell, project, caplog):
    path = project.root / "output" / CLUSTER_ASSIGNMENTS.file
    whole = path.read_bytes()
    lines = whole.decode().splitlines(keepends=True)
    columns = lines[3].split(",")
    columns[0 if "/" in cell else 2] = cell
    path.write_text("".join([*lines[:3], ",".join(columns), *lines[4:]]))
    with pytest.raises(DamagedTable, match="not as it was written"):
        project.assignments()
    result = project.update()
    assert "cluster_assignments" in result.made and path.read_bytes() == whole
    assert f"{CLUSTER_ASSIGNMENTS.file} is not as it was written: it is made anew" in caplog.text


def test_rows_that_were_moved_are_not_taken_for_what_was_where_no_record_is_left(project):
    before = contents(project)
    path = project.root / "output" / CLUSTER_ASSIGNMENTS.file
    rows = project.assignments()
    rows["cluster"] = rows["cluster"].sample(frac=1, random_state=1).to_numpy()
    write_table(path, rows)
    shutil.rmtree(project.root / "output" / RECORDS)
    assert not project.update().rendered
    assert contents(project) == before


def test_the_sensors_do_not_go_on_with_results_of_another_output_records_and_all(project, another):
    for name in files_of(EMBEDDINGS):
        for folder in ("", RECORDS):
            suffix = ".json" if folder else ""
            shutil.copy(
                another.root / f"output/{folder}/{name}{suffix}",
                project.root / f"output/{folder}/{name}{suffix}",
            )
    path = project.root / "output" / CLUSTER_ASSIGNMENTS.file
    for folder, suffix in (("", ""), (f"{RECORDS}/", ".json")):
        name = f"output/{folder}{CLUSTER_ASSIGNMENTS.file}{suffix}"
        shutil.copy(another.root / name, project.root / name)
    resource = settings_type(project.settings())()
    with project.instance() as instance:

        def tick(sensor, cursor=None):
            return defs.resolve_sensor_def(sensor)(
                dg.build_sensor_context(
                    instance=instance,
                    cursor=cursor,
                    resources={"settings": resource},
                    repository_def=defs.get_repository_def(),
                )
            )

        assert CLUSTER_ASSIGNMENTS.file in tick("cluster_videos_sensor").skip_message
        (request,) = tick("new_images_sensor", tick("new_images_sensor").cursor).run_requests
        assert any("repair" in tag for tag in request.tags)
    assert path.read_bytes() == in_another(another, CLUSTER_ASSIGNMENTS.file).read_bytes()


@pytest.mark.slow
def test_clusters_keep_their_numbers_when_their_table_is_lost(project):
    project.update(clusters=2)
    project.update()
    before = contents(project)
    numbers = set(project.assignments()["cluster"])
    (project.root / "output" / CLUSTER_ASSIGNMENTS.file).write_bytes(b"")
    result = project.update()
    assert set(project.assignments()["cluster"]) == numbers and not result.rendered
    assert contents(project)[CLUSTER_ASSIGNMENTS.file] == before[CLUSTER_ASSIGNMENTS.file]


@pytest.mark.slow
def test_embeddings_of_another_folder_are_not_taken_for_those_of_this_one(project, another):
    """Also where the files belong together and no record is left, as an older version wrote them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(another.root)
        for path in sorted((another.root / "images").rglob("[!.]*.*"))[:8]:
            path.unlink()
        another.update()
    before = contents(project)
    for name in files_of(EMBEDDINGS):
        shutil.copy(in_another(another, name), project.root / "output" / name)
    shutil.rmtree(project.root / "output" / RECORDS)
    result = project.update()
    assert "embeddings" in result.made
    assert contents(project) == before


@pytest.mark.slow
def test_what_an_older_version_wrote_without_records_is_believed_where_it_can_be_checked(
    project, monkeypatch
):
    """Neither the records nor the hashes in the instance are there after an update of the program."""
    monkeypatch.setattr("clustering_assets.defs.staleness.PUBLISHED", "not recorded")
    before = project.videos()
    shutil.rmtree(project.root / "output" / RECORDS)
    zeroed(project.root / "output/videos/cluster_2_slideshow_with_music.mp4", Path())
    result = project.update()
    assert result.rendered == ["cluster_2"]
    assert "embeddings" not in result.made and "cluster_assignments" not in result.made
    after = project.videos()
    assert {name for name in before if before[name] != after[name]} == {"cluster_2_slideshow_with_music.mp4"}


def test_a_run_that_was_killed_between_a_video_and_its_record_does_not_cost_the_video(project):
    name = "videos/cluster_1_slideshow_with_music.mp4"
    project.outputs.records.forget(name)
    result = project.update()
    assert not result.rendered
    assert project.outputs.records.state(name) is State.WHOLE


@pytest.mark.slow
def test_damage_without_a_trace_is_found_by_verify_and_mended_by_the_next_update(project, monkeypatch):
    monkeypatch.setattr("clustering_assets.integrity.SMALL", 0)  # as if all were large
    before = contents(project)
    for path in published(project).values():
        if path.name not in SUMMARY:
            facts = path.stat()
            flipped(path, Path())
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    found = CliRunner().invoke(cli, ["verify"])
    assert found.exit_code == 1
    for name in published(project):
        assert (f"output/{name} is not as it was written" in found.output) == (name not in SUMMARY)
    result = project.update()
    assert len(result.rendered) == 3 and contents(project) == before
    assert CliRunner().invoke(cli, ["verify"]).exit_code == 0


def test_verify_says_so_where_there_is_nothing_to_verify(fresh):
    fresh()
    assert "no results" in str(CliRunner().invoke(cli, ["verify"]).exception)


def test_a_run_does_not_go_on_with_a_damaged_table(project):
    from clustering_assets.defs.update import run_config
    from clustering_assets_tests.projects import defs

    flipped(project.root / "output" / IMAGE_MANIFEST.file, Path())
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            run_config=run_config(project.settings()),
            instance=instance,
            asset_selection=[dg.AssetKey("dataset_analysis")],
            raise_on_error=False,
        )
        (event,) = (event for event in result.all_events if event.is_step_failure)
        said = event.step_failure_data.user_failure_data.description
    assert (
        said == f"{IMAGE_MANIFEST.file} in output is not as it was written: materialize image_manifest anew."
    )


@pytest.mark.slow
def test_results_in_an_object_store_are_looked_after_too(project, monkeypatch):
    monkeypatch.setenv("CLUSTERING_ROOTS", f"{project.root}:memory://{project.root.name}")
    store = {"output": f"memory://{project.root.name}/{id(project)}/out"}
    assert len(project.update(**store).rendered) == 3
    assert project.update(**store).rendered == []
    outputs = Outputs(store["output"])
    names = [GALLERY, "clusters/cluster_visualization.png", "videos/cluster_1_slideshow_with_music.mp4"]
    before = {name: outputs.path(name).read_bytes() for name in names}
    for name, content in before.items():
        outputs.path(name).write_bytes(content[:-1] + b"x")
    result = project.update(**store)
    assert "cluster_plot" in result.made and "gallery" in result.made and result.rendered == ["cluster_1"]
    assert {name: outputs.path(name).read_bytes() for name in names} == before


def test_embeddings_of_other_pictures_that_have_the_same_names_are_not_believed(project):
    """A pair of another folder, whole in itself, in an output whose records are gone."""
    folder = project.root / "output/embeddings"
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    records = [name for name in project.outputs.records.names() if name.startswith("embeddings/")]
    vectors, paths = load_embeddings(folder)
    try:
        for contents, believed in (
            ("", True),
            (json.loads((folder / SEAL).read_text())["contents"], True),
            ("another", False),
        ):
            for name in records:
                project.outputs.records.forget(name)
            save_embeddings(folder, vectors[::-1], paths, None, contents)
            assert is_whole(project.outputs, EMBEDDINGS) == believed
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
        project.outputs.records.publish(records)
