"""Near duplicates: which copies are found, which pictures are not mistaken for copies, and which one stays."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from clustering_assets.images.duplicates import near_duplicates, positions
from clustering_assets.images.manifest import scan
from clustering_assets.images.perceptual_hash import perceptual_hash

TURNS = {
    "as it is": lambda a: a,
    "turned 90": lambda a: np.rot90(a),
    "turned 180": lambda a: np.rot90(a, 2),
    "turned 270": lambda a: np.rot90(a, 3),
    "mirrored": lambda a: a[:, ::-1],
    "upside down": lambda a: a[::-1],
    "transposed": lambda a: a.transpose(1, 0, 2),
    "transversed": lambda a: a[::-1, ::-1].transpose(1, 0, 2),
}


def bits_between(one: np.ndarray, other: np.ndarray) -> int:
    """Differing bits of two hashes, the second picture turned and mirrored as need be."""
    code = np.array([int(perceptual_hash(one), 16)], np.uint64)
    return min(
        (position ^ int(perceptual_hash(other), 16)).bit_count()
        for position in positions(code).ravel().tolist()
    )


@pytest.fixture
def table(save, encoded, tmp_path):
    """The manifest of pictures given by name, and vectors that stand for embeddings."""

    def build(
        pictures: dict[str, np.ndarray], vectors: dict[str, np.ndarray]
    ) -> tuple[pd.DataFrame, np.ndarray]:
        for name, rgb in pictures.items():
            save(f"pictures/{name}", encoded(np.ascontiguousarray(rgb), "PNG"))
        rows = scan(tmp_path / "pictures")
        return rows, np.array([vectors[name] for name in rows["path"]], np.float32)

    return build


@pytest.fixture
def vector():
    """Vectors that are far apart for different seeds and close for small deviations."""

    def make(seed: int, deviation: float = 0.0) -> np.ndarray:
        base = np.random.default_rng(seed).normal(0, 1, 256)
        return base + deviation * np.random.default_rng(seed + 1000).normal(0, 1, 256)

    return make


@pytest.mark.parametrize("turn", TURNS)
def test_a_hash_recognises_a_picture_in_every_position(turn, photo):
    for seed in range(4):
        rgb = photo(seed, width=512, height=384)
        assert bits_between(rgb, np.ascontiguousarray(TURNS[turn](rgb))) <= 2


def test_hashes_of_different_pictures_are_far_apart(photo):
    pictures = [photo(seed) for seed in range(30)]
    distances = [bits_between(a, b) for i, a in enumerate(pictures) for b in pictures[:i]]
    assert min(distances) >= 10


def test_the_first_position_is_the_hash_itself(photo):
    codes = np.array([int(perceptual_hash(photo(seed)), 16) for seed in range(5)], np.uint64)
    np.testing.assert_array_equal(positions(codes)[0], codes)
    assert positions(codes).shape == (8, 5)


@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_or_mirrored_copy_is_found(turn, photo, table, vector):
    rgb = photo(1)
    pictures = {"a.png": rgb, "b.png": TURNS[turn](rgb), "c.png": photo(2)}
    rows, vectors = table(pictures, {"a.png": vector(1), "b.png": vector(1, 0.8), "c.png": vector(2)})
    assert (near_duplicates(rows, vectors) != "").sum() == 1
    assert near_duplicates(rows, vectors)[2] == ""


def test_a_smaller_copy_gives_way_to_the_larger(photo, table, vector):
    rgb = photo(1, width=640, height=480)
    small = np.asarray(Image.fromarray(rgb).resize((320, 240), Image.Resampling.LANCZOS))
    rows, vectors = table({"a.png": small, "b.png": rgb}, {"a.png": vector(1, 0.1), "b.png": vector(1)})
    assert near_duplicates(rows, vectors).tolist() == ["b.png", ""]


def test_a_blurred_copy_gives_way_to_the_sharp_one_even_if_it_is_larger(photo, table, vector):
    rgb = photo(1, width=640, height=480)
    blurred = np.asarray(Image.fromarray(rgb).resize((960, 720)).filter(ImageFilter.GaussianBlur(6)))
    rows, vectors = table({"a.png": blurred, "b.png": rgb}, {"a.png": vector(1, 0.1), "b.png": vector(1)})
    assert near_duplicates(rows, vectors).tolist() == ["b.png", ""]


def test_exact_copies_need_no_hash_to_be_found(table, vector):
    grey = np.full((40, 40, 3), 90, np.uint8)
    names = ["a.png", "b.png", "c.png"]
    rows, vectors = table(dict.fromkeys(names, grey), {name: vector(i) for i, name in enumerate(names)})
    assert near_duplicates(rows, vectors).tolist() == ["", "a.png", "a.png"]


def test_plain_cards_of_different_colours_are_no_copies(table, vector):
    cards = {
        f"{i}.png": np.full((40, 40, 3), colour, np.uint8)
        for i, colour in enumerate([(200, 0, 0), (0, 0, 200)])
    }
    rows, vectors = table(cards, {name: vector(1) for name in cards})
    assert near_duplicates(rows, vectors).tolist() == ["", ""]


def test_a_hash_alone_convicts_nobody(photo, table, vector):
    rgb = photo(1)
    tinted = (rgb * np.array([1.0, 0.6, 0.5])).astype(np.uint8)
    assert bits_between(rgb, tinted) <= 14
    rows, vectors = table({"a.png": rgb, "b.png": tinted}, {"a.png": vector(1), "b.png": vector(2)})
    assert near_duplicates(rows, vectors).tolist() == ["", ""]
    rows, vectors = table({"a.png": rgb, "b.png": tinted}, {"a.png": vector(1), "b.png": vector(1, 0.1)})
    assert (near_duplicates(rows, vectors) != "").sum() == 1


def page(seed: int) -> np.ndarray:
    """A page of words of random lengths, all pages with the same margins and lines."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (400, 520), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for line in range(40, 480, 18):
        words = ["".join(random.choice(list("aeinorst"), random.integers(2, 9))) for _ in range(8)]
        draw.text((40, line), " ".join(words)[:44], fill="black", font=font)
    return np.asarray(image)


