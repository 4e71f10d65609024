"""The gallery of a real update, in a real browser."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clustering_assets_tests.browsers import By, needs_a_browser, opened

pytestmark = [pytest.mark.slow, needs_a_browser]


@pytest.fixture(scope="module")
def page(first, tmp_path_factory) -> Iterator[Any]:
    with opened(tmp_path_factory.mktemp("browser")) as browser:
        browser.get((first[0].root / "output/gallery/index.html").as_uri())
        yield browser


def test_it_opens_without_an_error_and_fetches_nothing_from_elsewhere(page):
    assert page.title == "30 pictures in 3 clusters"
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert any(url.endswith("gallery/index.html") for url in asked)
    assert [url for url in asked if url.startswith(("http", "ws", "ftp"))] == []


def test_every_picture_is_drawn(page):
    broken = page.execute_script(
        "return Promise.all([...document.images].map(shown => { const image = new Image(); image.src = shown.src;"
        " return image.decode().then(() => '', () => shown.alt); }))"
    )
    assert broken and not any(broken)


def test_pointing_at_the_map_shows_the_picture_and_a_click_goes_to_its_cluster(page):
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = page.find_element(By.CSS_SELECTOR, "#map canvas")
    x, y, cluster = page.execute_script(
        "const b = canvas.getBoundingClientRect(); return [left + map.x[0] * scale - b.width / 2,"
        " top_ + map.y[0] * scale - b.height / 2, clusters[points.cluster[0]]]"
    )
    ActionChains(page).move_to_element_with_offset(canvas, round(x), round(y)).perform()
    tip = page.find_element(By.ID, "tip")
    assert tip.is_displayed() and tip.find_elements(By.TAG_NAME, "img")
    ActionChains(page).click().perform()
    assert page.execute_script("return location.hash") == f"#{cluster}"


def test_every_video_plays(page):
    from selenium.webdriver.support.ui import WebDriverWait

    for video in page.find_elements(By.TAG_NAME, "video"):
        page.execute_script("arguments[0].muted = true; arguments[0].play()", video)
        WebDriverWait(page, 30).until(lambda _, video=video: float(video.get_property("currentTime")) > 0.3)
        assert video.get_property("videoWidth") == 320 and video.get_property("error") is None
    assert len(page.find_elements(By.TAG_NAME, "video")) == 3


def test_the_links_lead_to_files_that_are_there(page, first):
    folder = first[0].root / "output/gallery"
    links = [
        link.get_dom_attribute("href")
        for link in page.find_elements(By.CSS_SELECTOR, "header a, .pictures a")
    ]
    inside = [link for link in links if not link.startswith("#")]
    assert len(inside) > 20
    for link in inside:
        assert (folder / link).resolve().is_file(), link
