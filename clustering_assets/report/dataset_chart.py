"""The figure of the dataset analysis: histograms, the extremes as small pictures, the rejected files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clustering_assets.files.source import FileSource, printable
from clustering_assets.images.manifest import REJECTED
from clustering_assets.report.thumbnails import shrink_pictures
from clustering_assets.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

EXTREMES = (
    ("brightest", "brightness", False),
    ("darkest", "brightness", True),
    ("most colourful", "colourfulness", False),
    ("sharpest", "sharpness", False),
    ("blurriest", "sharpness", True),
)
"""What the contact sheet shows: title, column, and whether small values come first."""


_INK, _SOFT, _LINE, _ACCENT, _WARNING = "#1f2933", "#6b7785", "#d9dfe5", "#3d6b9e", "#b5483a"
_NO_PICTURE = "#ececec"
_TILE, _GAP = 150, 6
_REJECTED_ROWS = 12


def draw(manifest: pd.DataFrame, data: dict[str, Any], folder: Path | FileSource) -> "Figure":
    """The figure of an analysis.

    Args:
        manifest: The manifest that was analysed.
        data: What `summarise` says of it.
        folder: Where the pictures of the contact sheet are.

    Returns:
        A figure of its own, not known to pyplot, 14 inches wide at 100 dpi.
    """
    from matplotlib.figure import Figure

    sound = manifest[manifest["outcome"] != REJECTED]
    reasons = _rejected_rows(data)
    below = 0.55 + 0.26 * len(reasons) if reasons else 0.0
    strips = 1.3 * len(data["extremes"]) if len(sound) else 0.0
    charts = 5.2 if len(sound) else 0.0
    height = 1.2 + charts + strips + below + 0.3
    figure = Figure(figsize=(14, height), dpi=100, facecolor="white")
    _title(figure, data, folder, height)
    top = 1.2
    if len(sound):
        _charts(figure, sound, data, height, top)
        _contact_sheet(figure, sound, data["extremes"], folder, height, top + charts)
    if reasons:
        _rejected(figure, reasons, data, height, top + charts + strips)
    return figure


def _title(figure: "Figure", data: dict[str, Any], folder: Path | FileSource, height: float) -> None:
    figure.text(
        0.04,
        1 - 0.45 / height,
        _plain(Path(str(folder)).name or str(folder)),
        size=20,
        weight="bold",
        color=_INK,
    )
    words = f"{data['files']:,} files, {data['megabytes']:,.0f} MB    {'  ·  '.join(outcomes(data))}"
    figure.text(0.04, 1 - 0.78 / height, words, size=12, color=_SOFT)


def _charts(figure: "Figure", sound: pd.DataFrame, data: dict[str, Any], height: float, top: float) -> None:
    """Two rows of four charts."""
    grid = figure.add_gridspec(
        2, 4, left=0.04, right=0.97, top=1 - (top + 0.25) / height, bottom=1 - (top + 4.75) / height,
        wspace=0.22, hspace=0.55,
    )  # fmt: skip
    axes = [figure.add_subplot(grid[row, column]) for row in range(2) for column in range(4)]
    longer = sound[["width", "height"]].max(axis=1).to_numpy(float)
    _histogram(axes[0], longer, "Longer side (pixels)", logarithmic=longer.max() > 4 * longer.min())
    _aspects(axes[1], sound)
    _bars(axes[2], data["formats"], "Formats")
    draw_dates(axes[3], sound["taken_at"].dropna())
    _histogram(axes[4], sound["brightness"], "Brightness (mean L*)", (0, 100), colours="Greys_r")
    _histogram(axes[5], sound["colourfulness"], "Colourfulness (Hasler & Süsstrunk)", colours="YlOrRd")
    _histogram(axes[6], sound["contrast"], "RMS contrast")
    _histogram(axes[7], np.maximum(sound["sharpness"], 1), "Sharpness (Laplacian variance)", logarithmic=True)


def _bare(axes: "Axes", title: str) -> None:
    """An empty chart; upwards go whole numbers of pictures."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_title(title, loc="left", size=11, color=_INK, pad=6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_LINE)
    axes.tick_params(which="both", colors=_SOFT, labelsize=9, length=0)
    axes.grid(axis="y", color=_LINE, linewidth=0.6)
    axes.set_axisbelow(True)


