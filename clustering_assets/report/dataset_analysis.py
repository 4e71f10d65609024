"""The analysis of a folder of pictures: what is in there, as a text, as data and as a figure."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clustering_assets.files.source import FileSource, printable
from clustering_assets.images.manifest import DUPLICATE, OTHER, REJECTED, USED, common_reasons, failure_rate
from clustering_assets.report.dataset_chart import EXTREMES, draw, outcomes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PER_EXTREME = 9
_ALIKE_BITS = 10
_MEASURES = ("brightness", "colourfulness", "contrast", "saturation", "chroma", "warmth", "sharpness")
_LISTED = 200
_NAME = 40


@dataclass(frozen=True)
class DatasetAnalysis:
    """What is in a folder of pictures.

    Attributes:
        text: For people, plain and about eighty characters wide.
        data: The same and more, ready for JSON.
        figure: Histograms, the extremes as small pictures, and the rejected files.
    """

    text: str
    data: dict[str, Any]
    figure: "Figure"


def analyse(manifest: pd.DataFrame, folder: Path | FileSource) -> DatasetAnalysis:
    """Sum up a manifest.

    Args:
        manifest: A manifest as `scan` returns it.
        folder: Where the pictures are; only those on the contact sheet are opened.
    """
    data = summarise(manifest)
    return DatasetAnalysis(as_text(data, folder), data, draw(manifest, data, folder))


def summarise(manifest: pd.DataFrame) -> dict[str, Any]:
    """The figures of the analysis: counts, formats, sizes, shapes, dates, looks, extremes, rejected files."""
    sound = manifest[manifest["outcome"] != REJECTED]
    rejected = manifest[manifest["outcome"] == REJECTED]
    outcomes = manifest["outcome"].value_counts()
    megapixels = sound["width"].to_numpy(float) * sound["height"].to_numpy(float) / 1e6
    return {
        "files": len(manifest),
        "usable": len(sound),
        "used": int(outcomes.get(USED, 0)),
        "duplicates": int(outcomes.get(DUPLICATE, 0)),
        "rejected": len(rejected),
        "others": int((rejected["stage"] == OTHER).sum()),
        "failure_rate": failure_rate(manifest),
        "megabytes": float(manifest["bytes"].sum() / 1e6),
        "formats": _counts(sound["format"]),
        "modes": _counts(sound["mode"]),
        "shapes": _shapes(sound),
        "megapixels": _spread(megapixels),
        "longer_side": _spread(sound[["width", "height"]].max(axis=1)),
        "looks": {name: _spread(sound[name]) for name in _MEASURES},
        "dates": _dates(sound["taken_at"]),
        "cameras": _counts(sound["camera"][sound["camera"] != ""]),
        "colours": _colours(sound["dominant_colours"]),
        "extremes": {title: _extreme(sound, column, small) for title, column, small in EXTREMES},
        "copies": _copies(manifest),
        "reasons": [dict(reason) for reason in common_reasons(manifest)],
        "rejected_files": _rejected_files(rejected),
    }


def as_text(data: dict[str, Any], folder: Path | FileSource) -> str:
    """The analysis for people."""
    lines = [
        f"Pictures in {folder}",
        "",
        f"{data['files']:,} files, {data['megabytes']:,.1f} MB: {', '.join(outcomes(data))}.",
    ]
    if data["usable"]:
        lines += ["", *_about_files(data), "", *_about_looks(data), ""]
        lines += [
            f"{title.capitalize():15}{', '.join(printable(path, _NAME) for path in paths[:3])}"
            for title, paths in data["extremes"].items()
        ]
    if data["copies"]:
        lines += ["", "Exact duplicates (the same pixels)", *_about_copies(data["copies"])]
    if data["reasons"]:
        lines += ["", "Why files were rejected", *_about_reasons(data)]
    return "\n".join(lines) + "\n"


def _about_files(data: dict[str, Any]) -> list[str]:
    size, side, shapes, dates = (data[name] for name in ("megapixels", "longer_side", "shapes", "dates"))
    lines = [
        f"Formats        {_listing(data['formats'])}",
        f"Size           {side['median']:,.0f} pixels on the longer side ({side['min']:,.0f} to "
        f"{side['max']:,.0f}), {size['median']:,.2f} megapixels ({size['min']:,.2f} to {size['max']:,.2f})",
        f"Shape          {_listing(shapes)}",
    ]
    if dates["known"]:
        lines.append(
            f"Taken          {dates['first'][:10]} to {dates['last'][:10]} ({dates['known']:,} dated)"
        )
    if data["cameras"]:
        lines.append(f"Cameras        {_listing(dict(list(data['cameras'].items())[:5]))}")
    if data["colours"]:
        lines.append(f"Main colours   {' '.join(data['colours'])}")
    return lines


def _about_looks(data: dict[str, Any]) -> list[str]:
    lines = [f"{'':15}{'5 %':>9}{'median':>9}{'95 %':>9}"]
    for name in _MEASURES:
        spread = data["looks"][name]
        digits = 2 if spread["p95"] < 2 else 1 if spread["p95"] < 200 else 0
        values = (f"{spread[key]:9,.{digits}f}" for key in ("p5", "median", "p95"))
        lines.append(f"{name.capitalize():15}{''.join(values)}")
    return lines


def _about_copies(copies: dict[str, list[str]]) -> list[str]:
    lines = [
        f"  {printable(path, 50)}: {', '.join(printable(other, _NAME) for other in others[:4])}"
        + (f" and {len(others) - 4:,} more" if len(others) > 4 else "")
        for path, others in list(copies.items())[:10]
    ]
    return lines + ([f"  and {len(copies) - 10:,} more pictures with duplicates"] if len(copies) > 10 else [])


def _about_reasons(data: dict[str, Any]) -> list[str]:
    lines = [
        f"  {reason['count']:>6,} x {reason['reason']} ({reason['stage']}), "
        f"such as {printable(reason['example'], _NAME)}"
        for reason in data["reasons"]
    ]
    named = [f"  {printable(file['path'], 60)}: {file['reason']}" for file in data["rejected_files"][:30]]
    more = data["rejected"] - len(named)
    return [*lines, "", "Rejected files", *named, *([f"  and {more:,} more"] if more > 0 else [])]


def _listing(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _counts(values: pd.Series) -> dict[str, int]:
    """How often each value occurs, most frequent first, ties by name."""
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return {str(name): int(count) for name, count in counts.items()}


def _spread(values: Any) -> dict[str, float]:
    """Minimum, median, maximum, and the middle nine tenths; empty if there are no values."""
    numbers = np.asarray(values, float)
    if not len(numbers):
        return {}
    values = np.percentile(numbers, (0, 5, 50, 95, 100)).tolist()
    return dict(zip(("min", "p5", "median", "p95", "max"), values, strict=True))


def _shapes(sound: pd.DataFrame) -> dict[str, int]:
    """How many pictures are upright, square (within a twentieth) or lying."""
    aspect = sound["width"] / sound["height"]
    square = aspect.between(1 / 1.05, 1.05)
    shapes = {
        "landscape": int((~square & (aspect > 1)).sum()),
        "portrait": int((~square & (aspect < 1)).sum()),
        "square": int(square.sum()),
    }
    return {name: count for name, count in shapes.items() if count}


def _dates(taken: pd.Series) -> dict[str, Any]:
    """When the pictures were taken: number of dated ones, first, last, and how many in each year."""
    known = taken.dropna()
    if not len(known):
        return {"known": 0}
    years = known.dt.year.value_counts().sort_index()
    return {
        "known": len(known),
        "first": known.min().isoformat(),
        "last": known.max().isoformat(),
        "years": {str(year): int(count) for year, count in years.items()},
    }


def _colours(dominant: pd.Series) -> list[str]:
    """The eight commonest main colours of the whole folder, brought to a coarse grid to count them."""
    codes = dominant[dominant != ""].str.slice(1, 7)
    cells = codes.map(lambda code: tuple(int(code[at : at + 2], 16) // 43 for at in (0, 2, 4)))
    largest = cells.value_counts().head(8).index
    return [f"#{codes[cells == cell].mode().iloc[0]}" for cell in largest]


def _extreme(sound: pd.DataFrame, column: str, small: bool) -> list[str]:
    """Paths of the pictures with the smallest or largest values, without those that look like one already there."""
    used = sound[sound["outcome"] == USED].sort_values([column, "path"], ascending=[small, True])
    chosen: list[str] = []
    codes: list[int] = []
    for path, phash in zip(used["path"], used["phash"], strict=True):
        code = int(phash, 16)
        if all((code ^ other).bit_count() > _ALIKE_BITS for other in codes):
            chosen.append(path)
            codes.append(code)
        if len(chosen) == PER_EXTREME:
            break
    return chosen


def _rejected_files(rejected: pd.DataFrame) -> list[dict[str, str]]:
    """Path, stage and reason of each, those that claim to be pictures first."""
    order = rejected.assign(other=rejected["stage"] == OTHER).sort_values(["other", "path"], kind="stable")
    return order[["path", "stage", "reason"]].head(_LISTED).to_dict("records")  # type: ignore[return-value]


def _copies(manifest: pd.DataFrame) -> dict[str, list[str]]:
    """Paths of the exact duplicates by the path of the picture that is used."""
    copies = manifest[manifest["outcome"] == DUPLICATE]
    return {str(path): group["path"].tolist() for path, group in copies.groupby("duplicate_of", sort=True)}
