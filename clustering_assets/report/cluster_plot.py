"""The picture of the clusters: every image as a point, medoids as thumbnails, silhouettes beside them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.grouping import NO_TIME
from clustering_assets.clustering.keys import UNCLUSTERED, in_order, partition_key
from clustering_assets.clustering.quality import fit_in_words
from clustering_assets.files.source import FileSource
from clustering_assets.report.palette import cluster_styles
from clustering_assets.report.thumbnails import shrink_pictures
from clustering_assets.video.lettering import cleaned, font, shortened
from clustering_assets.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

log = logging.getLogger("clustering_assets.clustering")

GROUND, PAPER, INK, FAINT = "#f4f5f7", "#ffffff", "#1f2430", "#6b7280"

DPI = 100
"""Pixels per inch of the figure."""

THUMBNAIL = 72
"""Longer side of a thumbnail, in points of 1/100 inch."""

ROWS = 20
"""Clusters with a thumbnail and a row of their own; the smaller ones beyond share the last row."""

POINTS = 20_000
"""Most points drawn; beyond, an even sample stands for all."""


@dataclass(frozen=True)
class _Group:
    """One cluster as it is drawn."""

    cluster: int
    name: str
    rows: NDArray[np.intp]
    colour: str
    marker: str
    representative: str


def plot_clusters(
    table: pd.DataFrame, folder: Path | FileSource, title: str = "", *, timeline: bool = False
) -> "Figure":
    """A figure of 16 by 9 inches: the map of all images on the left, a silhouette for each on the right.

    On the map neighbours look alike (`clustering.map_layout`). Each cluster has an outline around its denser part, its
    medoid's thumbnail with a line to its place, and its number. The right side is the legend too: number, name, count
    and fit of each cluster beside the silhouettes of its images, sorted. Colour, marker and number all tell clusters
    apart, so that none has to be seen; all stay with a cluster when others come or go.

    Args:
        table: Cluster assignments.
        folder: Folder that the paths are relative to, for the thumbnails. A picture that cannot be read goes
            without one.
        title: Heading; a sentence with the counts if empty.
        timeline: Whether the map shows the days and hours of the pictures (`clustering.grouping.time_line`), and the
            right side how many of each cluster there are over time, since looks do not make the clusters then.
    """
    from matplotlib.figure import Figure

    groups = _groups(table)
    figure = Figure(figsize=(16, 9), dpi=DPI, facecolor=GROUND)
    grid = figure.add_gridspec(
        1,
        2,
        width_ratios=(1.75, 1),
        left=0.06 if timeline else 0.025,
        right=0.975,
        top=0.9,
        bottom=0.06,
        wspace=0.04,
    )
    _draw_map(figure.add_subplot(grid[0]), table, groups, folder, timeline=timeline)
    _draw_rows(figure, grid[1], groups, _Times(table["x"]) if timeline else _Silhouettes(table))
    number = sum(group.cluster != UNCLUSTERED for group in groups)
    heading = cleaned(title, bold=True) or f"{counted(len(table), 'image')} in {counted(number, 'cluster')}"
    _write(figure, 0.025, 0.945, heading, 19, 0.95 * 16 * 72)
    return figure


def _groups(table: pd.DataFrame) -> list[_Group]:
    """The clusters in order of id, unclustered last."""
    groups = []
    styles = cluster_styles(table["cluster"])
    for number in in_order(table["cluster"]):
        rows = np.flatnonzero(table["cluster"] == number)
        members = table.iloc[rows]
        medoid = members.loc[members["is_representative"].astype(bool), "path"]
        groups.append(
            _Group(
                number,
                str(members["cluster_name"].iloc[0]),
                rows,
                *styles[number],
                str(medoid.iloc[0]) if len(medoid) else "",
            )
        )
    return groups


def _draw_map(
    axes: "Axes", table: pd.DataFrame, groups: Sequence[_Group], folder: Path | FileSource, *, timeline: bool
) -> None:
    """Points, outlines and thumbnails."""
    axes.set_facecolor(PAPER)
    places = table[["x", "y"]].to_numpy(dtype=float)
    share = min(1.0, POINTS / max(len(table), 1))
    size = float(np.clip(9000 / max(len(table), 1), 4, 42))
    for group in groups:
        rows = group.rows[:: max(1, round(1 / share))]
        marks = {"linewidths": 1.0} if group.marker == "x" else {"linewidths": 0.4, "edgecolors": PAPER}
        axes.scatter(
            *places[rows].T, s=size, c=group.colour, marker=group.marker, alpha=0.75, zorder=2, **marks
        )
        if group.cluster != UNCLUSTERED and not timeline:
            _draw_outline(axes, places[group.rows], group.colour)
    _frame(axes, places)
    if timeline:
        _label_times(axes, places)
    shown = sorted((g for g in groups if g.representative), key=lambda g: -len(g.rows))[:ROWS]
    _draw_thumbnails(axes, table, places, shown, folder)


def _frame(axes: "Axes", places: NDArray[np.float64]) -> None:
    """Limits with a margin, no ticks: the map has no unit that means anything."""
    low, high = places.min(axis=0), places.max(axis=0)
    margin = np.maximum(high - low, 1e-6) * 0.09
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color("#d5d9e0")
    axes.set_xlabel(
        "Pictures near each other look alike; how far apart groups lie says little. "
        "The gallery has this map and the principal components.",
        color=FAINT,
        fontsize=9,
    )


def _label_times(axes: "Axes", places: NDArray[np.float64]) -> None:
    """Dates below, hours at the side, and a word for the pictures of which no time is known."""
    _date_axis(axes, most=8)
    middle, half = sum(axes.get_xlim()) / 2, max(np.ptp(axes.get_xlim()) / 2, 0.6)
    axes.set_xlim(middle - half, middle + half)
    low, high = axes.get_ylim()
    hours = [hour for hour in range(0, 25, 3) if low <= -hour <= high]
    ticks = {-float(hour): f"{hour}:00" for hour in hours} | ({NO_TIME: "no time"} if low <= NO_TIME else {})
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.tick_params(colors=FAINT, labelsize=9)
    axes.set_xlabel("when the images were taken", color=FAINT, fontsize=9)
    axes.set_ylabel("")


def _draw_outline(axes: "Axes", places: NDArray[np.float64], colour: str) -> None:
    """The hull of the 80 % of a cluster's points that are nearest to its median, softly filled."""
    from scipy.spatial import ConvexHull, QhullError

    apart = np.linalg.norm(
        (places - np.median(places, axis=0)) / np.maximum(places.std(axis=0), 1e-9), axis=1
    )
    core = places[apart <= np.quantile(apart, 0.8)]
    if len(core) < 4:
        return
    try:
        corners = core[ConvexHull(core).vertices]
    except QhullError:  # all on one line: there is no area to fill
        return
    axes.fill(*corners.T, facecolor=colour, alpha=0.10, edgecolor=colour, linewidth=0, zorder=1)
    axes.plot(*np.vstack([corners, corners[:1]]).T, color=colour, alpha=0.5, linewidth=1.1, zorder=1)


