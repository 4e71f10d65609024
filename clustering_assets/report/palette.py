"""Colours and markers of clusters, the same in every picture of them."""

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
    "#44aa99",
)
"""Ten colours that stay apart for colour-blind readers: those of Okabe and Ito (2008) and of Paul Tol's
muted scheme (SRON technical note EPS/TN/09-002), the yellow darkened to show on white."""

GREY = "#8a8f98"
"""Colour of unclustered pictures."""

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
"""Shapes; from the eleventh cluster on the shape tells apart what shares a colour."""


def cluster_colour(position: int) -> str:
    """The colour of the cluster at a position in a legend; grey for -1."""
    return GREY if position == UNCLUSTERED else PALETTE[position % len(PALETTE)]


def cluster_marker(position: int) -> str:
    """The marker of the cluster at a position in a legend; a cross for -1."""
    return "x" if position == UNCLUSTERED else MARKERS[position // len(PALETTE) % len(MARKERS)]
