"""The whole way, on generated pictures and music: what an update makes, and what it leaves alone."""

import dataclasses
import io
import json
import re
import shutil
from pathlib import Path

import av
import dagster as dg
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.defs.jobs import EVERY, FIRST_TAG
from clustering_assets.defs.records import VIDEOS, latest_videos
from clustering_assets.defs.served_previews import COLUMN, ServedPreviews
from clustering_assets.defs.staleness import videos_due
from clustering_assets.defs.update import RunFailed, run_config
from clustering_assets.embedding.files import load_embeddings
from clustering_assets.errors import ClusteringError
from clustering_assets.leases import OutputTaken
from clustering_assets.outputs import CLUSTER_PLOT
from clustering_assets.tables import (
    CLUSTER_ASSIGNMENTS,
    IMAGE_MANIFEST,
    LEDGER,
    MUSIC_CHOICE,
    MUSIC_TRACKS,
    TABLES,
)
from clustering_assets.video import encode
from clustering_assets_tests.asgi import ask, the_ui
from clustering_assets_tests.projects import defs
from clustering_assets_tests.servers import ROOT


def counts(project):
    return json.loads((project.root / "output/summary_report.json").read_text())["counts"]


def test_every_promised_file_is_there(first):
    project, _ = first
    output = project.root / "output"
    for name in (
        "manifest/image_manifest.parquet",
        "manifest/ledger.csv",
        "dataset_analysis.txt",
        "dataset_analysis.json",
        "dataset_analysis.png",
        "embeddings/embeddings.npy",
        "embeddings/image_paths.txt",
        "clusters/cluster_assignments.csv",
        "clusters/cluster_visualization.png",
        "music/music_choice.csv",
        "music/music_tracks.parquet",
        "gallery/index.html",
        "summary_report.txt",
        "summary_report.json",
    ):
        assert (output / name).stat().st_size > 0, name
    assert not list(output.rglob("*.partial"))


def test_every_usable_picture_has_a_vector_and_a_cluster(first):
    project, _ = first
    output = project.root / "output"
    manifest = pd.read_parquet(output / IMAGE_MANIFEST.file)
    vectors, paths = load_embeddings(output)
    assignments = pd.read_csv(output / CLUSTER_ASSIGNMENTS.file)
    usable = manifest.loc[manifest["outcome"] != "rejected", "path"].tolist()
    assert paths == usable == assignments["path"].tolist()
    assert vectors.shape == (len(usable), 1280) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert assignments["cluster"].nunique() == 3
    assert assignments.groupby("cluster")["is_representative"].sum().tolist() == [1, 1, 1]


def test_every_cluster_has_a_video_with_its_own_pictures_and_with_music(first):
    project, result = first
    choice = pd.read_csv(project.root / "output" / MUSIC_CHOICE.file)
    assert sorted(result.rendered) == sorted(choice["key"]) == ["cluster_0", "cluster_1", "cluster_2"]
    assert (choice["track"] != "").all() and choice["track"].nunique() > 1
    for row in choice.itertuples():
        path = project.root / f"output/videos/{row.key}_slideshow_with_music.mp4"
        with av.open(str(path)) as video:
            (picture, _cover), (sound,) = video.streams.video, video.streams.audio
            assert (picture.codec.name, sound.codec.name) == ("h264", "aac")
            assert (picture.width, picture.height, picture.pix_fmt) == (320, 180, "yuv420p")
            assert picture.average_rate == 10
            assert float(video.duration) / av.time_base == pytest.approx(3.6, abs=1.5)
        assert row.mood in {"upbeat", "calm", "energetic", "neutral"} and row.why


def test_the_summary_counts_what_was_done(first):
    project, _ = first
    counted = counts(project)
    assert counted["found"] == counted["usable"] + counted["rejected"] >= 30
    assert counted["embedded"] > 0
    assert counted["embedded"] + counted["reused"] == counted["usable"]
    assert (counted["clusters"], counted["videos_rendered"], counted["videos_missing"]) == (3, 3, 0)
    report = json.loads((project.root / "output/summary_report.json").read_text())
    assert report["seconds"]["embeddings"] > 0 and report["seconds"]["cluster_videos"] > 0
    assert report["quality"]["backbone"] == "efficientnet_lite0"
    assert report["versions"]["dagster"]