def _histogram(
    axes: "Axes",
    values: Any,
    title: str,
    limits: tuple[float, float] | None = None,
    logarithmic: bool = False,
    colours: str = "",
) -> None:
    """A histogram with its median marked; bars take the colour that their value stands for."""
    from matplotlib import colormaps

    _bare(axes, title)
    numbers = np.asarray(values, float)
    low, high = limits or (float(numbers.min()), float(numbers.max()))
    if high <= low:
        low, high = low * 0.9, high * 1.1 + 1e-9
    edges = np.geomspace(max(low, 1e-6), high, 25) if logarithmic else np.linspace(low, high, 25)
    _, _, bars = axes.hist(numbers, edges.tolist(), color=_ACCENT, edgecolor="white", linewidth=0.6)
    if colours:
        shades = colormaps[colours](np.linspace(0.08, 0.92, 24))
        for bar, shade in zip(bars, shades, strict=True):  # type: ignore[arg-type]
            bar.set(facecolor=shade, edgecolor=_SOFT, linewidth=0.4)
    if logarithmic:
        axes.set_xscale("log")
        _plain_decades(axes, low, high)
    axes.set_ylim(top=1.14 * max(axes.get_ylim()[1], 1))  # room for the words
    median = float(np.median(numbers))
    axes.axvline(median, color=_WARNING, linewidth=1.2)
    label = f"{median:,.0f}" if median >= 10 else f"{median:.2f}"
    axes.annotate(
        f"median {label}", (0.99, 0.98), xycoords="axes fraction", ha="right", va="top", size=9, color=_WARNING,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.8},
    )  # fmt: skip


def _plain_decades(axes: "Axes", low: float, high: float) -> None:
    """Ticks of a logarithmic axis as plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    steps = [m * 10.0**e for e in range(-1, 8) for m in (1, 2, 5)]
    inside = [step for step in steps if low * 0.99 <= step <= high * 1.01]
    while len(inside) > 5:
        inside = inside[::2]
    axes.xaxis.set_major_locator(FixedLocator(inside or [low, high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _aspects(axes: "Axes", sound: pd.DataFrame) -> None:
    """Width over height on a logarithmic axis, so that upright and lying pictures are mirror images."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

    _bare(axes, "Width : height")
    aspect = (sound["width"] / sound["height"]).clip(1 / 3, 3)
    axes.hist(aspect, np.geomspace(1 / 3, 3, 32).tolist(), color=_ACCENT, edgecolor="white", linewidth=0.6)
    axes.set_xscale("log")
    names = {9 / 16: "9:16", 3 / 4: "3:4", 1: "1:1", 4 / 3: "4:3", 16 / 9: "16:9", 3: "3:1"}
    axes.xaxis.set_major_locator(FixedLocator(list(names)))
    axes.xaxis.set_major_formatter(FixedFormatter(list(names.values())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def _bars(axes: "Axes", counts: dict[str, int], title: str) -> None:
    """Lying bars with their numbers, the seven largest."""
    _bare(axes, title)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    names, numbers = list(counts)[:7], list(counts.values())[:7]
    axes.barh(range(len(names)), numbers, color=_ACCENT, height=0.62)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 4) - 0.4, -0.6)
    axes.set_xlim(0, max(numbers) * 1.22)
    axes.set_xticks([])
    axes.tick_params(axis="y", colors=_INK)
    for row, number in enumerate(numbers):
        axes.text(number + max(numbers) * 0.02, row, f"{number:,}", va="center", size=9, color=_SOFT)


