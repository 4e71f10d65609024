"""What a command says when everything is up to date, and what it ends with."""

import dataclasses
import json
import sys
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

import click

from clustering_assets.cli.exit_codes import FAILED
from clustering_assets.settings import Settings
from clustering_assets.words import counted, duration

if TYPE_CHECKING:
    from clustering_assets.cli.plan import VideoPlan
    from clustering_assets.defs.update import UpdateResult


def close(
    result: "UpdateResult",
    settings: Settings,
    seconds: float,
    *,
    warned: Container[str] = (),
    plans: Sequence["VideoPlan"] = (),
    as_json: bool = False,
) -> None:
    """Say what was done and where it is; a video that failed or is not as planned fails the command.

    Args:
        result: What was done.
        settings: The settings that it was done with.
        seconds: How long it took.
        warned: Warnings that were shown already.
        plans: What the videos will be, where they were planned and not rendered.
        as_json: Whether it is told to a machine.
    """
    from clustering_assets.outputs import SUMMARY_REPORT, Outputs

    path = Outputs(settings.output).path(SUMMARY_REPORT).with_suffix(".json")
    summary = json.loads(path.read_text(encoding="utf-8"))
    if as_json:
        click.echo(_data(result, summary, seconds, plans))
    else:
        summary["warnings"] = [warning for warning in summary["warnings"] if warning not in warned]
        click.echo("\n".join([*map(str, plans), closing_words(result, summary, settings, seconds)]))
    if result.failed or result.flawed:
        sys.exit(FAILED)


def _data(
    result: "UpdateResult", summary: dict[str, Any], seconds: float, plans: Sequence["VideoPlan"]
) -> str:
    """What was done, and the summary, as JSON."""
    done = {name: getattr(result, name) for name in ("made", "rendered", "failed", "flawed")}
    planned = {"planned": [dataclasses.asdict(plan) for plan in plans]} if plans else {}
    return json.dumps(
        {"seconds": round(seconds, 2), **done, **planned, "summary": summary}, ensure_ascii=False, indent=2
    )


def closing_words(result: "UpdateResult", summary: dict[str, Any], settings: Settings, seconds: float) -> str:
    """What the command says at the end: what was done, each cluster with its music, and what to open first."""
    from clustering_assets.outputs import CLUSTER_PLOT, DATASET_ANALYSIS, GALLERY, SUMMARY_REPORT, VIDEOS

    counts = summary["counts"]
    rows = [
        (
            cluster["key"],
            cluster["name"],
            counted(cluster["size"], "picture"),
            cluster["mood"],
            cluster["track"] or "no music",
        )
        for cluster in summary["clusters"]
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    nothing_new = not result.made and not result.rendered and not result.failed
    head = "Nothing new: everything is up to date" if nothing_new else "Done"
    lines = [
        "",
        f"{head}, in {duration(seconds)}.",
        f"{counted(counts['found'], 'file')} found, {counts['usable']:,} usable, {counts['rejected']:,} rejected, "
        f"{counted(counts['duplicates'], 'exact duplicate')}.",
        f"{counts['embedded']:,} embedded, {counts['reused']:,} reused. {counted(counts['clusters'], 'cluster')}. "
        f"{counted(counts['videos_rendered'], 'video')} rendered, {counts['videos_reused']:,} reused"
        + (f", {counts['videos_outdated']:,} out of date." if counts["videos_outdated"] else "."),
        *(f"Clusters: {note}" for note in str(summary["quality"]["notes"] or "").splitlines()),
        *(f"Since the last run: {news}" for news in [summary["quality"]["since_last_run"]] if news),
        "",
        *(
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ),
        "",
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        *(f"No video of {key}: {reason}" for key, reason in result.failed.items()),
        *(f"The video of {key} is not as planned: {flaw}" for key, flaw in result.flawed.items()),
        f"Videos:   {settings.output}/{VIDEOS}/",
        *([f"Film:     {summary['film']['path']}"] if "film" in summary else []),
        f"Plot:     {settings.output}/{CLUSTER_PLOT}",
        f"Report:   {settings.output}/{SUMMARY_REPORT}",
        *([f"Rejected: see {settings.output}/{DATASET_ANALYSIS}"] if counts["rejected"] else []),
        "",
        f"Open first: {settings.output}/{GALLERY}",
    ]
    return "\n".join(lines)