def test_the_report_says_how_each_cluster_holds_together_and_which_pictures_show_it(first):
    project, _ = first
    report = json.loads((project.root / "output/summary_report.json").read_text())
    text = (project.root / "output/summary_report.txt").read_text()
    table = pd.read_csv(project.root / "output/clusters/cluster_assignments.csv").set_index("path")
    for cluster in report["clusters"]:
        members = table[table["cluster"] == int(cluster["key"].removeprefix("cluster_"))]
        assert cluster["silhouette"] == pytest.approx(members["silhouette"].mean(), abs=0.001)
        assert members.loc[cluster["representative"], "is_representative"]
        assert members.loc[cluster["typical"][0], "typicality"] == 1
        assert members.loc[cluster["untypical"][0], "typicality"] == 0
        assert cluster["neighbour"] in {other["key"] for other in report["clusters"]} - {cluster["key"]}
        assert f"representative: {cluster['representative']}\n" in text
        assert f"least typical: {', '.join(cluster['untypical'])}" in text


def test_all_of_it_is_recorded_in_the_instance(first):
    project, _ = first
    with project.instance() as instance:
        assert set(instance.get_dynamic_partitions("clusters")) == {"cluster_0", "cluster_1", "cluster_2"}
        shown = {tag for run in instance.get_runs() for tag in run.tags if not tag.startswith(".dagster/")}
        assert all(tag.startswith("dagster/") for tag in shown - {"output"}), (
            "tags for programs are not shown"
        )
        videos = instance.get_materialized_partitions(dg.AssetKey("cluster_videos"))
        assert videos == {"cluster_0", "cluster_1", "cluster_2"}
        event = instance.get_latest_materialization_event(dg.AssetKey("cluster_assignments"))
        metadata = event.asset_materialization.metadata
        assert metadata["dagster/row_count"].value == counts(project)["usable"]
        assert metadata["number_of_clusters"].value == 3
        for table in TABLES:
            event = instance.get_latest_materialization_event(dg.AssetKey(table.asset))
            columns = event.asset_materialization.metadata["dagster/column_schema"].schema.columns
            assert [column.name for column in columns] == list(table.columns), table.asset
            assert all(column.description for column in columns), table.asset


def test_previews_are_inline_and_small(first):
    project, _ = first
    with project.instance() as instance:
        for key, partition in (
            ("cluster_plot", None),
            ("dataset_analysis", None),
            ("cluster_videos", "cluster_0"),
        ):
            found = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    asset_key=dg.AssetKey(key), asset_partitions=[partition] if partition else None
                ),
                limit=1,
            ).records[0]
            shown = found.asset_materialization.metadata
            preview, picture = shown["preview"].value, shown["picture"].value
            assert preview.startswith("![") and ";base64," in preview
            assert len(preview) < 50_000 * 4 / 3 + 200
            assert len(picture) < 1000, "longer Markdown is shown after a click"
            previews = ServedPreviews(the_ui, instance)
            status, _, served = ask(previews, re.search(r"\((/\S+)\)", picture)[1])
            assert status == 200 and Image.open(io.BytesIO(served)).width <= COLUMN
            assert ask(previews, f"/previews/{found.run_id}/{key}/nothing")[0] == 404
            assert ask(previews, "/assets")[2] == b"the UI"


