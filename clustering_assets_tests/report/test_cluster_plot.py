import io
import logging

import numpy as np
import pandas as pd
import pytest
from matplotlib.font_manager import FontProperties, findfont, get_font
from PIL import Image

from clustering_assets.report.cluster_plot import plot_clusters, spread_apart
from clustering_assets.report.palette import PALETTE, cluster_styles
from clustering_assets.report.previews import figure_png


@pytest.fixture
def folder(tmp_path):
    for number in range(25):
        Image.new("RGB", (90, 60), (10 * number, 120, 255 - 10 * number)).save(tmp_path / f"{number}.png")
    return tmp_path


def assignments(clusters, each=6, outliers=0):
    random = np.random.default_rng(0)
    ids = np.concatenate([np.repeat(np.arange(clusters), each), np.full(outliers, -1)])
    first = np.concatenate([np.arange(clusters) * each, []]).astype(int)
    mark = np.zeros(len(ids), dtype=bool)
    mark[first] = True
    place = random.normal(size=(clusters + 1, 2))[ids] + random.normal(0, 0.2, (len(ids), 2))
    return pd.DataFrame(
        {
            "path": [
                f"{i}.png" if m else f"none{n}.png" for n, (i, m) in enumerate(zip(ids, mark, strict=True))
            ],
            "cluster": ids,
            "cluster_name": [f"name of {i}" if i >= 0 else "unclustered" for i in ids],
            "silhouette": np.where(ids >= 0, random.uniform(-0.2, 0.8, len(ids)), np.nan),
            "is_representative": mark,
            "x": place[:, 0],
            "y": place[:, 1],
        }
    )


def texts(figure):
    return " | ".join(t.get_text() for axes in figure.axes for t in axes.texts) + "".join(
        t.get_text() for t in figure.texts
    )


def draw(figure):
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return Image.open(data)


def test_the_figure_names_and_counts_every_cluster(folder):
    figure = plot_clusters(assignments(3, outliers=4), folder)
    shown = texts(figure)
    assert all(f"name of {i}" in shown for i in range(3))
    assert shown.count("6 images") == 3
    assert "unclustered" in shown
    assert "22 images in 3 clusters" in shown


def test_the_figure_is_drawn_on_an_opaque_ground(folder):
    picture = draw(plot_clusters(assignments(2), folder)).convert("RGBA")
    assert picture.size == (1600, 900)
    assert picture.getchannel("A").getextrema() == (255, 255)


@pytest.mark.parametrize("days", [1, 3, 400])
def test_the_map_of_events_has_dates_and_hours_beside_it(folder, days):
    table = assignments(2)
    table["x"], table["y"] = 19857 + np.linspace(0, days - 1, 12).round(), [*np.linspace(-7, -21, 11), -25]
    figure = plot_clusters(table, folder, timeline=True)
    assert draw(figure).size == (1600, 900)
    axes = figure.axes[0]
    assert {"9:00", "21:00", "no time"} <= {label.get_text() for label in axes.get_yticklabels()}
    assert any(label.get_text() for label in axes.get_xticklabels())
    assert "202" in axes.xaxis.get_offset_text().get_text() + "".join(
        label.get_text() for label in axes.get_xticklabels()
    )


@pytest.mark.parametrize("clusters", [1, 20, 25])
def test_any_number_of_clusters_can_be_drawn(folder, clusters):
    assert draw(plot_clusters(assignments(clusters), folder)).size == (1600, 900)


def test_clusters_beyond_the_rows_are_counted(folder):
    figure = plot_clusters(assignments(25), folder)
    assert any("5 smaller clusters with 30 images" in axes.get_title(loc="left") for axes in figure.axes)


def test_a_thumbnail_shows_the_medoid(folder):
    from matplotlib.offsetbox import AnnotationBbox

    figure = plot_clusters(assignments(3), folder)
    assert sum(isinstance(child, AnnotationBbox) for child in figure.axes[0].get_children()) == 3


def test_a_picture_that_is_gone_costs_only_its_thumbnail(folder, caplog):
    (folder / "1.png").unlink()
    with caplog.at_level(logging.WARNING, "clustering_assets.clustering"):
        figure = plot_clusters(assignments(3), folder)
    assert draw(figure).size == (1600, 900)
    assert "1.png" in caplog.text


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_pictures_can_be_drawn(folder, rows):
    assert draw(plot_clusters(assignments(1).head(rows), folder)).size == (1600, 900)


def test_only_unclustered_pictures_can_be_drawn(folder):
    assert draw(plot_clusters(assignments(0, outliers=5), folder)).size == (1600, 900)


