"""The ledger: failures of later stages and near duplicates join what the scan found, one outcome for every file."""

import pytest

from clustering_assets.images.ledger import ledger
from clustering_assets.images.manifest import scan
from clustering_assets.tables import LEDGER


@pytest.fixture
def manifest(photo, encoded, save, tmp_path):
    """Three pictures, an exact copy of the first, and a damaged file."""
    for name, seed in (("a.png", 1), ("b.png", 2), ("c.png", 3), ("copy.png", 1)):
        save(f"images/{name}", encoded(photo(seed), "PNG"))
    save("images/half.png", encoded(photo(4), "PNG")[:2000])
    return scan(tmp_path / "images")


def outcomes(table):
    return dict(zip(table["path"], table["outcome"], strict=True))


def row(table, path):
    return table[table["path"] == path].iloc[0].to_dict()


def test_the_scan_alone_makes_a_ledger(manifest):
    table = ledger(manifest)
    assert list(table.columns) == list(LEDGER.columns)
    assert outcomes(table) == {
        "a.png": "used",
        "b.png": "used",
        "c.png": "used",
        "copy.png": "duplicate",
        "half.png": "rejected",
    }
    assert row(table, "copy.png")["duplicate_of"] == "a.png"


def test_a_later_failure_is_an_outcome_and_a_copy_takes_the_place(manifest):
    table = ledger(manifest, [("a.png", "render", "No such file or directory")])
    assert row(table, "a.png")["outcome"] == "rejected"
    assert (row(table, "a.png")["stage"], row(table, "a.png")["reason"]) == (
        "render",
        "No such file or directory",
    )
    assert row(table, "copy.png")["outcome"] == "used"


def test_the_first_failure_of_a_file_counts(manifest):
    table = ledger(
        manifest, [("b.png", "embed", "first"), ("b.png", "render", "second"), ("gone.png", "embed", "x")]
    )
    assert (row(table, "b.png")["stage"], row(table, "b.png")["reason"]) == ("embed", "first")
    assert len(table) == 5


def test_what_the_scan_rejected_keeps_its_reason(manifest):
    before = row(ledger(manifest), "half.png")
    assert before["stage"] == "decode"
    assert row(ledger(manifest, [("half.png", "render", "gone")]), "half.png") == before


def test_near_duplicates_are_outcomes_too(manifest):
    table = ledger(manifest, near_duplicates={"b.png": "c.png", "copy.png": "c.png"})
    assert row(table, "b.png") == {
        "path": "b.png",
        "outcome": "duplicate",
        "stage": "",
        "reason": "looks the same",
        "duplicate_of": "c.png",
    }
    assert row(table, "copy.png")["duplicate_of"] == "a.png", "the same pixels go before the same looks"
    assert sorted(outcomes(table).values()) == ["duplicate", "duplicate", "rejected", "used", "used"]


def test_a_near_duplicate_of_a_failed_picture_is_used(manifest):
    table = ledger(manifest, [("c.png", "render", "gone")], near_duplicates={"b.png": "c.png"})
    assert outcomes(table)["b.png"] == "used"


def test_a_good_picture_that_is_in_no_cluster_yet_is_pending(manifest):
    table = ledger(manifest, [("b.png", "render", "gone")], clustered={"a.png", "copy.png"})
    assert outcomes(table) == {
        "a.png": "used",
        "b.png": "rejected",
        "c.png": "pending",
        "copy.png": "duplicate",
        "half.png": "rejected",
    }
    assert "update was not finished" in row(table, "c.png")["reason"]