def draw_dates(axes: "Axes", taken: pd.Series) -> None:
    """When the pictures were taken (all times known), or the word that none is dated."""
    _bare(axes, "Time taken")
    if taken.empty:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.text(0.5, 0.5, "no picture is dated", ha="center", va="center", size=11, color=_SOFT)
        return
    from matplotlib.dates import HOURLY, MINUTELY, MONTHLY, SECONDLY, AutoDateLocator, ConciseDateFormatter

    axes.hist(taken.dt.to_pydatetime(), bins=24, color=_ACCENT, edgecolor="white", linewidth=0.6)
    locator = AutoDateLocator(minticks=3, maxticks=6)
    # without these there are lengths of time for which it finds no interval, and warns
    for frequency, whole in ((MONTHLY, 12), (HOURLY, 24), (MINUTELY, 60), (SECONDLY, 60)):
        locator.intervald[frequency] = [*locator.intervald[frequency], whole]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _contact_sheet(
    figure: "Figure",
    sound: pd.DataFrame,
    extremes: dict[str, list[str]],
    folder: Path | FileSource,
    height: float,
    top: float,
) -> None:
    """One strip of small pictures for each extreme, with the values of its first and last."""
    rows = sound.set_index("path")
    columns = {title: column for title, column, _ in EXTREMES}
    paths = list(dict.fromkeys(path for strip in extremes.values() for path in strip))
    tiles, _ = shrink_pictures(paths, folder, (_TILE, _TILE), title="Contact sheet", cropped=True)
    for row, (title, strip) in enumerate(extremes.items()):
        above = top + 0.1 + 1.3 * row
        axes = figure.add_axes((0.155, 1 - (above + 1.2) / height, 0.83, 1.2 / height))
        axes.imshow(
            _side_by_side([tiles.get(path) for path in strip]), interpolation="antialiased", aspect="equal"
        )
        axes.set_anchor("W")
        axes.axis("off")
        values = rows.loc[[strip[0], strip[-1]], columns[title]]
        words = f"{columns[title]} {' to '.join(f'{value:,.0f}' for value in values)}"
        figure.text(0.04, 1 - (above + 0.52) / height, title.capitalize(), size=11, color=_INK, va="center")
        figure.text(0.04, 1 - (above + 0.74) / height, words, size=8.5, color=_SOFT, va="center")


def _side_by_side(tiles: Sequence["Image.Image | None"]) -> "Image.Image":
    """The tiles in a row, each with a thin line around it, so that white pictures are seen on white; grey for None."""
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (len(tiles) * (_TILE + _GAP) - _GAP, _TILE), "white")
    pen = ImageDraw.Draw(strip)
    for place, tile in enumerate(tiles):
        left = place * (_TILE + _GAP)
        box = (left, 0, left + _TILE - 1, _TILE - 1)
        pen.rectangle(box, fill=_NO_PICTURE)
        if tile is not None:
            strip.paste(tile, (left, 0))
        pen.rectangle(box, outline=_LINE)
    return strip


def outcomes(data: dict[str, Any]) -> list[str]:
    """How many files are used, duplicates and rejected, in words."""
    return [
        f"{data['used']:,} used",
        counted(data["duplicates"], "duplicate"),
        f"{data['rejected']:,} rejected{_others(data)}",
    ]


def _others(data: dict[str, Any]) -> str:
    """How many of the rejected files are no pictures and never said so, in brackets; nothing if there are none."""
    return f" ({data['others']:,} of them no pictures)" if data["others"] else ""


def _rejected_rows(data: dict[str, Any]) -> list[tuple[str, str]]:
    """What is said on the left and on the right about the rejected: each file if they are few, else each reason."""
    if data["rejected"] <= _REJECTED_ROWS:
        return [(_plain(file["path"], 60), _plain(file["reason"], 90)) for file in data["rejected_files"]]
    return [
        (f"{reason['count']:,} × {_plain(reason['reason'], 52)}", f"such as {_plain(reason['example'], 80)}")
        for reason in data["reasons"]
    ]


def _rejected(
    figure: "Figure", rows: list[tuple[str, str]], data: dict[str, Any], height: float, top: float
) -> None:
    """The rejected files."""
    words = f"Rejected: {data['rejected']:,} files{_others(data)}"
    figure.text(0.04, 1 - (top + 0.3) / height, words, size=11, weight="bold", color=_WARNING)
    for row, (left, right) in enumerate(rows):
        at = 1 - (top + 0.6 + 0.26 * row) / height
        figure.text(0.04, at, left, size=9.5, color=_INK)
        figure.text(0.45, at, right, size=9.5, color=_SOFT)


def _plain(text: str, most: int = 80) -> str:
    """Text that Matplotlib draws as it is: one line, no formulas, cut at the end."""
    line = printable(text).replace("$", r"\$")
    return line if len(line) <= most else f"{line[: most - 1]}…"
