"""The page: what it shows, that it stands alone, and that no name of a file can break it."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clustering_assets.clustering.quality import fit_in_words
from clustering_assets.images.manifest import scan
from clustering_assets.report.bundles import EACH, Shelf, bundle, read_bundle
from clustering_assets.report.page import Clip, Editing, UserFile, make_gallery, relative_address
from clustering_assets.report.samples import FEWEST, MOST, choose_pictures, list_pictures
from clustering_assets.report.thumbnails import Thumbnail, collage


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def assignments_of(paths: list[str], clusters: list[int]) -> pd.DataFrame:
    count = len(paths)
    return pd.DataFrame(
        {
            "path": paths,
            "content_hash": [f"{number:032x}" for number in range(count)],
            "cluster": clusters,
            "cluster_name": [f"name {number}" for number in clusters],
            "distance_to_center": np.linspace(0, 1, count),
            "silhouette": np.linspace(0.9, 0.1, count),
            "is_representative": [number not in clusters[:row] for row, number in enumerate(clusters)],
            "typicality": np.linspace(1, 0, count),
            "duplicate_of": "",
            "x": np.linspace(-1, 1, count),
            "y": np.linspace(3, 1, count),
        }
    )


def music_of(clusters: list[int]) -> pd.DataFrame:
    rows = [
        {
            "cluster": number,
            "key": f"cluster_{number}" if number >= 0 else "unclustered",
            "mood": "calm",
            "track": "<slow> & low.ogg",
            "valence": 0.25,
            "arousal": 0.125,
            "brightness": 40.0,
            "colourfulness": 12.0,
            "contrast": 0.2,
            "why": "Dark pictures read as calm.",
        }
        for number in sorted(set(clusters))
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def folder(tmp_path):
    """Six pictures with awkward names, and a file that is no picture."""
    images = tmp_path / "images"
    (images / "sub").mkdir(parents=True)
    names = ["a.png", "b & <b>c.png", 'quote".png', "sub/100% #1?.png", "ümlaut.png", "tall.png"]
    for number, name in enumerate(names):
        size = (40, 400) if name == "tall.png" else (400, 300)
        Image.new("RGB", size, (40 * number, 90, 200 - 30 * number)).save(images / name)
    (images / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    return images


def draw(folder, clusters=(0, 0, 0, 1, 1, -1), columns=None, **options):
    manifest = scan(folder)
    usable = manifest.loc[manifest["outcome"] != "rejected", "path"].tolist()
    table = assignments_of(usable, list(clusters)).assign(**(columns or {}))
    return table, make_gallery(
        manifest, table, music_of(list(clusters)), options.pop("videos", {}), folder, **options
    )


def test_every_cluster_is_shown_with_its_name_music_and_reason(folder):
    _, gallery = draw(folder)
    page = Page(gallery.html)
    shown = [
        section["id"] for section in page.all("section") if "cluster" in (section.get("class") or "").split()
    ]
    assert shown == ["cluster_0", "cluster_1", "unclustered"]
    for text in (
        "name 0",
        "name 1",
        "<slow> & low.ogg",
        "Dark pictures read as calm.",
        "6 pictures in 2 clusters",
    ):
        assert text in page.text
    assert gallery.pictures == 6 and gallery.failures == []


def test_the_page_fetches_nothing_but_its_videos(folder):
    _, gallery = draw(folder, videos={"cluster_0": "../videos/cluster_0_slideshow.mp4"})
    page = Page(gallery.html)
    assert {video["src"] for video in page.all("video")} == {"../videos/cluster_0_slideshow.mp4"}
    drawn = [image["src"] for image in page.all("img") if "src" in image]
    assert drawn and all(source.startswith("data:image/webp;base64,") for source in drawn)
    assert not [script for script in page.all("script") if "src" in script]
    assert all(link["href"].startswith("data:") for link in page.all("link"))
    assert "http" not in re.sub(r"data:[^\"]*", "", gallery.html)


def test_the_fit_is_said_in_words_beside_the_silhouette_of_the_table(folder):
    table, gallery = draw(folder)
    page = Page(gallery.html)
    for _, members in table[table["cluster"] >= 0].groupby("cluster"):
        silhouettes = members["silhouette"].to_numpy()
        assert f"{fit_in_words(silhouettes)} (mean silhouette {silhouettes.mean():.2f})" in page.text


def test_the_film_and_what_is_new_have_a_still_each(folder):
    cover = io.BytesIO()
    Image.new("RGB", (1280, 720), (250, 120, 10)).save(cover, "JPEG")
    film, news = "../videos/album_film.mp4", Clip("../videos/whats_new.mp4", cover.getvalue())
    _, gallery = draw(folder, film=film, news=news)
    stills = {video["src"]: video["poster"] for video in Page(gallery.html).all("video")}
    assert set(stills) == {film, news.url}
    for poster in stills.values():
        with Image.open(io.BytesIO(base64.b64decode(poster.partition(",")[2]))) as still:
            assert still.format == "WEBP" and still.size == (640, 360)
    assert {"film-name", "news-name"} <= {link.get("id") for link in Page(gallery.html).all("a")}


@pytest.mark.parametrize("cover", [b"", b"\xff\xd8\xff\xe0 cut"])
def test_what_is_new_is_shown_without_a_still_where_its_cover_is_none(folder, cover):
    _, gallery = draw(folder, news=Clip("../videos/whats_new.mp4", cover))
    (video,) = Page(gallery.html).all("video")
    assert video["src"] == "../videos/whats_new.mp4" and "poster" not in video


def test_a_cluster_without_a_video_says_so(folder):
    _, gallery = draw(folder, videos={"cluster_0": "../videos/cluster_0_slideshow.mp4"})
    assert gallery.html.count("There is no video") == 2


def test_names_of_files_reach_the_page_as_they_are_and_links_find_them(folder):
    table, gallery = draw(folder, originals="../../images")
    page = Page(gallery.html)
    shown = {item["title"] for item in page.all("li") if "title" in item}
    assert shown == set(table["path"])
    links = [link["href"] for link in page.all("a") if link["href"].startswith("../../images/")]
    assert "../../images/sub/100%25%20%231%3F.png" in links and len(links) == 6


def test_a_picture_that_is_gone_costs_only_itself(folder):
    manifest = scan(folder)
    usable = manifest.loc[manifest["outcome"] != "rejected", "path"].tolist()
    (folder / "a.png").unlink()
    gallery = make_gallery(manifest, assignments_of(usable, [0] * 6), music_of([0]), {}, folder)
    assert [(path, stage) for path, stage, _ in gallery.failures] == [("a.png", "gallery")]
    assert gallery.pictures == 5 and "a.png cannot be read any more" in gallery.html


def test_rejected_files_are_listed_with_their_reason(folder):
    _, gallery = draw(folder)
    page = Page(gallery.html)
    assert "broken.jpg" in page.text and "rejected" in [item.get("id") for item in page.all("details")]


def test_thumbnails_keep_their_shape_and_stay_in_their_box(folder):
    _, gallery = draw(folder)
    sizes = {}
    for image in Page(gallery.html).all("img"):
        if "src" not in image:
            continue
        pixels = Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2])))
        assert pixels.size == (int(image["width"]), int(image["height"]))
        sizes[image["alt"].partition(": ")[2]] = pixels.size
    assert sizes["a.png"] == (213, 160) and sizes["tall.png"] == (16, 160)


def test_the_map_has_every_picture_at_its_place(folder):
    table, gallery = draw(folder)
    points = json.loads(re.search(r"const points = (\{.*\});", gallery.html)[1])
    (likeness,) = json.loads(re.search(r"const maps = (\[.*\]);", gallery.html)[1])
    assert np.all(np.diff(likeness["x"]) > 0) and np.all(np.diff(likeness["y"]) > 0), (
        "y runs downwards on a page"
    )
    paths = json.loads(re.search(r"const pictures = (\{.*\});", gallery.html)[1])["paths"]
    assert [paths[number] for number in points["picture"]] == table["path"].tolist()


def test_the_principal_components_are_one_click_away_where_they_are_known(folder):
    _, before = draw(folder)
    assert not [button for button in Page(before.html).all("button") if "aria-pressed" in button]
    components = {"component_1": np.arange(6.0), "component_2": np.arange(6.0)[::-1]}
    _, gallery = draw(folder, columns=components)
    pressed = [button.get("aria-pressed") for button in Page(gallery.html).all("button")]
    assert [state for state in pressed if state] == ["true", "false"]
    assert "Principal components" in Page(gallery.html).text
    maps = json.loads(re.search(r"const maps = (\[.*\]);", gallery.html)[1])
    assert maps[1]["x"] == [0, 200, 400, 600, 800, 1000] and maps[1]["y"] == maps[1]["x"]


def test_the_map_of_events_goes_by_day_and_hour_and_says_so(folder):
    table, _ = draw(folder)
    moments = table.assign(x=19857.0 + np.arange(6) * 40, y=-np.array([6.0, 9, 12, 15, 18, 25]))
    drawn = make_gallery(scan(folder), moments, music_of([0, 1, -1]), {}, folder, timeline=True).html
    points = json.loads(re.search(r"const maps = (\[.*\]);", drawn)[1])[0]
    assert (max(points["x"]), max(points["y"])) == (1000, 500), "days and hours have no common measure"
    assert np.all(np.diff(points["x"]) > 0) and np.all(np.diff(points["y"]) > 0), "evenings lie below"
    assert "from left to right by its day" in drawn and "similar ones near" not in drawn


def test_one_picture_makes_a_page(tmp_path):
    Image.new("RGB", (30, 20), (200, 30, 30)).save(tmp_path / "only.png")
    gallery = make_gallery(scan(tmp_path), assignments_of(["only.png"], [0]), music_of([0]), {}, tmp_path)
    assert "1 picture in 1 cluster" in Page(gallery.html).text and gallery.pictures == 1


def test_the_same_input_gives_the_same_page(folder):
    assert draw(folder)[1].html == draw(folder)[1].html


@settings(max_examples=40)
@given(
    clusters=st.lists(st.integers(-1, 30), min_size=1, max_size=120),
    budget=st.integers(1, 900),
)
def test_each_cluster_shows_some_of_its_own_pictures_beginning_with_its_representative(clusters, budget):
    table = assignments_of([f"{number}.png" for number in range(len(clusters))], clusters)
    listed = list_pictures(table)
    chosen = choose_pictures(listed, table, budget)
    assert set(chosen) == set(listed) == set(clusters)
    own = table.set_index("path")["cluster"]
    for number, paths in chosen.items():
        assert sorted(listed[number]) == sorted(own[own == number].index)
        assert len(paths) == len(set(paths)) and (own[paths] == number).all()
        assert min(clusters.count(number), FEWEST) <= len(paths) <= MOST
        assert table.set_index("path")["is_representative"][paths[0]]


def test_near_duplicates_are_listed_and_not_shown_at_once():
    table = assignments_of(["a.png", "b.png", "c.png"], [0, 0, 0])
    table.loc[1, "duplicate_of"] = "a.png"
    listed = list_pictures(table)
    assert listed == {0: ["a.png", "b.png", "c.png"]}
    assert choose_pictures(listed, table) == {0: ["a.png", "c.png"]}


def test_of_a_large_folder_each_cluster_lists_an_even_sample_in_proportion_to_its_size():
    table = assignments_of([f"{number:05d}.png" for number in range(9000)], [0] * 8000 + [1] * 990 + [2] * 10)
    listed = list_pictures(table, 1000)
    assert [len(paths) for paths in listed.values()] == [889, 110, 4]
    places = np.array([int(path.partition(".")[0]) for path in listed[0]])
    assert np.diff(places).min() >= 8 and np.diff(places).max() <= 10


def thumbnails_of(contents):
    return {content: Thumbnail(f"data:image/webp;base64,{content}AA=", 9, 6) for content in contents}


class Folder:
    """A folder of bundles, and what was drawn for it."""

    def __init__(self):
        self.files, self.drawn = {}, []

    def bundle(self, groups, unreadable=()):
        def draw(contents):
            self.drawn = list(contents)
            return thumbnails_of(set(contents) - set(unreadable))

        made = bundle(groups, Shelf(list(self.files), self.files.get), draw)
        self.written = [name for name, text in made.texts.items() if text is not None]
        self.files = {name: self.files[name] if text is None else text for name, text in made.texts.items()}
        return made

    def held(self, made):
        return [[list(read_bundle(self.files[name])) for name in names] for names in made.groups]


def test_every_picture_is_in_a_bundle_and_only_new_ones_are_drawn():
    folder, many = Folder(), [f"{number:032x}" for number in range(EACH * 2 + 5)]
    made = folder.bundle([many, ["f" * 32]])
    assert folder.held(made) == [[many[:EACH], many[EACH : 2 * EACH], many[2 * EACH :]], [["f" * 32]]]
    assert len(folder.drawn) == len(many) + 1
    folder.bundle([many, ["f" * 32]])
    assert (folder.drawn, folder.written) == ([], [])
    others = [["e" * 32, *many[1:]], ["f" * 32]]
    made = folder.bundle(others)
    assert folder.drawn == ["e" * 32] and len(folder.written) == 1 and len(folder.files) == 4
    assert [[one for chunk in held for one in chunk] for held in folder.held(made)] == others
    made = folder.bundle([["f" * 32], list(reversed(many[1:]))])
    assert folder.drawn == [] and folder.held(made)[0] == [["f" * 32]]
    assert made.thumbnail(many[7]) == thumbnails_of([many[7]])[many[7]]


def test_a_picture_that_cannot_be_read_is_tried_again_and_shifts_no_other():
    folder, pictures = Folder(), [f"{number:032x}" for number in range(3)]
    made = folder.bundle([pictures], unreadable=pictures[1:2])
    entries = json.loads(f"[{next(iter(folder.files.values())).removeprefix('thumbnails(').strip()[:-2]}]")[1]
    assert [entry and entry[0] for entry in entries] == [pictures[0], None, pictures[2]]
    assert made.thumbnail(pictures[1]) is None
    folder.bundle([pictures], unreadable=pictures[1:2])
    assert folder.drawn == pictures[1:2] and folder.written == []
    folder.bundle([pictures])
    assert folder.drawn == pictures[1:2] and len(folder.written) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alert(1)",
        'thumbnails("a",[["0","javascript:alert(1)",9,6]]);',
        'thumbnails("a",[["0","data:image/webp;base64,AA\\" onload=\\"alert(1)",9,6]]);',
        'thumbnails("a",[["0","data:image/webp;base64,AAAA",-9,6]]);',
        'thumbnails("a",[[1,2]]);',
    ],
)
def test_what_is_no_bundle_of_thumbnails_is_not_believed(text):
    assert read_bundle(text) == {}


@pytest.mark.parametrize("count", range(1, 9))
def test_a_collage_has_no_empty_tile(count):
    sheet = collage([Image.new("RGB", (50, 70), "white")] * count, (640, 360))
    assert sheet.size == (640, 360)
    assert (np.asarray(sheet) > 0).mean() > 0.97


def test_the_way_from_the_page_to_the_pictures(tmp_path):
    page = tmp_path / "my output" / "gallery" / "index.html"
    assert relative_address(tmp_path / "my photos", page) == "../../my%20photos"


def test_what_the_page_is_given_to_edit_is_what_the_files_hold_whatever_they_hold(folder):
    text = 'path,choice\n"</script><b>.jpg",exclude\n'
    files = [UserFile(f"out/{name}.csv", "out", True, text) for name in ("choices", "names", "pins")]
    _, gallery = draw(folder, editing=Editing(*files, music="../../music", run="run it"))
    page = Page(gallery.html)
    assert "edit" in [button.get("id") for button in page.all("button")]
    given = json.loads(re.findall(r"const given = (.*);", gallery.html)[0])
    assert given["files"]["choices"]["text"] == text and given["run"] == "run it"
    assert given["tracks"][0][0]["path"] == "<slow> & low.ogg"
    assert given["tracks"][0][0]["url"] == "../../music/%3Cslow%3E%20%26%20low.ogg"
    assert gallery.html.count("</script>") == 2


def test_without_the_files_there_is_nothing_to_edit(folder):
    assert "editor" not in draw(folder)[1].html
