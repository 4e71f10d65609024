"""Bursts: of pictures of one view only the best is shown, however the others were taken; unlike ones stay."""

import cv2
import numpy as np
import pandas as pd
import pytest

from clustering_assets.files.local import LocalFolder
from clustering_assets.images.duplicates import near_duplicates
from clustering_assets.images.manifest import scan

WIDTH, HEIGHT = 400, 300


@pytest.fixture
def shoot(save, encoded, tmp_path):
    """Which picture is shown instead of each of some pictures, taken a second apart, with their embeddings."""

    def shown(
        pictures: dict[str, np.ndarray], vectors: dict[str, np.ndarray], seconds: float = 1
    ) -> dict[str, str]:
        folder = tmp_path / "pictures"
        for name, rgb in pictures.items():
            save(f"pictures/{name}", encoded(np.ascontiguousarray(rgb), "JPEG", quality=92))
        rows = scan(folder)
        taken = pd.Timestamp("2024-05-01 12:00") + pd.to_timedelta(seconds * np.arange(len(rows)), "s")
        embeddings = np.array([vectors[name] for name in rows["path"]], np.float32)
        found = near_duplicates(rows.assign(taken_at=taken), embeddings, LocalFolder(folder))
        return dict(zip(rows["path"], found.tolist(), strict=True))

    return shown


def framed(
    rgb: np.ndarray, right: float = 0, down: float = 0, zoom: float = 1, degrees: float = 0
) -> np.ndarray:
    """A view of a larger picture."""
    height, width = rgb.shape[:2]
    move = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, zoom)
    move[:, 2] += (WIDTH - width) / 2 - right * WIDTH, (HEIGHT - height) / 2 - down * HEIGHT
    return cv2.warpAffine(rgb, move, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)


def near(seed: int, cosine: float, of: int = 1) -> np.ndarray:
    """A unit vector that has this cosine to another, given by its number."""
    base, other = np.eye(64)[of], np.eye(64)[seed]
    return cosine * base + np.sqrt(1 - cosine**2) * other


def test_of_a_burst_the_sharp_picture_is_shown(photo, shoot):
    wide = photo(3, width=600, height=450)
    meant = framed(wide)
    shake = np.eye(13, dtype=np.float32) / 13
    pictures = {
        "1 soft.jpg": cv2.GaussianBlur(meant, (0, 0), 3),
        "2 shaken.jpg": cv2.filter2D(meant, -1, shake),
        "3 meant.jpg": meant,
        "4 moved.jpg": cv2.GaussianBlur(framed(wide, 0.08, -0.05, 1.06, 2.5), (0, 0), 1),
        "5 moved and soft.jpg": cv2.GaussianBlur(framed(wide, -0.06, 0.07, 0.95, -2), (0, 0), 2),
    }
    vectors = {name: near(10 + number, 0.55) for number, name in enumerate(pictures)}
    shown = shoot(pictures, vectors)
    assert shown == {name: "" if name == "3 meant.jpg" else "3 meant.jpg" for name in pictures}


def test_without_times_a_picture_that_is_framed_anew_is_known_by_its_embedding(photo, shoot):
    wide = photo(4, width=600, height=450)
    pictures = {
        "a.jpg": framed(wide),
        "b.jpg": cv2.GaussianBlur(framed(wide, 0.09, 0.05, 1.05, 3), (0, 0), 1),
    }
    assert shoot(pictures, {"a.jpg": near(1, 0), "b.jpg": near(2, 0.0)}, seconds=3600)["b.jpg"] == ""
    assert shoot(pictures, {"a.jpg": near(1, 0), "b.jpg": near(2, 0.9)}, seconds=3600)["b.jpg"] in (
        "",
        "a.jpg",
    )
    assert shoot(pictures, {"a.jpg": np.eye(64)[1], "b.jpg": near(2, 0.9)}, seconds=3600)["b.jpg"] == "a.jpg"


def test_unlike_pictures_stay_however_alike_their_embeddings_and_times(photo, shoot):
    pictures = {f"{number}.jpg": photo(number, width=WIDTH, height=HEIGHT) for number in range(8)}
    vectors = {name: near(10 + number, 0.95) for number, name in enumerate(pictures)}
    assert set(shoot(pictures, vectors).values()) == {""}


def test_views_that_share_too_little_stay(photo, shoot):
    wide = photo(5, width=1000, height=400)
    pictures = {"left.jpg": framed(wide, -0.35), "right.jpg": framed(wide, 0.35)}
    assert set(shoot(pictures, {"left.jpg": near(2, 0.95), "right.jpg": near(3, 0.95)}).values()) == {""}


def test_a_slow_pan_does_not_end_in_one_picture(photo, shoot):
    wide = photo(6, width=1200, height=400)
    pictures = {f"{step}.jpg": framed(wide, -0.6 + 0.2 * step) for step in range(7)}
    shown = shoot(pictures, {name: near(10 + step, 0.95) for step, name in enumerate(pictures)})
    stay = [int(name[0]) for name, better in shown.items() if not better]
    assert len(stay) >= 2
    assert all(abs(int(name[0]) - int(better[0])) <= 2 for name, better in shown.items() if better)


def test_of_equally_sharp_pictures_the_well_exposed_one_is_shown(shoot):
    patches = np.random.default_rng(7).integers(20, 250, (45, 60, 3))
    wide = np.kron(patches, np.ones((10, 10, 1))).astype(np.uint8)
    pictures = {"a dark.jpg": framed(wide, 0.05) // 2, "b.jpg": framed(wide)}
    assert shoot(pictures, {"a dark.jpg": near(2, 0.8), "b.jpg": near(3, 0.8)}) == {
        "a dark.jpg": "b.jpg",
        "b.jpg": "",
    }


def test_a_picture_that_is_gone_belongs_to_no_burst(photo, tmp_path, save, encoded):
    wide = photo(8, width=600, height=450)
    for name, right in (("a.jpg", 0), ("b.jpg", 0.06)):
        save(f"pictures/{name}", encoded(np.ascontiguousarray(framed(wide, right)), "JPEG"))
    rows = scan(tmp_path / "pictures")
    (tmp_path / "pictures" / "a.jpg").unlink()
    vectors = np.array([near(2, 0.95), near(3, 0.95)], np.float32)
    assert near_duplicates(rows, vectors, LocalFolder(tmp_path / "pictures")).tolist() == ["", ""]
