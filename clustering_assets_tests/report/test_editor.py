"""Choosing pictures, names and music in the page, in a real browser: what the saved files say to their readers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from clustering_assets.clustering.choices import read_choices
from clustering_assets.clustering.given_names import read_names
from clustering_assets.images.manifest import scan
from clustering_assets.music.pins import read_pins
from clustering_assets.report.page import Editing, UserFile, make_gallery
from clustering_assets.report.samples import MOST
from clustering_assets.storage import write_text
from clustering_assets_tests.browsers import By, needs_a_browser, opened
from clustering_assets_tests.report.test_page import assignments_of, music_of

pytestmark = [pytest.mark.slow, needs_a_browser]

NAMES = ["a.png", 'b, "two".png', "c;d.png", "line\nbreak.png", "=e.png", "u\u0308mlaut.png"]
CHOICES = "# mine\npath;choice\r\n=e.png;must\r\n'a.png;cover\n"


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Any]:
    with opened(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@dataclass
class Editor:
    """A page that is being edited, and the folder that it downloads to."""

    browser: Any
    folder: Path
    manifest: pd.DataFrame

    def pick(self, name: str) -> None:
        self.box(name).send_keys(" ")

    def box(self, name: str) -> Any:
        boxes = self.browser.find_elements(By.CSS_SELECTOR, ".pick input")
        return next(box for box in boxes if box.get_dom_attribute("aria-label") == f"Choose {name}")

    def list_all(self) -> None:
        """Have every picture on the page, not only those that are shown at first."""
        for button in self.browser.find_elements(By.CSS_SELECTOR, "[data-all]"):
            self.browser.execute_script("arguments[0].click()", button)

    def press(self, words: str) -> None:
        from selenium.webdriver.common.keys import Keys

        buttons = self.browser.find_elements(By.TAG_NAME, "button")
        next(
            button for button in buttons if words in (button.text, button.get_dom_attribute("aria-label"))
        ).send_keys(Keys.ENTER)

    def saved(self, name: str) -> Path:
        """The file as it is downloaded."""
        from selenium.webdriver.support.ui import WebDriverWait

        self.press(f"Save {name}.csv")
        path = self.folder / f"{name}.csv"
        WebDriverWait(self.browser, 20).until(lambda _: path.is_file())
        return path

    def said(self) -> str:
        return self.browser.find_element(By.ID, "told").text

    def choices(self, path: Path) -> tuple[dict[str, str], dict[str, str]]:
        read = read_choices(path, self.manifest)
        assert not read.odd
        return dict(read.shown), dict(read.groups)


def edited(browser, folder: Path, images: Path, clusters: list[int], texts: dict[str, str]) -> Editor:
    """The page of some pictures, with the bundles beside it, after the button that begins the editing."""
    manifest = scan(images)
    table = assignments_of(manifest["path"].tolist(), clusters)
    music = music_of(sorted(set(clusters))).assign(second="next.ogg", third="")
    editing = Editing(
        *(
            UserFile(f"out/clusters/{name}.csv", "out/clusters", True, texts.get(name, ""))
            for name in ("choices", "names", "pins")
        ),
        music="../music",
        run="python -m clustering_assets run --again --output out",
    )
    gallery = make_gallery(manifest, table, music, {}, images, editing=editing)
    (folder / "page.html").write_text(gallery.html, encoding="utf-8")
    for name, text in gallery.bundles.items():
        write_text(folder / "pictures" / f"{name}.js", text or "")
    browser.execute_cdp_cmd("Page.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.showDirectoryPicker"}
    )
    browser.get((folder / "page.html").as_uri())
    made = Editor(browser, folder, manifest)
    made.press("Choose pictures, names and music")
    return made


@pytest.fixture
def editor(browser, tmp_path) -> Editor:
    images = tmp_path / "images"
    images.mkdir()
    for number, name in enumerate(NAMES):
        Image.new("RGB", (60, 40), (40 * number, 90, 200)).save(images / name)
    texts = {"choices": CHOICES, "pins": "# pins\ncalm,other.ogg"}
    return edited(browser, tmp_path, images, [0, 0, 0, 1, 1, 1], texts)


def test_choices_made_with_the_keyboard_are_read_as_they_were_meant(editor):
    assert editor.browser.find_element(By.CSS_SELECTOR, "[data-choice=exclude]").get_property("disabled")
    editor.pick("c;d.png")
    editor.pick("line\nbreak.png")
    editor.press("Leave out")
    editor.pick('b, "two".png')
    editor.press("Cover")
    editor.pick("=e.png")
    editor.pick("a.png")
    editor.browser.find_element(By.ID, "together").send_keys('Ann; "B", C')
    editor.press("Together")
    shown, groups = editor.choices(editor.saved("choices"))
    assert shown == {
        "=e.png": "must",
        "c;d.png": "exclude",
        "line\nbreak.png": "exclude",
        'b, "two".png': "cover",
    }
    assert groups == {"=e.png": 'Ann; "B", C', "a.png": 'Ann; "B", C'}
    text = (editor.folder / "choices.csv").read_text(encoding="utf-8")
    assert text.startswith(("# mine\npath;choice\r\n", "# mine\npath;choice\n"))
    assert "run --again --output out" in editor.said() and "out/clusters/choices.csv" in editor.said()
    assert [entry for entry in editor.browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_choice_is_seen_beside_its_picture_and_can_be_taken_back(editor):
    badges = [badge.text for badge in editor.browser.find_elements(By.CSS_SELECTOR, ".chosen") if badge.text]
    assert sorted(badges) == ["cover", "must"]
    editor.browser.find_element(By.CSS_SELECTOR, "#editor summary").send_keys(" ")
    editor.press("Remove must of =e.png")
    editor.pick("a.png")
    editor.press("As it was found")
    assert editor.choices(editor.saved("choices")) == ({}, {})
    assert editor.browser.find_elements(By.CSS_SELECTOR, "#save button") == []


def test_the_keyboard_stays_where_one_works(editor):
    active = "const one = document.activeElement; return one.getAttribute('aria-label') || one.id"
    for name in ("c;d.png", "a.png"):
        editor.pick(name)
    editor.press("Leave out")
    assert editor.said() == "Leave out: 2 pictures."
    assert editor.browser.execute_script(active) == "Choose a.png", "the one that was chosen last"
    editor.browser.find_element(By.CSS_SELECTOR, "#editor summary").send_keys(" ")
    editor.press("Remove must of =e.png")
    assert editor.browser.execute_script(active).startswith("Remove exclude of ")
    for link in editor.browser.find_elements(By.CSS_SELECTOR, "a[href='#editor']"):
        assert link.is_displayed() and link.text == "To your choices"
    covered = (
        "const one = arguments[0]; one.focus(); one.scrollIntoView({block: 'nearest', behavior: 'instant'});"
        "return one.getBoundingClientRect().bottom > document.getElementById('editor').getBoundingClientRect().top"
    )
    for box in editor.browser.find_elements(By.CSS_SELECTOR, ".pick input"):
        assert not editor.browser.execute_script(covered, box)
    editor.saved("choices")
    assert editor.browser.execute_script(active) == "editor"


def test_names_and_tracks_are_saved_for_their_readers(editor):
    name = editor.browser.find_element(By.CSS_SELECTOR, "#cluster_0 .own input[type=text]")
    name.send_keys("Summer, at the lake\t")
    radio = editor.browser.find_element(By.CSS_SELECTOR, "#cluster_1 input[value='next.ogg']")
    radio.send_keys(" ")
    assert read_names(editor.saved("names")) == {0: "Summer, at the lake"}
    assert "Not saved yet: pins.csv" in editor.said()
    assert dict(read_pins(editor.saved("pins"))) == {"calm": "other.ogg", "cluster_1": "next.ogg"}
    players = editor.browser.find_elements(By.CSS_SELECTOR, "#cluster_1 audio")
    assert [player.get_dom_attribute("src") for player in players] == [
        "../music/%3Cslow%3E%20%26%20low.ogg",
        "../music/next.ogg",
    ]


def test_all_pictures_of_a_cluster_are_chosen_also_those_that_are_not_on_the_page(browser, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    names = [f"{number:03d}.png" for number in range(MOST + 30)]
    for number, name in enumerate(names):
        Image.new("RGB", (60, 40), (5 * number, 90, 200)).save(images / name)
    made = edited(
        browser, tmp_path, images, [0] * (len(names) - 1) + [1], {"choices": "# mine\n005.png,must\n"}
    )
    assert len(made.browser.find_elements(By.CSS_SELECTOR, "#cluster_0 [data-picture]")) == MOST
    made.press(f"Choose all {len(names) - 1} pictures of this cluster")
    assert f"{len(names) - 1} chosen" in made.browser.find_element(By.ID, "editor").text
    made.list_all()
    made.pick("020.png")
    made.press("Leave out")
    shown, _ = made.choices(made.saved("choices"))
    assert shown == {name: "exclude" for name in names[:-1] if name != "020.png"}


FOLDER = """
const files = new Map(Object.entries(arguments[0]));
window.kept = files;
window.showDirectoryPicker = async () => ({ name: "clusters", getFileHandle: async name => ({
  getFile: async () => new Blob([files.get(name) || ""]),
  createWritable: async () => {
    let text = "";
    return { write: async part => { text += part; }, close: async () => files.set(name, text) };
  },
}) });
"""


def test_what_came_into_the_file_meanwhile_stays_where_the_browser_may_write_to_it(editor):
    from selenium.webdriver.support.ui import WebDriverWait

    editor.browser.execute_script(FOLDER, {"choices.csv": "c;d.png,must\n" + '"a.png",exclude\n'})
    editor.pick("a.png")
    editor.press("Always show")
    editor.press("Save choices.csv")
    WebDriverWait(editor.browser, 20).until(lambda _: "is saved in clusters" in editor.said())
    (editor.folder / "kept.csv").write_text(
        editor.browser.execute_script("return window.kept.get('choices.csv')")
    )
    assert editor.choices(editor.folder / "kept.csv") == ({"c;d.png": "must", "a.png": "must"}, {})
