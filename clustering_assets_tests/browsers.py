"""A real browser, where this machine has one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
except ImportError:  # the extra `dev` brings selenium
    webdriver, By = None, None

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")

FLAGS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "no-first-run",
    "disable-background-networking",
    "window-size=1200,900",
)

needs_a_browser = pytest.mark.skipif(
    not (webdriver and CHROMIUM and DRIVER), reason="no Chromium with its driver on this machine"
)


@contextmanager
def opened(profile: Path) -> "Iterator[webdriver.Chrome]":
    """A browser without a window that notes what its pages fetch and complain about."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        yield browser
    finally:
        browser.quit()