def lab(colours):
    """CIE L*a*b* (n, 3), D65, of colours such as "#aabbcc"."""
    levels = np.array([[int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)] for code in colours])
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    xyz = linear @ np.array(to_xyz).T / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), (903.3 * xyz + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def ciede2000(one, other):
    """Colour difference after Sharma, Wu and Dalal, 2005 (doi 10.1002/col.20070), of every pair of two tables."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one[:, None], -1, 0), np.moveaxis(other[None], -1, 0)
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean**7 / (mean**7 + 25**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    light, c, h = (l1 + l2) / 2, (c1 + c2) / 2, h1 + turn / 2
    weights = ((1, 0, 0), (-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.2, 4, -63))
    t = sum(weight * np.cos(np.radians(times * h + at)) for weight, times, at in weights)
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    rest = np.sqrt(c**7 / (c**7 + 25**7)) * np.sin(np.radians(60 * np.exp(-((((h % 360) - 275) / 25) ** 2))))
    d_l, d_c, d_h = (l2 - l1) / sl, (c2 - c1) / sc, hue / sh
    return np.sqrt(d_l**2 + d_c**2 + d_h**2 - 2 * rest * d_c * d_h)


def test_the_colour_difference_is_that_of_the_paper():
    pairs = np.array(
        [
            [[50, 2.6772, -79.7751], [50, 0, -82.7485]],
            [[22.7233, 20.0904, -46.694], [23.0331, 14.973, -42.5619]],
        ]
    )
    found = [float(ciede2000(one[None], other[None])[0, 0]) for one, other in pairs]
    np.testing.assert_allclose(found, [2.0425, 2.0373], atol=1e-4)


def test_twenty_clusters_are_told_apart_by_colour():
    styles = cluster_styles(range(20))
    apart = ciede2000(*[lab([style.colour for style in styles.values()])] * 2)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= 15
    grounds = ciede2000(lab(PALETTE), lab(["#ffffff", "#8a8f98", "#1c2029"]))
    assert grounds.min() >= 12, "on white paper, in the dark and beside the unclustered"


def test_a_cluster_keeps_its_style_when_others_come_and_go():
    few, many = cluster_styles([2, 5, 7, -1]), cluster_styles([0, 2, 3, 5, 6, 7, 8, 30])
    assert all(few[number] == many[number] for number in (2, 5, 7))
    assert len({style.colour for style in cluster_styles([3, 23, 43, 4]).values()}) == 4
    assert len(set(cluster_styles(range(40)).values())) == 40


def test_thumbnails_do_not_hide_one_another():
    spots = np.random.default_rng(1).uniform(400, 500, (9, 2))
    spread = spread_apart(spots, 60, np.array([900.0, 700.0]))
    gap = np.abs(spread[:, None] - spread[None]).max(axis=2)
    np.fill_diagonal(gap, np.inf)
    assert gap.min() > 50
    assert spread.min() >= 30


def drawn(name, folder):
    """The texts of a figure of which the first cluster has this name, after drawing it."""
    table = assignments(2)
    table.loc[table["cluster"] == 0, "cluster_name"] = name
    figure = plot_clusters(table, folder)
    figure_png(figure)
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Straße\U0010fffd und Meer", "0  Straße und Meer"),
        ("\U0010fffd\U0010fffe", "0  cluster_0"),
        ("a \U0010fffd\U0010fffe\U0010fffc", "0  cluster_0"),
        ("two\nlines", "0  two lines"),
        (r"$5 \frac and $6", r"0  $5 \frac and $6"),
    ],
)
def test_any_name_is_drawn_without_a_warning(name, shown, folder, caplog):
    assert shown in drawn(name, folder)
    assert not [record for record in caplog.records if "findfont" in record.message]


@pytest.mark.filterwarnings("error")
def test_letters_of_another_font_are_drawn_with_it(folder):
    usual = get_font(findfont(FontProperties(weight="bold"))).get_charmap()
    other = get_font(findfont(FontProperties(family="STIXGeneral", weight="bold"))).get_charmap()
    rare = chr(next(code for code in other if code not in usual and chr(code).isprintable()))
    assert f"0  a {rare} b" in drawn(f"a {rare} b", folder)


@pytest.mark.parametrize("long", ["holidays in the mountains " * 9, "W" * 4000])
def test_a_name_is_cut_to_the_room_that_there_is(long, folder):
    table = assignments(2)
    table.loc[table["cluster"] == 0, "cluster_name"] = long
    figure = plot_clusters(table, folder, title=long)
    figure_png(figure)
    heading, legend = figure.texts[0], figure.axes[1]
    name = next(text for text in legend.texts if text.get_text().startswith(f"0  {long[:8]}"))
    assert name.get_text().endswith("…")
    assert 0.8 < name.get_window_extent().x1 / legend.bbox.x1 < 1
    assert heading.get_text().endswith("…")
    assert heading.get_window_extent().x1 < figure.bbox.x1