def test_the_checks_of_each_video_passed(first):
    project, _ = first
    with project.instance() as instance:
        runs = instance.get_runs(dg.RunsFilter(tags={FIRST_TAG: "cluster_0"}))
        events = instance.all_logs(runs[0].run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        found = [event.dagster_event.asset_check_evaluation_data for event in events]
        assert [one.check_name for one in found] == ["video_as_planned", "videos_up_to_date"]
        assert all(one.passed for one in found), found


def test_a_video_is_recorded_alike_by_a_run_of_its_own_and_by_one_of_several(project):
    with project.instance() as instance:
        several = latest_videos(instance, ["cluster_0"])["cluster_0"].asset_materialization
        result = defs.resolve_job_def("render_videos").execute_in_process(
            partition_key="cluster_0", instance=instance, run_config=run_config(project.settings())
        )
        assert result.success
        alone = latest_videos(instance, ["cluster_0"])["cluster_0"].asset_materialization
    assert alone.tags == several.tags
    assert several.metadata["rendered"].value and not alone.metadata["rendered"].value
    assert set(alone.metadata) <= set(several.metadata)


def test_a_run_of_the_partition_for_every_cluster_makes_all_videos_and_records_each(project):
    for path in (project.root / "output/videos").glob("*.mp4"):
        path.unlink()
    with project.instance() as instance:
        instance.add_dynamic_partitions("clusters", [EVERY])
        before = latest_videos(instance, ["cluster_1"])["cluster_1"].timestamp
        assert (
            defs.resolve_implicit_global_asset_job_def()
            .execute_in_process(
                partition_key=EVERY,
                asset_selection=[VIDEOS],
                instance=instance,
                run_config=run_config(project.settings()),
            )
            .success
        )
        made = latest_videos(instance, ["cluster_0", "cluster_1", "cluster_2", EVERY])
        assert len(made) == 4 and made["cluster_1"].timestamp > before
        assert not videos_due(instance, project.recipes(), project.settings())
    assert len(project.videos()) == 3
    project.update()
    with project.instance() as instance:
        assert EVERY not in instance.get_dynamic_partitions("clusters")


def test_a_second_update_with_nothing_new_makes_nothing(project):
    before = project.videos()
    result = project.update()
    assert (result.made, result.rendered) == ([], [])
    assert project.videos() == before
    counted = counts(project)
    assert (counted["embedded"], counted["videos_rendered"], counted["videos_reused"]) == (0, 0, 3)
    assert counted["reused"] == counted["usable"]


def test_a_new_picture_costs_one_embedding_and_the_video_of_its_cluster(project):
    assignments = project.assignments()
    member = assignments[assignments["cluster"] == 0].iloc[0]["path"]
    with Image.open(project.root / "images" / member) as image:
        image.convert("RGB").resize((300, 200)).save(project.root / "images/new.png")
    before = project.videos()
    result = project.update()
    assert counts(project)["embedded"] == 1
    now = project.assignments()
    cluster = int(now.set_index("path").loc["new.png", "cluster"])
    changed = {name for name, time in project.videos().items() if before.get(name) != time}
    moved = assignments.set_index("path")["cluster"].compare(now.set_index("path")["cluster"].drop("new.png"))
    if moved.empty:
        assert changed <= {f"cluster_{cluster}_slideshow_with_music.mp4"}
    assert counts(project)["videos_rendered"] == len(result.rendered) == len(changed)
    with project.instance() as instance:
        assert not project.out_of_date(instance), (
            "a video that stays as it is counts as made from what there is now"
        )


@pytest.mark.parametrize("name", ["image_paths.txt", "embeddings.npy", "embeddings.json"])
def test_embeddings_that_are_not_whole_are_made_again(name, project):
    path = project.root / "output/embeddings" / name
    path.write_bytes(path.read_bytes()[:-40])
    result = project.update()
    assert "embeddings" in result.made and not result.failed
    vectors, paths = load_embeddings(project.root / "output")
    assert len(vectors) == len(paths) == counts(project)["usable"]
    assert counts(project)["embedded"] == 0, "the vectors come from the cache"


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("clusters/cluster_assignments.csv", ""),
        ("clusters/cluster_assignments.csv", "path;cluster\na.png;0\n"),
        ("clusters/cluster_assignments.csv", 20),
        ("music/music_choice.csv", "cluster\n0\n"),
        ("dataset_analysis.json", None),
    ],
)
def test_results_that_are_damaged_or_gone_are_made_again(name, left, project):
    path = project.root / "output" / name
    whole = path.read_bytes()
    if left is None:
        path.unlink()
    elif isinstance(left, int):
        path.write_bytes(b"".join(whole.splitlines(keepends=True)[:left])[:-30])
    else:
        path.write_text(left)
    result = project.update()
    assert result.made and not result.failed
    assert len(path.read_bytes().splitlines()) == len(whole.splitlines())


