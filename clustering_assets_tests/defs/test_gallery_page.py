"""The gallery of a real update, in a real browser."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clustering_assets.outputs import Outputs
from clustering_assets.tables import CLUSTER_ASSIGNMENTS
from clustering_assets_tests.browsers import By, needs_a_browser, opened

pytestmark = [pytest.mark.slow, needs_a_browser]


@pytest.fixture(scope="module")
def page(first, tmp_path_factory) -> Iterator[Any]:
    with opened(tmp_path_factory.mktemp("browser")) as browser:
        browser.get((first[0].root / "output/gallery/index.html").as_uri())
        yield browser


def wait(page, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(page, 20).until(lambda _: condition())


def test_it_opens_without_an_error_and_fetches_nothing_from_elsewhere(page):
    assert page.title == "30 pictures in 3 clusters"
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert any(url.endswith("gallery/index.html") for url in asked)
    assert [url for url in asked if url.startswith(("http", "ws", "ftp"))] == []


def test_every_picture_is_drawn(page):
    broken = page.execute_script(
        "return Promise.all([...document.images].filter(shown => shown.src).map(shown => { const image = new Image();"
        " image.src = shown.src; return image.decode().then(() => '', () => shown.alt || shown.src); }))"
    )
    assert broken and not any(broken)


def test_pointing_at_the_map_shows_the_picture_and_a_click_goes_to_its_cluster(page):
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = page.find_element(By.CSS_SELECTOR, "#map canvas")
    for _ in range(2):  # also to the cluster that was gone to before
        page.execute_script("canvas.scrollIntoView({block: 'center', behavior: 'instant'})")
        before = page.execute_script("return scrollY")
        x, y, cluster = page.execute_script(
            "const b = canvas.getBoundingClientRect(); return [left + map.x[0] * scale - b.width / 2,"
            " top_ + map.y[0] * scale - b.height / 2, clusters[owner[0]].key]"
        )
        ActionChains(page).move_to_element_with_offset(canvas, round(x), round(y)).perform()
        tip = page.find_element(By.ID, "tip")
        wait(page, lambda tip=tip: tip.is_displayed() and tip.find_elements(By.TAG_NAME, "img"))
        ActionChains(page).click().perform()
        assert page.execute_script("return location.hash") == f"#{cluster}"
        wait(page, lambda before=before: page.execute_script("return scrollY") > before)


def test_the_map_is_walked_with_the_keyboard_and_says_where_one_is(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key):
        ActionChains(page).send_keys(key).perform()

    page.execute_script("canvas.scrollIntoView({block: 'center', behavior: 'instant'}); canvas.focus()")
    ActionChains(page).move_to_element_with_offset(page.find_element(By.ID, "map"), 0, 0).pause(1).perform()
    press(Keys.ESCAPE)
    press(Keys.ARROW_RIGHT)
    at = page.execute_script("return marked")
    press(Keys.ARROW_LEFT)
    assert page.execute_script("return map.x[marked] < map.x[arguments[0]]", at)
    name = page.execute_script("return pictures.paths[points.picture[marked]]")
    assert name in page.find_element(By.ID, "tip-said").get_property("textContent")
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "#tip img"))
    press(Keys.ESCAPE)
    assert not page.find_element(By.ID, "tip").is_displayed()
    press(Keys.ARROW_DOWN)
    key = page.execute_script("return clusters[owner[marked]].key")
    press(Keys.ENTER)
    assert page.execute_script("return document.activeElement.closest('section').id") == key


def test_all_pictures_are_reached_by_list_and_by_name(page, first):
    every = set(Outputs(str(first[0].root / "output")).read_table(CLUSTER_ASSIGNMENTS)["path"])
    for button in page.find_elements(By.CSS_SELECTOR, "[data-all]"):
        page.execute_script("arguments[0].click()", button)
    drawn = "return [...document.querySelectorAll('.cluster [data-picture] img')].map(image => image.alt)"
    wait(page, lambda: set(page.execute_script(drawn)) == every)
    name = sorted(every)[-1]
    find = page.find_element(By.ID, "find")
    find.send_keys(name.upper())
    wait(
        page,
        lambda: [
            i.get_dom_attribute("title") for i in page.find_elements(By.CSS_SELECTOR, "#found li[title]")
        ],
    )
    assert page.find_element(By.CSS_SELECTOR, "#found li[title]").get_dom_attribute("title").startswith(name)
    page.execute_script("document.querySelector('#found [data-picture] img').click()")
    viewer = page.find_element(By.ID, "viewer")
    assert viewer.is_displayed() and name in viewer.text
    wait(page, lambda: page.execute_script("return large.naturalWidth") > 240)
    page.execute_script("viewer.close()")
    find.clear()


def test_screen_readers_find_their_way(page):
    roles = page.execute_script(
        "return ['header', 'nav[aria-label]', '[role=search]', 'main', 'section[aria-labelledby]', 'h1', '.skip']"
        ".map(what => document.querySelectorAll(what).length)"
    )
    assert all(roles) and roles[5] == 1
    nameless = page.execute_script(
        "return [...document.querySelectorAll('button, a, input, video, canvas')].filter(one =>"
        " !one.closest('[hidden]') && !one.textContent.trim() && !one.getAttribute('aria-label')"
        " && !one.querySelector('img[alt]')?.alt).map(one => one.outerHTML.slice(0, 80))"
    )
    assert nameless == []


def test_every_video_plays(page):
    from selenium.webdriver.support.ui import WebDriverWait

    for video in page.find_elements(By.TAG_NAME, "video"):
        page.execute_script("arguments[0].muted = true; arguments[0].play()", video)
        page.execute_script(
            "const part = arguments[0].closest('details'); if (part) part.open = true;", video
        )
        WebDriverWait(page, 30).until(lambda _, video=video: float(video.get_property("currentTime")) > 0.3)
        assert video.get_property("videoWidth") == 320 and video.get_property("error") is None
    assert len(page.find_elements(By.TAG_NAME, "video")) == 4, "the largest cluster's is at the top, too"


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
