"""The summary of an update, as text and as data."""

import pandas as pd

from clustering_assets.report.summary import StageRecord, VideoRecord, summarise

CHOICE = {"key": "cluster_0", "name": "dogs", "size": 3, "mood": "calm", "valence": 0.5, "arousal": 0.2}


def summary_of(names: list[str], **choice: str):
    ledger = pd.DataFrame(
        {
            "path": names,
            "outcome": "rejected",
            "stage": "open",
            "reason": [f"no picture: {name}" for name in names],
        }
    )
    stages = {
        "embeddings": StageRecord(True, 1.0, {"embedded": 3, "backbone": "resnet50", "runtime": "openvino"})
    }
    videos = [VideoRecord("cluster_0", "/out/cluster_0.mp4", False, True, 2.0, {"duration_seconds": 9.0})]
    table = pd.DataFrame([CHOICE | {"track": "song.ogg", "why": "It fits."} | choice])
    return summarise(ledger, pd.DataFrame({"cluster": [0, 0, 0]}), table, stages, videos, {"seed": 0})


def test_every_cluster_and_every_rejected_file_is_told():
    summary = summary_of(["a.jpg", "b.jpg"])
    for words in (
        "cluster_0  dogs  (3 pictures, calm)",
        "music: song.ogg",
        "why:   It fits.",
        "a.jpg  [open]",
    ):
        assert words in summary.text
    assert summary.data["counts"]["rejected"] == 2
    assert summary.data["counts"]["videos_rendered"] == 1


def test_names_that_move_the_cursor_or_break_lines_stay_on_their_line():
    wild = "x\x1b[2J\x07\ry\nz\u202e\u2028.ogg"
    summary = summary_of([wild], track=wild, name=wild, why=wild)
    plain = summary_of(["plain"], track="plain", name="plain", why="plain")
    assert all(letter.isprintable() for line in summary.text.split("\n") for letter in line)
    assert summary.text.count("\n") == plain.text.count("\n")
    assert summary.data["clusters"][0]["track"] == wild, "data for programs has names as they are"