def test_a_video_that_was_cut_short_is_made_again(project):
    path = project.root / "output/videos/cluster_1_slideshow_with_music.mp4"
    path.write_bytes(path.read_bytes()[:100])
    assert project.update().rendered == ["cluster_1"]


@pytest.mark.slow
def test_videos_in_another_output_are_not_taken_for_those_in_this_one(project):
    shutil.copytree(project.root / "output", project.root / "other")
    before = project.videos()
    assert len(project.update(output="other", fps=12).rendered) == 3
    assert project.videos() == before
    assert len(project.update(fps=12).rendered) == 3
    with av.open("output/videos/cluster_0_slideshow_with_music.mp4") as video:
        assert video.streams.video[0].average_rate == 12


def test_another_spelling_of_a_folder_changes_nothing(project):
    result = project.update(output="./output/", images="music/../images", music="music//")
    assert (result.made, result.rendered) == ([], [])


def test_only_one_update_at_a_time_writes_to_an_output(project):
    refused = []

    def second(line: str) -> None:
        if line.startswith("Looking") and not refused:
            with pytest.raises(OutputTaken, match="output") as error:
                project.update()
            refused.append(error)

    project.update(meanwhile=second)
    assert refused
    project.update()


@pytest.mark.slow
def test_what_another_run_changes_meanwhile_is_made_next_time(project, monkeypatch):
    from clustering_assets.embedding import embed as module

    config = {"resources": {"settings": {"config": project.settings().model_dump()}}}
    embed = module.embed

    def embed_while_another_run_lists_the_folder(*arguments, **settings):
        embedded = embed(*arguments, **settings)
        monkeypatch.setattr(module, "embed", embed)
        put_copy(project, "late.png")
        with project.instance() as instance:
            job = defs.resolve_implicit_global_asset_job_def()
            assert job.execute_in_process(
                run_config=config, instance=instance, asset_selection=[dg.AssetKey("image_manifest")]
            ).success
        return embedded

    put_copy(project, "early.png")
    monkeypatch.setattr(module, "embed", embed_while_another_run_lists_the_folder)
    project.update()
    project.update()
    assert {"early.png", "late.png"} <= set(project.assignments()["path"])


def put_copy(project, name):
    """A picture with pixels of its own."""
    path = project.root / "images" / name
    shutil.copy(project.root / "images" / project.assignments()["path"][len(name)], path)
    change_pixels(path)


def test_a_date_that_is_new_changes_the_analysis_and_nothing_else(project):
    path = next((project.root / "images").rglob("*.jpg"))
    with Image.open(path) as picture:
        exif = picture.getexif()
    exif[0x0110] = "Camera of the test"
    data = path.read_bytes()
    block = exif.tobytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:])
    result = project.update()
    assert "dataset_analysis" in result.made and "embeddings" not in result.made
    assert "Camera of the test" in (project.root / "output/dataset_analysis.json").read_text()


def test_a_video_that_is_not_as_planned_is_named(project, monkeypatch):
    from clustering_assets.video import verify

    real = verify.verify

    def strict(path, slideshow):
        return [dataclasses.replace(found, passed=False) for found in real(path, slideshow)[:1]]

    monkeypatch.setattr(verify, "verify", strict)
    (project.root / "output/videos/cluster_1_slideshow_with_music.mp4").unlink()
    result = project.update()
    assert result.rendered == ["cluster_1"] and not result.failed
    assert "expected" in result.flawed["cluster_1"]


def test_a_deleted_video_is_made_again(project):
    (project.root / "output/videos/cluster_1_slideshow_with_music.mp4").unlink()
    assert project.update().rendered == ["cluster_1"]


