"""Colours and markers of clusters, the same in every picture of them."""

from collections.abc import Collection
from typing import NamedTuple

from clustering_assets.clustering.keys import UNCLUSTERED

PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#56b4e9",
    "#cc79a7",
    "#b5a800",
    "#332288",
    "#882255",
    "#f0005a",
    "#4b3cff",
    "#5a7800",
    "#ff9687",
    "#875a4b",
    "#d20fe1",
    "#007878",
    "#c3b4e1",
    "#1e4b2d",
    "#87c3b4",
    "#4b3c00",
)
"""Twenty colours, no two nearer than 15 by CIEDE2000. The first nine are those of Okabe and Ito (2008) and of Paul
Tol's muted scheme (SRON technical note EPS/TN/09-002), which colour-blind readers tell apart, the yellow darkened to
show on white; the others were sought as far from all of them as can be."""

GREY = "#8a8f98"
"""Colour of unclustered pictures."""

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
"""Shapes: another one for each ten clusters."""


class Style(NamedTuple):
    """Colour and marker of a cluster."""

    colour: str
    marker: str


def cluster_styles(clusters: Collection[int]) -> dict[int, Style]:
    """The style of each cluster, by its number.

    It goes with the number, so a cluster keeps it when others come or go. Where two numbers ask for one colour, the
    greater one takes the next that is free; so up to twenty clusters differ in colour.

    Args:
        clusters: Their numbers; -1 for the unclustered, which are grey.
    """
    size = len(PALETTE)
    used = [0] * size
    styles = {}
    for number in sorted(set(clusters)):
        if number == UNCLUSTERED:
            styles[number] = Style(GREY, "x")
            continue
        slot = min(((number + step) % size for step in range(size)), key=lambda place: used[place])
        shape = slot * 2 // size + 2 * used[slot]
        styles[number] = Style(PALETTE[slot], MARKERS[shape % len(MARKERS)])
        used[slot] += 1
    return styles
