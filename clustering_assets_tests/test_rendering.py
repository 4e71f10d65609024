"""Several videos at once: the same files as one by one, each failing for itself, nothing left behind."""

import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from clustering_assets import rendering
from clustering_assets.embedding.files import EmbeddingPair, load_embeddings
from clustering_assets.progress import reporting
from clustering_assets.rendering import Order, Refused, Rendered, at_once, publish, render
from clustering_assets.tables import MUSIC_TRACKS
from clustering_assets.work.engine import WorkError
from clustering_assets.work.processes import Processes
from clustering_assets.work.threads import Here
from clustering_assets_tests.clusters import OneWorker


@pytest.fixture
def orders(project):
    """What the videos would be made of at another frame rate."""
    tracks = project.outputs.read_table(MUSIC_TRACKS)
    pair = EmbeddingPair(*load_embeddings("output"))
    settings = project.settings(fps=12)
    return [Order.of(recipe, settings, pair, tracks) for recipe in project.recipes(fps=12).values()]


def staged(project):
    return [path.name for path in (project.root / "output/videos").iterdir() if path.name.startswith(".")]


def test_videos_of_several_processes_are_the_same_as_those_of_one(project, orders):
    written = []
    for engine in (Here(), Processes(3), OneWorker()):
        written.append({})
        for key, video in render(orders, engine):
            assert isinstance(video, Rendered) and video.staged and not video.flaws
            written[-1][key] = (Path(video.staged).read_bytes(), video.sheet, video.failures)
    assert list(written[0]) == ["cluster_0", "cluster_1", "cluster_2"]
    assert written[0] == written[1] == written[2]
    assert not staged(project)


def test_what_is_published_is_kept_the_next_time(project, orders):
    for _, video in render(orders[:1], Here()):
        assert isinstance(video, Rendered)
        publish(video, project.outputs)
    ((_, again),) = render(orders[:1], Here())
    assert isinstance(again, Rendered) and not again.staged and again.facts is None and not again.flaws
    assert not staged(project)


class Saboteur:
    """Kills every worker that begins to render a cluster."""

    def __init__(self, key):
        self.key = key

    def start(self, title, total, unit):
        if title.endswith(self.key):
            for worker in psutil.Process().children():
                worker.kill()
        return self

    def advance(self, count=1):
        pass

    def finish(self):
        pass


def test_a_process_that_is_killed_costs_the_video_that_it_renders(project, orders):
    with reporting(Saboteur("cluster_1")):
        made = dict(render(orders, Processes(1)))
    assert [isinstance(video, Rendered) for video in made.values()] == [True, False, True]
    lost = made["cluster_1"]
    assert isinstance(lost, Refused) and "was stopped by the system" in lost.reason
    assert not staged(project)


class Deaf(OneWorker):
    """A cluster whose machine does not see the music."""

    def ask_machines(self, question):
        music = Path("music").rename("aside")
        try:
            return super().ask_machines(question)
        finally:
            music.rename("music")


def test_a_cluster_that_does_not_see_the_music_is_refused(project, orders):
    with pytest.raises(WorkError, match=r"(?s)here cannot read .*music/.*place that all machines share"):
        list(render(orders, Deaf()))
    assert not staged(project)


def test_where_no_process_can_be_started_this_one_renders_and_says_so(project, orders, monkeypatch, caplog):
    monkeypatch.setattr(rendering, "at_once", lambda _: 2)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with closing(render(orders)) as videos:
        _, video = next(videos)
        assert isinstance(video, Rendered) and video.staged
        assert len(staged(project)) == 1, "the others wait, so that an interruption ends all at once"
    assert "No process can be started" in caplog.text
    assert not staged(project)


def test_a_video_without_a_readable_picture_costs_only_itself(project, orders):
    for path in orders[0].recipe.images["path"]:
        (project.root / "images" / path).write_bytes(b"no picture")
    made = dict(render(orders, Here()))
    assert [isinstance(video, Rendered) for video in made.values()] == [False, True, True]
    assert isinstance(refused := made["cluster_0"], Refused) and refused.reason


def test_whoever_stops_early_leaves_nothing_behind(project, orders):
    before = set(psutil.Process().children())
    with closing(render(orders, Processes(2))) as videos:
        next(videos)
        workers = set(psutil.Process().children()) - before
        assert workers and staged(project)
    assert not psutil.wait_procs(list(workers), timeout=5)[1]
    assert not staged(project)


def test_there_are_as_many_at_once_as_cores_memory_and_work_allow(orders, monkeypatch):
    monkeypatch.setattr(rendering, "available_cores", lambda: 16)
    monkeypatch.setattr(rendering, "free_bytes", lambda: 64 << 30)
    assert at_once(orders) == 1, "too little to do"
    large = [
        Order(order.recipe, order.settings.model_copy(update={"resolution": "1920x1080", "fps": 60}), *rest)
        for order in orders * 5
        for rest in [(order.embeddings, order.tracks)]
    ]
    assert at_once(large[:3]) == 3
    assert at_once(large) == 8
    monkeypatch.setattr(rendering, "free_bytes", lambda: 1_700_000_000)
    assert at_once(large) == 2
    monkeypatch.setattr(rendering, "free_bytes", lambda: 0)
    assert at_once(large) == 1