def _draw_thumbnails(
    axes: "Axes",
    table: pd.DataFrame,
    places: NDArray[np.float64],
    groups: Sequence[_Group],
    folder: Path | FileSource,
) -> None:
    """The medoid of each cluster in a frame of its colour, moved aside where two would overlap."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage
    from matplotlib.patheffects import withStroke

    figure = axes.figure
    number = {path: row for row, path in enumerate(table["path"])}
    box = (2 * THUMBNAIL, 2 * THUMBNAIL)
    pictures, lost = shrink_pictures(
        [group.representative for group in groups], folder, box, title="Cluster plot"
    )
    for path, error in lost:
        log.warning("no thumbnail of %s in the cluster plot: %s", folder / path, error)
    anchors = np.array([places[number[group.representative]] for group in groups]).reshape(-1, 2)
    tops = np.array([np.quantile(places[group.rows], 0.95, axis=0)[1] for group in groups])
    part = axes.get_position()
    extent = np.array([part.width * 1600, part.height * 900])
    low = np.array([axes.get_xlim()[0], axes.get_ylim()[0]])
    span = np.array([axes.get_xlim()[1], axes.get_ylim()[1]]) - low
    side = THUMBNAIL * min(1.0, (12 / max(len(groups), 1)) ** 0.35)
    # above the points of its cluster, so that it hides none of them
    wished = (np.column_stack([anchors[:, 0], tops]) - low) / span * extent + [0, 0.5 * side + 12]
    spots = spread_apart(wished, side + 14, extent)
    for group, anchor, spot in zip(groups, anchors, spots, strict=True):
        place = low + spot / extent * span
        axes.plot(*np.vstack([anchor, place]).T, color=INK, linewidth=1.0, alpha=0.8, zorder=3)
        axes.plot(
            *anchor, marker=group.marker, color=group.colour, markersize=8, markeredgecolor=INK, zorder=4
        )
        picture = pictures.get(group.representative)
        if picture is not None:
            zoom = side / max(picture.size) * 72 / figure.dpi
            image = OffsetImage(np.asarray(picture), zoom=zoom, interpolation="lanczos", resample=True)
            frame = {"edgecolor": group.colour, "linewidth": 3, "boxstyle": "square,pad=0"}
            axes.add_artist(AnnotationBbox(image, tuple(place), pad=0.1, bboxprops=frame, zorder=5))
        width, height = (1.0, 1.0) if picture is None else np.array(picture.size) / max(picture.size)
        corner = place + np.array([-width, height]) * side / 2 / extent * span
        axes.text(
            float(corner[0]),
            float(corner[1]),
            _number(group),
            fontsize=10.5,
            weight="bold",
            color=PAPER,
            ha="center",
            va="center",
            zorder=6,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": group.colour, "edgecolor": PAPER},
            path_effects=[withStroke(linewidth=2, foreground=INK)],
        )


def _number(group: _Group) -> str:
    return "–" if group.cluster == UNCLUSTERED else str(group.cluster)


def spread_apart(
    spots: NDArray[np.float64], side: float, extent: NDArray[np.float64], rounds: int = 400
) -> NDArray[np.float64]:
    """Places near the given ones at which squares of this side hardly overlap and stay inside the extent.

    Args:
        spots: (k, 2) wished places.
        side: Side of the squares.
        extent: (2,) width and height of the area.
        rounds: Rounds of pushing overlapping squares apart.
    """
    wish = spots.copy()
    spots = spots + np.random.default_rng(0).normal(0, 1e-3, spots.shape)
    for step in range(rounds):
        gap = spots[:, None] - spots[None]
        overlap = side - np.abs(gap).max(axis=2)
        np.fill_diagonal(overlap, 0)
        length = np.maximum(np.linalg.norm(gap, axis=2, keepdims=True), 1e-6)
        push = (gap / length * np.maximum(overlap, 0)[:, :, None]).sum(axis=1)
        pull = 0.05 * (1 - step / rounds) * (wish - spots)
        spots = np.clip(spots + 0.35 * push + pull, side / 2, extent - side / 2)
    return spots


class _Silhouettes:
    """The sorted silhouettes of each cluster's images."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.values = table["silhouette"].to_numpy(dtype=float)

    def note(self, group: _Group) -> str:
        """What the legend says of a cluster beside its count."""
        fit = fit_in_words(self._of(group))
        return f", {fit}" if fit else ""

    def draw(self, axes: "Axes", row: int, group: _Group) -> None:
        """One cluster's row."""
        own = self._of(group)
        if len(own):
            line = own if len(own) > 1 else np.repeat(own, 2)
            height = np.linspace(0.36, -0.36, len(line)) - row
            axes.fill_betweenx(height, 0, line, color=group.colour, alpha=0.9, linewidth=0)

    def scale(self, axes: "Axes") -> None:
        """The axis below all rows."""
        axes.axvline(0, color="#c3c8d1", linewidth=0.8, zorder=0)
        known = self.values[np.isfinite(self.values)]
        if len(known):
            axes.set_xlim(min(-0.1, known.min() - 0.02), max(0.3, known.max() + 0.05))
        axes.set_xlabel("fit of each image\n(doubtful below 0)", color=FAINT, fontsize=8)

    def _of(self, group: _Group) -> NDArray[np.float64]:
        own = np.sort(self.values[group.rows])[::-1]
        return own[np.isfinite(own)]


