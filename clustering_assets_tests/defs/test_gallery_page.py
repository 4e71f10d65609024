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
    drawn = (
        "return [...document.querySelectorAll('.cluster [data-picture]:has(img)')].map(item => item.title)"
    )
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
    assert viewer.is_displayed() and name in viewer.find_element(By.CSS_SELECTOR, "[role=status]").text
    wait(page, lambda: page.execute_script("return large.naturalWidth") > 240)
    page.execute_script("viewer.close()")
    find.clear()


def test_the_arrow_keys_go_to_the_last_picture_and_back(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    page.execute_script("document.querySelector('#cluster_0 .pictures a').focus()")
    ActionChains(page).send_keys(Keys.ENTER).perform()
    count = page.execute_script("return viewedAmong.length")
    at = "return viewedAmong.indexOf(viewed)"
    ActionChains(page).send_keys(*[Keys.ARROW_RIGHT] * (count + 1)).perform()
    assert page.execute_script(at) == count - 1 > 0
    ActionChains(page).send_keys(Keys.ARROW_LEFT).perform()
    assert page.execute_script(at) == count - 2
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    assert page.execute_script("return document.activeElement.closest('section').id") == "cluster_0"


def heard(page) -> list[tuple[str, str]]:
    """Role and name of everything that a screen reader is given."""
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    ]


def test_a_screen_reader_is_told_what_everything_is(page, first):
    page.execute_script(
        "for (const part of document.querySelectorAll('.cluster > details')) part.open = true"
    )
    table = Outputs(str(first[0].root / "output")).read_table(CLUSTER_ASSIGNMENTS)
    names = dict(table[["path", "cluster_name"]].itertuples(index=False, name=None))
    told = heard(page)
    named = ("button", "link", "searchbox", "slider", "image", "Video", "application", "region", "navigation")
    assert [role for role, name in told if role in named and not name] == []
    assert {f"Video of {name}" for name in names.values()} <= {name for role, name in told if role == "Video"}
    assert set(names.values()) <= {name for role, name in told if role == "region"}
    pictures = {name for role, name in told if role == "image" and ": " in name}
    assert pictures and pictures <= {f"{name}: {path}" for path, name in names.items()}
    assert ("searchbox", "Find a cluster or a file") in told
    assert next(name for role, name in told if role == "application").startswith("Map of the pictures: ")
    assert {f"{name} {size} pictures" for name, size in table["cluster_name"].value_counts().items()} <= {
        name for role, name in told if role == "link"
    }


def test_what_is_found_is_announced(page):
    said = "return document.getElementById('said').textContent"
    find = page.find_element(By.ID, "find")
    find.send_keys(".jpg")
    wait(page, lambda: page.execute_script(said).startswith("Found: 0 clusters and "))
    assert ("status", "") in heard(page), "there before, or nothing that it says later is announced"
    find.send_keys("\ue007")
    assert page.execute_script("return document.activeElement.id") == "found"
    find.clear()
    find.send_keys(" ")
    wait(page, lambda: not page.execute_script(said))
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
