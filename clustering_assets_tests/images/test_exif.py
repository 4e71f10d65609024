"""What is read from EXIF: orientation, time, camera."""

from datetime import datetime

import pytest
from PIL import Image

from clustering_assets.images.exif import Facts, read_facts


def opened(**tags) -> Image.Image:
    image = Image.new("RGB", (4, 4))
    exif = image.getexif()
    for name, value in tags.items():
        if name in ("taken", "digitized"):
            exif.get_ifd(0x8769)[{"taken": 36867, "digitized": 36868}[name]] = value
        else:
            exif[{"orientation": 274, "make": 271, "model": 272, "changed": 306}[name]] = value
    return image


def test_a_picture_without_notes_has_plain_facts():
    assert read_facts(Image.new("RGB", (4, 4))) == Facts(1, None, "")


def test_the_time_taken_goes_before_the_time_changed():
    image = opened(taken="2021:05:06 07:08:09", changed="2024:01:01 00:00:00")
    assert read_facts(image).taken_at == datetime(2021, 5, 6, 7, 8, 9)


def test_the_time_changed_is_better_than_none():
    assert read_facts(opened(changed="2024:01:02 03:04:05")).taken_at == datetime(2024, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    "value",
    [
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "",
        "yesterday",
        "2024:13:45 99:99:99",
        "0001:01:01 00:00:00",
    ],
)
def test_nonsense_is_no_date(value):
    assert read_facts(opened(taken=value)).taken_at is None


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 80D", "Canon EOS 80D"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("SONY\0\0\0", " DSC-W1 ", "SONY DSC-W1"),
        ("", "X100", "X100"),
        ("Acme", "", "Acme"),
    ],
)
def test_the_camera_is_named_once(make, model, camera):
    assert read_facts(opened(make=make, model=model)).camera == camera


@pytest.mark.parametrize(("value", "orientation"), [(1, 1), (6, 6), (8, 8), (0, 1), (9, 1), (65535, 1)])
def test_only_the_eight_orientations_count(value, orientation):
    assert read_facts(opened(orientation=value)).orientation == orientation