class _Times:
    """How many of each cluster's images there are over time."""

    def __init__(self, days: pd.Series) -> None:
        self.days = days.to_numpy(dtype=float)
        self.edges = np.linspace(self.days.min() - 0.5, self.days.max() + 0.5, 61)

    def note(self, group: _Group) -> str:
        """What the legend says of a cluster beside its count."""
        return ""

    def draw(self, axes: "Axes", row: int, group: _Group) -> None:
        """One cluster's row."""
        counts = np.histogram(self.days[group.rows], self.edges)[0]
        heights = 0.72 * np.sqrt(counts / counts.max())
        axes.bar(
            self.edges[:-1],
            heights,
            np.diff(self.edges),
            bottom=-row - 0.36,
            align="edge",
            color=group.colour,
        )

    def scale(self, axes: "Axes") -> None:
        """The axis below all rows."""
        axes.set_xlim(self.edges[0], self.edges[-1])
        _date_axis(axes, most=4)
        axes.set_xlabel("images over time", color=FAINT, fontsize=9)


def _date_axis(axes: "Axes", most: int) -> None:
    """Dates below, at most so many."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    dates = AutoDateLocator(minticks=2, maxticks=most)
    axes.xaxis.set_major_locator(dates)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(dates))


def _draw_rows(
    figure: "Figure",
    cell: "SubplotSpec",
    groups: Sequence[_Group],
    measure: _Silhouettes | _Times,
) -> None:
    """A row for each cluster: its legend entry, and what is measured of its images beside it."""
    shown = groups[:ROWS]
    grid = cell.subgridspec(1, 2, width_ratios=(1.5, 1), wspace=0)
    legend = figure.add_subplot(grid[0])
    axes = figure.add_subplot(grid[1], sharey=legend)
    for row, group in enumerate(shown):
        _draw_entry(legend, row, group, measure.note(group), len(shown))
        measure.draw(axes, row, group)
    measure.scale(axes)
    axes.set_ylim(-len(shown) + 0.4, 0.6)
    axes.tick_params(axis="x", colors=FAINT, labelsize=9)
    axes.tick_params(axis="y", left=False, labelleft=False)
    legend.set_xlim(0, 1)
    legend.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)
    for part, hidden in ((legend, "right"), (axes, "left")):
        part.set_facecolor(PAPER)
        for name, side in part.spines.items():
            side.set_color("#d5d9e0")
            side.set_visible(name != hidden)
    if len(groups) > len(shown):
        rest = groups[len(shown) :]
        images = counted(sum(len(group.rows) for group in rest), "image")
        text = f"and {counted(len(rest), 'smaller cluster')} with {images}"
        legend.set_title(text, loc="left", fontsize=9.5, color=FAINT)


def _draw_entry(axes: "Axes", row: int, group: _Group, note: str, rows: int) -> None:
    """The legend entry of a cluster: marker, number, name, count and a note."""
    large = rows <= 12
    mark = {"marker": group.marker, "color": group.colour, "markersize": 11 if large else 9}
    axes.plot(0.055, -row, markeredgewidth=2 if group.marker == "x" else 0, **mark)
    count = f"{counted(len(group.rows), 'image')}{note}"
    size = 10.0 if large else 8.8
    width = 0.88 * axes.bbox.width * 72 / DPI
    name = cleaned(group.name, bold=True)
    left, whole = (len("".join(text.split())) for text in (name, group.name))
    if 2 * left < whole or not left:  # the rest of a name would say something else
        name = partition_key(group.cluster)
    gap = 0.012 * rows if large else 0.2  # the two lines stay as far apart however high the row is
    _write(axes, 0.11, gap - row, f"{_number(group)}  {name}", size, width)
    axes.text(0.11, -gap - row, count, fontsize=9 if large else 8, color=FAINT, va="center")


def _write(place: "Figure | Axes", x: float, y: float, line: str, size: float, width: float) -> None:
    """Write a line in bold letters of a size, cut with an ellipsis where it is wider than that; both in points."""
    from matplotlib.font_manager import FontProperties

    letters = font(
        line, round(10 * size), bold=True
    )  # ten times as large, as letters are measured in whole pixels
    style = FontProperties(fname=getattr(letters, "path", None), size=size)
    text = shortened(line, letters, 10 * width)
    place.text(x, y, text, fontproperties=style, color=INK, va="center", parse_math=False)
