import io
import logging

import numpy as np
import pandas as pd
import pytest
from matplotlib.font_manager import FontProperties, findfont, get_font
from PIL import Image

from clustering_assets.report.cluster_plot import plot_clusters, spread_apart
from clustering_assets.report.palette import cluster_colour, cluster_marker
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


def test_twenty_clusters_differ_in_colour_or_marker():
    assert len({(cluster_colour(i), cluster_marker(i)) for i in range(20)}) == 20


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