def test_pages_of_text_are_no_copies_of_each_other_but_a_smaller_scan_of_one_is(table, vector):
    pages = {f"{seed}.png": page(seed) for seed in range(4)}
    small = np.asarray(Image.fromarray(page(0)).resize((320, 416), Image.Resampling.LANCZOS))
    assert 2 < bits_between(page(1), page(2)) <= 14
    names = [*pages, "small.png"]
    rows, vectors = table(pages | {"small.png": small}, {name: vector(1, 0.01) for name in names})
    shown = dict(zip(rows["path"], near_duplicates(rows, vectors).tolist(), strict=True))
    assert {shown["0.png"], shown["small.png"]} in ({"", "0.png"}, {"", "small.png"})
    assert [shown[f"{seed}.png"] for seed in (1, 2, 3)] == ["", "", ""]


def test_many_identical_pictures_are_one_group(photo, table, vector):
    base = photo(1)
    pictures = {}
    for i in range(40):
        changed = base.copy()
        changed[0, 0] = i
        pictures[f"{i:02}.png"] = changed
    rows, vectors = table(pictures, {name: vector(1, 0.05) for name in pictures})
    groups = near_duplicates(rows, vectors)
    assert (groups == "").sum() == 1 and len(set(groups)) == 2


def test_rows_and_vectors_must_match(table, vector, photo):
    rows, vectors = table({"a.png": photo(1)}, {"a.png": vector(1)})
    with pytest.raises(ValueError, match="1 rows of the manifest, but 2 vectors"):
        near_duplicates(rows, np.concatenate([vectors, vectors]))


def test_no_pictures_have_no_duplicates(tmp_path):
    assert near_duplicates(scan(tmp_path), np.empty((0, 8), np.float32)).tolist() == []
