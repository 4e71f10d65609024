"""The sample pictures: varied, the same for the same seed, made once."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from clustering_assets.demo import pictures
from clustering_assets.demo.pictures import SCENES, make_pictures, painter_of, plan_pictures, theme_of

COUNT = 2 * len(SCENES)


def _upright(path: Path):
    with Image.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def _flat(rng, width, height):
    """A stand-in for a painter where only files and names matter: a ramp between four corners."""
    corners = Image.fromarray(rng.integers(0, 256, (2, 2, 3), dtype=np.uint8))
    return np.asarray(corners.resize((width, height), Image.Resampling.BILINEAR))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    make_pictures(folder, count=COUNT)
    return folder


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(pictures, "painter_of", lambda scene: _flat)


def test_every_theme_is_there_and_every_file_opens(folder):
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    assert Counter(map(theme_of, files)) == dict.fromkeys(SCENES, 2)
    for path in files:
        height, width = _upright(path).shape[:2]
        assert 448 <= min(width, height) <= max(width, height) <= 1_600


def test_themes_differ_in_brightness_colour_and_contrast(folder):
    """Dark and bright, grey and colourful, flat and hard pictures are all there, so that every mood is met."""
    facts = {}
    for scene in SCENES:
        seen = []
        for path in folder.glob(f"{scene}_*"):
            pixels = _upright(path)[::4, ::4].astype(float) / 255
            grey = pixels @ [0.2126, 0.7152, 0.0722]
            seen.append((grey.mean(), np.ptp(pixels, axis=2).mean(), grey.std()))
        facts[scene] = np.mean(seen, axis=0)
    assert facts["city"][0] < 0.2 < 0.45 < facts["balloons"][0]
    assert facts["fog"][1] < 0.06 and facts["architecture"][1] < 0.03
    assert facts["meadow"][1] > 0.25 and facts["sunset"][1] > 0.15
    assert facts["architecture"][2] > 1.2 * facts["fog"][2]


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_is_the_same_for_the_same_dice_and_different_for_others(scene):
    paint = painter_of(scene)
    first = paint(np.random.default_rng(5), 240, 160)
    assert first.shape == (160, 240, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, paint(np.random.default_rng(5), 240, 160))
    assert not np.array_equal(first, paint(np.random.default_rng(6), 240, 160))


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("size", [(64, 300), (700, 40), (33, 33)])
def test_a_scene_can_be_painted_in_any_shape(scene, size):
    paint = painter_of(scene)
    for seed in range(3):
        assert paint(np.random.default_rng(seed), *size).shape == (size[1], size[0], 3)


def test_the_full_set_is_varied_in_format_and_shape():
    plans = plan_pictures(252, 0)
    assert len({plan.name for plan in plans}) == 252
    kinds = Counter(Path(plan.name).suffix for plan in plans)
    assert set(kinds) == {".jpg", ".png", ".bmp", ".webp"} and min(kinds.values()) >= 3
    shapes = Counter(np.sign(plan.width - plan.height) for plan in plans)
    assert shapes[1] > 100 and shapes[-1] > 50 and shapes[0] > 5
    assert sum(plan.width >= 2.2 * plan.height for plan in plans) >= 10
    assert {plan.orientation for plan in plans} >= {1, 6}
    assert sum(plan.taken is not None for plan in plans) > 80
    originals = [plan for plan in plans if not plan.original]
    assert len(originals) == 243
    assert min(Counter(theme_of(plan.name) for plan in originals).values()) == 34


def test_some_files_are_copies_and_some_are_near_copies(tmp_path, quick):
    files = make_pictures(tmp_path, count=84)
    copies = [path for path in files if path.stem.endswith("_copy")]
    smaller = [path for path in files if path.stem.endswith("_small")]
    assert (len(files), len(copies), len(smaller)) == (84, 1, 2)
    for path in copies:
        assert path.read_bytes() == (tmp_path / path.name.replace("_copy", "")).read_bytes()
    for path in smaller:
        small, large = _upright(path), _upright(tmp_path / path.name.replace("_small", ""))
        assert small.shape[0] < large.shape[0]
        again = Image.fromarray(large).resize(small.shape[1::-1], Image.Resampling.LANCZOS)
        assert np.abs(np.asarray(again).astype(int) - small).mean() < 6


def test_turned_pictures_are_upright_after_their_exif_orientation(tmp_path, quick):
    make_pictures(tmp_path, count=84)
    turned = [plan for plan in plan_pictures(84, 0) if plan.orientation != 1]
    assert turned
    for plan in turned:
        expected = _flat(np.random.default_rng(plan.seed), plan.width, plan.height)
        assert np.abs(_upright(tmp_path / plan.name).astype(int) - expected).mean() < 8


def test_dated_pictures_say_when_they_were_taken(tmp_path, quick):
    make_pictures(tmp_path, count=18)
    dated = [plan for plan in plan_pictures(18, 0) if plan.taken]
    assert dated
    for plan in dated:
        with Image.open(tmp_path / plan.name) as picture:
            stated = picture.getexif().get_ifd(0x8769)[0x9003]
        assert stated == f"{plan.taken:%Y:%m:%d %H:%M:%S}"


def test_pictures_that_are_there_are_not_made_again(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    files = make_pictures(folder, count=COUNT)
    assert len(files) == COUNT
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_another_count_replaces_the_earlier_set_and_keeps_what_is_not_ours(tmp_path, quick):
    make_pictures(tmp_path, count=18)
    mine = tmp_path / "holiday.jpg"
    mine.write_bytes(b"mine")
    files = make_pictures(tmp_path, count=9)
    assert {path for path in tmp_path.iterdir() if not path.name.startswith(".")} == {*files, mine}


def test_a_lost_or_cut_file_is_made_again(tmp_path, quick):
    files = make_pictures(tmp_path, count=9)
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:100])
    make_pictures(tmp_path, count=9)
    assert files[0].read_bytes() == whole


def test_an_impossible_count_is_refused(tmp_path):
    with pytest.raises(ValueError, match="count = 0"):
        make_pictures(tmp_path, count=0)
