"""The commands that export, on a small output."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from clustering_assets.cli.export import export


@pytest.fixture
def exporting(project):
    """Exports from the output of a small project; gives what is said."""

    def run(*arguments):
        done = CliRunner().invoke(export, arguments, catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return run


def test_folders_hold_every_picture_of_the_clusters(exporting, project):
    assert "there already" in exporting("folders", "--into", "out")
    assert len([path for path in Path("out").rglob("*") if path.is_symlink()]) == len(project.assignments())


def test_the_table_has_a_row_for_each_picture_the_most_typical_first(exporting, project):
    exporting("csv", "all.csv")
    table = pd.read_csv("all.csv", keep_default_na=False)
    assert sorted(table["path"]) == sorted(project.assignments()["path"])
    assert all(Path(file).is_file() for file in table["file"])
    firsts = table[table["rank"] == 1]
    assert len(firsts) == table["cluster"].nunique() and (firsts["typicality"] == 1).all()


def test_timelines_and_previews_are_written_for_the_clusters_named_or_for_all(exporting):
    assert len(exporting("otio", "--into", "out").split()) == 3
    assert exporting("previews", "--into", "out", "cluster_1", "--width", "64").split() == [
        "out/cluster_1.webp"
    ]