@pytest.mark.slow
def test_a_video_setting_renders_all_videos_and_leaves_the_stages_alone(project):
    result = project.update(fps=12)
    assert result.made == ["ledger", "gallery"]
    assert sorted(result.rendered) == ["cluster_0", "cluster_1", "cluster_2"]


def test_a_deleted_gallery_is_made_again_and_nothing_else(project):
    before = project.videos()
    (project.root / "output/gallery/index.html").unlink()
    result = project.update()
    assert (result.made, result.rendered) == (["gallery"], [])
    assert (project.root / "output/gallery/index.html").is_file() and project.videos() == before


def test_the_gallery_shows_each_video_and_links_the_pictures(first):
    page = (first[0].root / "output/gallery/index.html").read_text(encoding="utf-8")
    for name in first[0].videos():
        assert f'src="../videos/{name}"' in page
    assert 'href="../../images/' in page


def ledger_of(project) -> pd.DataFrame:
    return project.outputs.read_table(LEDGER).set_index("path")


def test_a_picture_that_vanishes_before_it_is_embedded_is_rejected_there(project):
    shutil.copy(
        project.root / "images" / project.assignments()["path"][0], project.root / "images/z copy.png"
    )
    change_pixels(project.root / "images/z copy.png")

    def vanish(line: str) -> None:
        if "embeddings" in line:
            (project.root / "images/z copy.png").unlink()

    project.update(meanwhile=vanish)
    row = ledger_of(project).loc["z copy.png"]
    assert (row["outcome"], row["stage"]) == ("rejected", "embedding") and row["reason"]
    assert "z copy.png" not in set(project.assignments()["path"])
    assert counts(project)["rejected"] == 1 and counts(project)["found"] == 31
    assert "z copy.png  [embedding]" in (project.root / "output/summary_report.txt").read_text()


