"""The analysis of a folder: text, data and figure agree with the manifest and survive odd folders."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.images.manifest import scan
from clustering_assets.report.dataset_analysis import analyse, summarise
from clustering_assets.report.dataset_chart import draw_dates


@pytest.fixture
def folder(photo, encoded, save, tmp_path):
    for seed in range(5):
        exif = Image.Exif()
        exif[306] = f"202{seed}:03:04 05:06:07"
        save(f"images/{seed}.jpg", encoded(photo(seed), "JPEG", exif=exif))
    save("images/dark.png", encoded(photo(7) // 8, "PNG"))
    save("images/tall.png", encoded(photo(8, width=100, height=300), "PNG"))
    save("images/copy.png", encoded(photo(8, width=100, height=300), "PNG"))
    save("images/$x_{2}$\n.jpg", b"<html>")
    return tmp_path / "images"


def drawn(figure) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    target = io.BytesIO()
    canvas.print_png(target)
    return np.asarray(Image.open(target).convert("RGB"))


def test_the_data_counts_what_the_manifest_has(folder):
    data = summarise(scan(folder))
    assert (data["files"], data["used"], data["duplicates"], data["rejected"]) == (9, 7, 1, 1)
    assert data["formats"] == {"JPEG": 5, "PNG": 3}
    assert data["shapes"] == {"landscape": 6, "portrait": 2}
    assert data["copies"] == {"copy.png": ["tall.png"]}
    assert data["dates"]["first"] == "2020-03-04T05:06:07"
    assert data["dates"]["years"] == {str(year): 1 for year in range(2020, 2025)}
    assert data["extremes"]["darkest"][0] == "dark.png"
    assert data["rejected_files"] == [{"path": "$x_{2}$\n.jpg", "stage": "format", "reason": "a web page"}]


def test_the_data_is_plain_json(folder):
    data = analyse(scan(folder), folder).data
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_the_text_names_the_counts_and_the_rejected_files(folder):
    text = analyse(scan(folder), folder).text
    for part in ("9 files", "7 used, 1 duplicate, 1 rejected", "JPEG 5, PNG 3", "$x_{2}$?.jpg: a web page"):
        assert part in text
    assert max(map(len, text.splitlines())) <= 160


def test_the_figure_shows_the_pictures(folder):
    figure = analyse(scan(folder), folder).figure
    pixels = drawn(figure)
    assert pixels.shape[1] == 1400
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 5000


def test_the_figure_is_the_same_each_time(folder):
    manifest = scan(folder)
    np.testing.assert_array_equal(
        drawn(analyse(manifest, folder).figure), drawn(analyse(manifest, folder).figure)
    )


def test_a_picture_that_vanished_since_the_scan_leaves_a_grey_tile(folder):
    manifest = scan(folder)
    for path in folder.iterdir():
        path.unlink()
    assert (drawn(analyse(manifest, folder).figure) == 236).all(axis=2).sum() > 10_000


@pytest.mark.parametrize("kind", ["empty", "only rejected", "one picture", "all the same"])
def test_odd_folders_can_be_analysed_too(kind, tmp_path, save, encoded):
    tmp_path.joinpath("odd").mkdir()
    if kind == "only rejected":
        save("odd/a.jpg", b"")
    elif kind == "one picture":
        save("odd/a.png", encoded(Image.new("RGB", (1, 1)), "PNG"))
    elif kind == "all the same":
        for name in "abc":
            save(f"odd/{name}.png", encoded(Image.new("RGB", (50, 50), "red"), "PNG"))
    analysis = analyse(scan(tmp_path / "odd"), tmp_path / "odd")
    assert drawn(analysis.figure).size
    assert json.dumps(analysis.data, allow_nan=False)
    assert analysis.text.startswith("Pictures in ")


def test_files_that_are_no_pictures_are_told_apart_from_failures(photo, encoded, save, tmp_path):
    save("images/a.png", encoded(photo(1), "PNG"))
    save("images/page.jpg", b"<html>404</html>")
    for number in range(20):
        save(f"images/{number}.txt", b"notes")
    manifest = scan(tmp_path / "images")
    analysis = analyse(manifest, tmp_path / "images")
    assert "21 rejected (20 of them no pictures)" in analysis.text
    shown = [text.get_text() for text in analysis.figure.texts]
    assert "Rejected: 21 files (20 of them no pictures)" in shown
    assert shown.index("1 × a web page") < shown.index("20 × not a picture")


def test_the_bars_are_named_and_pictures_are_counted_in_whole_numbers(folder):
    figure = analyse(scan(folder), folder).figure
    figure.canvas.draw()
    charts = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert [label.get_text() for label in charts["Formats"].get_yticklabels()] == ["JPEG", "PNG"]
    ticks = [label.get_text() for label in charts["RMS contrast"].get_yticklabels()]
    assert ticks and all(tick.isdigit() for tick in ticks)


@pytest.mark.filterwarnings("error")
def test_the_time_line_has_a_few_ticks_whatever_time_it_spans():
    from matplotlib.figure import Figure

    for hours in np.geomspace(1 / 1800, 24 * 365 * 60, 150):
        taken = pd.Timestamp("2001-03-05 07:08:09") + pd.to_timedelta(np.linspace(0, hours, 9), unit="h")
        axes = Figure(figsize=(3, 2)).subplots()
        draw_dates(axes, pd.Series(taken))
        assert 1 <= len(axes.get_xticks()) <= 8, hours
