"""A machine that lacks what another one has says so before any work."""

import pytest

from clustering_assets.files.local import LocalFolder
from clustering_assets.images.reach import check_reach, libraries, problem_here
from clustering_assets.stores import open_place
from clustering_assets.work.engine import WorkError


class Machines:
    """A cluster of machines whose names are there and which answer as this one does."""

    cpus, gpus = 1.0, 0.0

    def __init__(self, before=lambda: None):
        self.before = before

    def run(self, task, units):
        raise AssertionError

    run_in_workers = connected = run

    def ask_machines(self, question):
        self.before()
        return [(name, question()) for name in ("one", "two")]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"picture")
    return LocalFolder(tmp_path / "images")


def test_machines_that_see_the_same_are_fit_and_nothing_is_left_behind(folder, tmp_path):
    check_reach(Machines(), folder, ["gone.jpg", "a.jpg"], str(tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_store_that_all_reach_will_do_and_keeps_nothing(folder, tmp_path):
    place = f"memory://{tmp_path.name}/cache"
    check_reach(Machines(), folder, ["a.jpg"], place)
    assert not list(open_place(place).iterdir())


def test_a_machine_that_does_not_see_the_same_store_is_named(folder, tmp_path):
    place = f"memory://{tmp_path.name}/cache"

    def vanish():
        for path in open_place(place).iterdir():
            path.unlink()

    with pytest.raises(WorkError, match=f"one does not see what is in {place}"):
        check_reach(Machines(vanish), folder, ["a.jpg"], place)


def test_a_picture_that_is_not_there_is_named(folder, tmp_path):
    gone = Machines(lambda: (tmp_path / "images" / "a.jpg").unlink())
    with pytest.raises(
        WorkError, match=r"(?s)one cannot read .*a\.jpg .*No such file.*place that all machines share"
    ):
        check_reach(gone, folder, ["a.jpg"])


def test_another_picture_of_the_same_name_is_noticed(folder, tmp_path):
    other = Machines(lambda: (tmp_path / "images" / "a.jpg").write_bytes(b"another"))
    with pytest.raises(WorkError, match=r"two sees another .*a\.jpg"):
        check_reach(other, folder, ["a.jpg"])


def test_a_cache_that_is_another_folder_is_named(folder, tmp_path):
    mark = tmp_path / "cache" / "mark"
    problem = problem_here(folder, folder.stat("a.jpg"), str(mark), libraries())
    assert (
        problem
        == f"does not see what is in {mark.parent}: the output must lie in a place that all machines share"
    )


def test_a_cache_that_cannot_be_written_is_said_before_any_machine_is_asked(folder, tmp_path):
    (tmp_path / "blocked").write_text("a file")
    with pytest.raises(WorkError, match="blocked/cache cannot be written to"):
        check_reach(
            Machines(lambda: pytest.fail("asked")), folder, ["a.jpg"], str(tmp_path / "blocked/cache")
        )


def test_other_libraries_are_named_with_both_versions(folder):
    expected = libraries() | {"pillow": "1.0"}
    problem = problem_here(folder, None, None, expected)
    assert problem.startswith(f"has pillow {libraries()['pillow']}, not pillow 1.0: vectors would differ")
    assert "numpy" not in problem


def test_every_library_that_is_asked_for_is_installed_here():
    assert "not installed" not in libraries().values()
