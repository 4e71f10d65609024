"""What the gallery of a large folder costs to make, to make again, to open and to scroll through.

    PYTHONPATH=. python benchmarks/gallery.py [--pictures 20000] [--clusters 12] [--side 500] [--json FILE]

The files are links to forty generated pictures with the spectrum of photos; the tables are made up, so nothing but the
page and its thumbnails is measured. Building is measured in CPU seconds, its threads included, opening in Chromium: the
first paint as the browser notes it, then every picture of the largest cluster by scrolling to its end.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from timing import timed
from updates import photo

from clustering_assets.report.bundles import Shelf
from clustering_assets.report.page import Gallery, make_gallery
from clustering_assets_tests.browsers import opened

DIFFERENT = 40
"""Generated pictures that the files are links to."""

NEW = 200
"""Pictures that come with the second update."""


def make_pictures(folder: Path, count: int, side: int) -> list[str]:
    """Files of a folder, by name."""
    for number in range(DIFFERENT):
        photo(number, side, side * 3 // 4).save(folder / f"source_{number}.jpg", quality=88)
    names = [f"{number // 500:03d}/IMG_{number:05d}.jpg" for number in range(count)]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        os.link(folder / f"source_{number % DIFFERENT}.jpg", folder / name)
    return names


def tables(names: list[str], clusters: int, known: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A ledger, clusters of falling sizes, and their music; of the first `known` pictures."""
    rng, count = np.random.default_rng(0), len(names)
    shares = 0.8 ** np.arange(clusters)
    own = rng.choice(clusters, count, p=shares / shares.sum())
    centres = rng.normal(size=(clusters, 2))
    places = centres[own] + 0.15 * rng.normal(size=(count, 2))
    assignments = pd.DataFrame(
        {
            "path": names,
            "content_hash": [f"{number:032x}" for number in range(count)],
            "cluster": own,
            "cluster_name": [f"cluster of kind {number}" for number in own],
            "silhouette": 0.4,
            "is_representative": ~pd.Series(own).duplicated(),
            "typicality": rng.random(count),
            "duplicate_of": "",
            **dict(zip(("x", "y"), places.T, strict=True)),
        }
    ).head(known)
    ledger = pd.DataFrame(
        {"path": assignments["path"], "outcome": "used", "stage": "", "reason": "", "duplicate_of": ""}
    )
    looks = {"valence": 0.5, "arousal": 0.5, "brightness": 50.0, "colourfulness": 20.0, "contrast": 0.2}
    facts = {"mood": "calm", "track": "a.ogg", "why": "Dark pictures read as calm.", **looks}
    keys = [{"cluster": number, "key": f"cluster_{number}", **facts} for number in range(clusters)]
    return ledger, assignments, pd.DataFrame(keys)


def build(images: Path, out: Path, names: list[str], clusters: int, known: int) -> Gallery:
    """Make the page beside the bundles that are there, and write what is new."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    there = {path.stem: path for path in (out / "pictures").glob("*.js")}
    shelf = Shelf(list(there), lambda name: there[name].read_text())
    page = make_gallery(*tables(names, clusters, known), {}, images, originals="../images", shelf=shelf)
    (out / "index.html").write_text(page.html)
    for name in there.keys() - page.bundles.keys():
        there[name].unlink()
    for name, text in page.bundles.items():
        if text is not None:
            (out / f"pictures/{name}.js").write_text(text)
    return page


def built(images: Path, out: Path, names: list[str], clusters: int, known: int) -> dict[str, float]:
    """What that costs."""
    made: list[Gallery] = []
    cpu, wall = timed(lambda: made.append(build(images, out, names, clusters, known)))
    texts = made[0].bundles.values()
    return {
        "cpu_s": round(cpu, 2),
        "wall_s": round(wall, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "page_mb": round((out / "index.html").stat().st_size / 1e6, 2),
        "bundles": len(texts),
        "bundles_written": sum(text is not None for text in texts),
        "bundles_mb": round(sum(path.stat().st_size for path in (out / "pictures").iterdir()) / 1e6, 1),
    }


def browsed(page: Path, profile: Path) -> dict[str, float]:
    """What a browser notes of opening the page and scrolling through its largest cluster."""
    with opened(profile) as browser:
        browser.execute_cdp_cmd("Performance.enable", {})
        browser.get(page.as_uri())
        time.sleep(3)
        paint = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
        found = {"first_paint_ms": round(browser.execute_script(paint)), **_spent(browser, "opening")}
        begun = time.monotonic()
        browser.execute_script("document.querySelector('[data-all=\"0\"]').click()")
        count = browser.execute_script("return clusters[0].until")
        pictures = "return document.querySelectorAll('#cluster_0 [data-picture]').length"
        while browser.execute_script(pictures) < count:
            browser.execute_script(
                "document.querySelector('#cluster_0 .rest').scrollIntoView({behavior: 'instant'})"
            )
            if time.monotonic() - begun > 300:
                raise SystemExit(f"{browser.execute_script(pictures)} of {count} pictures after five minutes")
        drawn = "return document.querySelectorAll('#cluster_0 [data-picture] img').length"
        while browser.execute_script(drawn) < count and time.monotonic() - begun < 300:
            time.sleep(0.1)
        found |= {"scrolled_pictures": count, "scrolled_wall_s": round(time.monotonic() - begun, 1)}
        return found | _spent(browser, "scrolling")


def _spent(browser: Any, name: str) -> dict[str, float]:
    """Seconds of the page's main thread so far, and its memory."""
    noted = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    metrics = {one["name"]: one["value"] for one in noted}
    return {
        f"{name}_main_thread_s": round(metrics["TaskDuration"], 2),
        f"{name}_heap_mb": round(metrics["JSHeapUsedSize"] / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--clusters", type=int, default=12)
    parser.add_argument("--side", type=int, default=500, help="longer side of the pictures, in pixels")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        images, out = Path(scratch, "images"), Path(scratch, "gallery")
        images.mkdir()
        names = make_pictures(images, given.pictures + NEW, given.side)
        updates = {"first": given.pictures, "nothing new": given.pictures, f"{NEW} new": len(names)}
        for what, known in updates.items():
            found[what] = built(images, out, names, given.clusters, known)
            print(what, found[what], flush=True)
        found["browser"] = browsed(out / "index.html", Path(scratch, "profile"))
        print("browser", found["browser"])
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
