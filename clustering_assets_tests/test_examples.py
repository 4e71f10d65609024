"""The examples run as they are, on a small output of generated pictures."""

import runpy
import sys
from pathlib import Path

import av
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs an example with these arguments; gives what it printed."""

    def example(name: str, *arguments: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    return example


def test_the_nearest_neighbours_of_every_picture_are_named(run, project):
    lines = run("embeddings_to_neighbours.py", "output", "--count", 2)
    names = [path.name for path in Path("images").iterdir() if not path.name.startswith(".")]
    assert {line.split("  ")[0] for line in lines} <= set(names)
    assert len(lines) >= 20
    for line in lines:
        picture, *found = line.split("  ")
        assert len(found) == 2 and not any(one.startswith(f"{picture} ") for one in found)


def test_a_slideshow_is_cut_captioned_and_written(run, project):
    (said,) = run("edit_a_slideshow.py", "cluster_0", "short.mp4", "--seconds", 1)
    assert said.startswith("short.mp4: 1.0 s of ")
    with av.open("short.mp4") as film:
        assert {stream.type for stream in film.streams} == {"video", "audio"}
        assert film.duration / av.time_base == pytest.approx(1.0, abs=0.15)


@pytest.mark.slow
def test_a_folder_is_clustered_without_dagster(run, pictures_and_music):
    lines = run("cluster_a_folder.py", pictures_and_music / "images", "--clusters", 7)
    sizes = [int(line.split(": ")[1].split()[0]) for line in lines[:-1]]
    assert len(sizes) == 7 and sum(sizes) >= 28
    assert lines[-1].startswith("mean silhouette 0.")