def test_a_picture_that_vanishes_before_it_is_shown_costs_only_itself(project):
    lost = project.shown("cluster_1")[0]

    def vanish(line: str) -> None:
        if line.startswith("Rendering"):
            (project.root / "images" / lost).unlink()

    assert len(project.update(meanwhile=vanish, fps=12).rendered) == 3
    row = ledger_of(project).loc[lost]
    assert (row["outcome"], row["stage"]) == ("rejected", "video") and row["reason"]
    ledger = ledger_of(project)
    assert (
        len(ledger) == 30
        and (ledger["outcome"] == "used").sum() + (ledger["outcome"] == "duplicate").sum() == 29
    )
    with project.instance() as instance:
        records = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey("ledger"), "nothing_lost_on_the_way"), limit=1
        )
    assert records[0].event.asset_check_evaluation.passed is False
    assert lost in (project.root / "output/gallery/index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_picture_that_was_away_while_its_video_was_made_comes_back(project):
    away = project.shown("cluster_1")[0]

    def vanish(line: str) -> None:
        if line.startswith("Rendering"):
            (project.root / "images" / away).rename(project.root / "away")

    project.update(meanwhile=vanish, fps=12)
    assert ledger_of(project).loc[away, "stage"] == "video"
    (project.root / "away").rename(project.root / "images" / away)
    assert project.update(fps=12).rendered == ["cluster_1"]
    assert ledger_of(project).loc[away, "outcome"] == "used"
    assert project.update(fps=12).rendered == []


@pytest.mark.slow
def test_a_video_that_cannot_be_made_whole_is_not_made_for_ever(project, monkeypatch):
    from clustering_assets.video import omissions, storyboard
    from clustering_assets.video.errors import Failure

    plain = storyboard.make_storyboard

    def deaf(material, failures=()):
        """The storyboard of a video that never hears its music."""
        return plain(material, (*failures, Failure("song.mp3", omissions.SOUNDTRACK, "cannot be heard")))

    monkeypatch.setattr(storyboard, "make_storyboard", deaf)
    monkeypatch.setattr(omissions, "readable_again", lambda failures, *_, **__: tuple(failures))
    rendered = [len(project.update(fps=12).rendered) for _ in range(5)]
    assert rendered == [3, 3, 3, 0, 0]


@pytest.mark.slow
def test_too_many_pictures_lost_before_embedding_fail_the_run_and_say_why(project):
    def vanish(line: str) -> None:
        if "embeddings" in line:
            for path in sorted((project.root / "images").rglob("[!.]*.*"))[:12]:
                path.unlink()

    for path in (project.root / "images").rglob("[!.]*.*"):
        change_pixels(path)
    with pytest.raises(RunFailed, match="max_failure_rate"):
        project.update(meanwhile=vanish, min_images=5)


def change_pixels(path) -> None:
    with Image.open(path) as image:
        pixels = image.convert("RGB")
    pixels.putpixel((0, 0), (1, 2, 3))
    pixels.paste((9, 8, 7), (0, 0, 12, 12))
    pixels.save(path, format="PNG")


@pytest.mark.slow
def test_an_output_folder_among_the_pictures_is_not_taken_for_pictures(project):
    inside = {"output": "images/results", "images": "images", "music": "."}
    project.update(**inside)
    again = project.update(**inside)
    assert (again.made, again.rendered) == ([], [])
    manifest = pd.read_parquet(f"images/results/{IMAGE_MANIFEST.file}")
    assert len(manifest) == 30 and not manifest["path"].str.startswith("results").any()
    tracks = pd.read_parquet(f"images/results/{MUSIC_TRACKS.file}")
    assert not tracks["path"].str.contains("results").any()


@pytest.mark.slow
def test_without_music_the_videos_are_silent_and_say_so_in_their_name(project):
    shutil.rmtree(project.root / "music")
    project.update()
    assert sorted(project.videos()) == [f"cluster_{n}_slideshow.mp4" for n in range(3)]
    with av.open("output/videos/cluster_0_slideshow.mp4") as video:
        assert not video.streams.audio
    assert pd.read_parquet(f"output/{MUSIC_TRACKS.file}").empty


def test_a_broken_file_costs_only_itself(project):
    (project.root / "images/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    (project.root / "images/empty.png").touch()
    project.update()
    manifest = pd.read_parquet(f"output/{IMAGE_MANIFEST.file}").set_index("path")
    for name in ("broken.jpg", "empty.png"):
        assert manifest.loc[name, "outcome"] == "rejected" and manifest.loc[name, "reason"]
        assert name in (project.root / "output/dataset_analysis.txt").read_text()
        assert name in (project.root / "output/summary_report.txt").read_text()
    assert counts(project)["rejected"] == 2


def test_too_few_pictures_stop_the_run_with_what_is_needed(project):
    with pytest.raises(RunFailed) as error:
        project.update(min_images=500)
    message = str(error.value)
    assert "500" in message and "min_images" in message and "images" in message
    with project.instance() as instance:
        run = instance.get_runs(limit=1)[0]
        (failure,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        assert run.status is dg.DagsterRunStatus.FAILURE
        assert failure.dagster_event.step_failure_data.user_failure_data.description == message


def test_more_clusters_than_pictures_are_refused(project):
    with pytest.raises(RunFailed) as error:
        project.update(clusters=500)
    assert "clusters" in str(error.value) and "500" in str(error.value)


def test_one_video_that_fails_leaves_the_others(project):
    blocker = project.root / "output/videos/cluster_1_slideshow_with_music.mp4"
    blocker.unlink()
    (blocker / "in the way").mkdir(parents=True)
    result = project.update(fps=12)
    assert sorted(result.rendered) == ["cluster_0", "cluster_2"]
    assert result.failed.get("cluster_1")


def test_a_fault_of_a_stage_is_raised_as_it_is_and_the_next_update_goes_on(project, monkeypatch):
    """With pools, whose places a run that ended must not keep."""
    from clustering_assets.report import cluster_plot

    shutil.copy(ROOT / "dagster.yaml", project.root)

    def fault(*arguments, **named):
        raise ZeroDivisionError("of the test")

    (project.root / "output" / CLUSTER_PLOT).unlink()
    with monkeypatch.context() as patched:
        patched.setattr(cluster_plot, "plot_clusters", fault)
        with pytest.raises(ZeroDivisionError, match="of the test"):
            project.update()
    with project.instance() as instance:
        assert instance.get_runs(limit=1)[0].status is dg.DagsterRunStatus.FAILURE
    assert project.update().made == ["cluster_plot"]


@pytest.mark.slow
def test_a_video_made_of_something_else_counts_as_out_of_date_and_not_as_reused(project, monkeypatch):
    write = encode.write_video

    def without_room_for_one(show, path, **options):
        if "cluster_1" in path.name:
            raise OSError("no room")
        return write(show, path, **options)

    monkeypatch.setattr(encode, "write_video", without_room_for_one)
    result = project.update(fps=12)
    assert set(result.failed) == {"cluster_1"}
    counted = counts(project)
    assert (counted["videos_rendered"], counted["videos_reused"]) == (2, 0)
    assert (counted["videos_outdated"], counted["videos_missing"]) == (1, 0)
    assert "reused 0, out of date 1" in (project.root / "output/summary_report.txt").read_text()


@pytest.mark.slow
def test_a_cluster_that_is_gone_loses_its_partition(project):
    result = project.update(clusters=2)
    with project.instance() as instance:
        assert set(instance.get_dynamic_partitions("clusters")) == set(result.clusters)
    assert len(result.clusters) == 2
    assert result.partitions.delete
    videos = project.root / "output/videos"
    assert {path.name.partition("_slideshow")[0] for path in videos.glob("*.mp4")} == set(result.clusters)
    earlier = {path.name.partition("_slideshow")[0] for path in (videos / "earlier").iterdir()}
    assert earlier == set(result.partitions.delete)
    report = (project.root / "output/summary_report.txt").read_text()
    assert f"Since the last run: gone: {min(earlier)}; {min(earlier)} went into cluster_" in report
    back = project.update()
    assert set(back.clusters) == {"cluster_0", "cluster_1", "cluster_2"}
    assert not earlier & set(back.rendered) and not any((videos / "earlier").iterdir())


@pytest.mark.slow
def test_videos_that_an_instance_knows_nothing_of_are_recorded_and_not_rendered(project):
    shutil.rmtree(".dagster")
    result = project.update()
    assert not result.rendered and "Recording 3 videos that are there already" in project.said
    with project.instance() as instance:
        assert len(instance.fetch_materializations(dg.AssetKey("cluster_videos"), limit=9).records) == 3


def test_a_missing_folder_is_a_failed_blocking_check_and_nothing_downstream_runs(project):
    shutil.move("images", "elsewhere")
    before = (project.root / "output" / IMAGE_MANIFEST.file).stat().st_mtime_ns
    with pytest.raises(RunFailed, match="images does not exist"):
        project.update()
    with project.instance() as instance:
        run = instance.get_runs(limit=1)[0]
        evaluations = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        failed = [
            event.dagster_event.asset_check_evaluation_data
            for event in evaluations
            if not event.dagster_event.asset_check_evaluation_data.passed
        ]
        assert [evaluation.check_name for evaluation in failed] == ["enough_usable_images"]
    assert (project.root / "output" / IMAGE_MANIFEST.file).stat().st_mtime_ns == before, (
        "the old manifest stays"
    )


def test_a_stored_cluster_opens_as_a_clip_that_moviepy_can_cut_and_write(project):
    from moviepy import vfx

    from clustering_assets.slideshows import open_slideshow

    show = open_slideshow("cluster_0")
    assert tuple(show.size) == project.settings().size, "with the settings that the output was made with"
    assert open_slideshow("cluster_0", resolution="160x90").size == (160, 90)
    show.subclipped(0, 1).with_effects([vfx.FadeOut(0.3)]).write_videofile("short.mp4", logger=None)
    with av.open("short.mp4") as video:
        assert float(video.duration) / av.time_base == pytest.approx(1, abs=0.15)
        assert video.streams.audio
    with pytest.raises(ClusteringError, match=r"cluster_9.*cluster_0, cluster_1, cluster_2"):
        open_slideshow("cluster_9")


def one_asset(project, name, instance, **changed):
    """A run of a single asset, as the UI or the dagster command makes it, in an instance of its own."""
    return defs.resolve_implicit_global_asset_job_def().execute_in_process(
        run_config=run_config(project.settings(**changed)),
        instance=instance,
        asset_selection=[dg.AssetKey(name)],
        raise_on_error=False,
    )


def failure_of(result):
    """What the UI shows of the one step that failed."""
    (event,) = (event for event in result.all_events if event.is_step_failure)
    return event.step_failure_data.user_failure_data.description


def test_clusters_are_named_by_the_network_that_made_the_vectors_also_in_an_instance_that_did_not(project):
    names = set(project.assignments()["cluster_name"])
    with dg.DagsterInstance.ephemeral() as instance:
        assert one_asset(project, "cluster_assignments", instance).success
    assert set(project.assignments()["cluster_name"]) == names


def test_a_pin_that_does_nothing_is_told(project):
    (project.root / "music/pins.csv").write_text("cluster_99,calm\nenergetic,missing.mp3\n")
    project.update()
    report = json.loads((project.root / "output/summary_report.json").read_text())
    warnings = "\n".join(report["warnings"])
    assert "pins.csv, line 1: there is no cluster_99 (only cluster_0, cluster_1, cluster_2)" in warnings
    assert "there is no track “missing.mp3” in the music folder" in warnings


def test_weights_that_are_out_of_reach_cost_clusters_only_their_words(project):
    seal = project.root / "output/embeddings/embeddings.json"
    seal.write_text(json.dumps({**json.loads(seal.read_text()), "backbone": "timm:"}))
    project.outputs.records.publish(["embeddings/embeddings.json"])
    with dg.DagsterInstance.ephemeral() as instance:
        assert one_asset(project, "cluster_assignments", instance).success
    assert project.assignments()["cluster"].nunique() == 3


def test_a_failed_run_says_why_in_its_own_words(project):
    (project.root / "output" / CLUSTER_ASSIGNMENTS.file).unlink()
    with dg.DagsterInstance.ephemeral() as instance:
        described = failure_of(one_asset(project, "cluster_plot", instance))
        assert "no cluster_assignments in output yet: materialize cluster_assignments first" in described
        (project.root / "broken").write_text("no folder")
        described = failure_of(one_asset(project, "music_tracks", instance, output="broken"))
        assert described.startswith("music_tracks cannot be stored in broken: ")
        described = failure_of(one_asset(project, "cluster_videos", instance))
        assert described.startswith("There is no cluster_assignments")


@pytest.mark.slow
def test_a_choice_is_heeded_in_the_videos_that_it_touches_and_in_no_other(project):
    before = {key: project.shown(key) for key in project.recipes()}
    key, other = sorted(before, key=lambda key: -len(project.recipes()[key].images))[:2]
    images = project.recipes()[key].images
    hidden = images.loc[~images["path"].isin(before[key]) & (images["duplicate_of"] == ""), "path"].iloc[0]
    choices = Path("output/clusters/choices.csv")
    choices.write_text(f"{before[key][1]},exclude\n{hidden},cover\nnowhere.png,must\n")
    result = project.update()
    assert result.rendered == [key]
    shown = project.shown(key)
    assert shown[0] == hidden and before[key][1] not in shown
    report = json.loads(Path("output/summary_report.json").read_text())
    assert "no picture nowhere.png" in report["quality"]["notes"]
    assert not project.update().made

    gone = project.recipes()[other].images["path"]
    choices.write_text("".join(f"{path},exclude\n" for path in gone))
    result = project.update()
    assert result.rendered == [key] and other in result.partitions.delete
    assert project.shown(key) == before[key]
    choices.unlink()
    assert project.update().rendered == []  # the video that was set aside is brought back
    assert project.shown(other) == before[other]
