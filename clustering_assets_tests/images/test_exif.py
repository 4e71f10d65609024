"""What is read from EXIF: orientation, time, camera."""

import io
import struct
from datetime import datetime

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from clustering_assets.images.exif import Facts, read_facts
from clustering_assets.images.load import decode_picture


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


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("2004: 8: 7  9: 5: 3", datetime(2004, 8, 7, 9, 5, 3)),
        ("2004:08:07 12:30", datetime(2004, 8, 7, 12, 30)),
        ("2004:08:07 24:00:00", datetime(2004, 8, 8)),
        ("2004:12:31 24:10:11", datetime(2005, 1, 1, 0, 10, 11)),
        ("2004:08:07 03:05:06 PM", datetime(2004, 8, 7, 15, 5, 6)),
        ("2004:08:07 12:05:06 am", datetime(2004, 8, 7, 0, 5, 6)),
        ("2004/08/07 12:05PM", datetime(2004, 8, 7, 12, 5)),
        ("2004:08:07 15:05:06 PM", datetime(2004, 8, 7, 15, 5, 6)),
        ("2004-08-07T15:05:06.789+02:00", datetime(2004, 8, 7, 15, 5, 6)),
        ("2016:12:31 23:59:60", datetime(2017, 1, 1)),
        ("2004:08:07 25:00:00", None),
        ("2004:02:30 12:00:00", None),
    ],
)
def test_dates_are_read_as_devices_write_them(value, taken):
    assert read_facts(opened(taken=value)).taken_at == taken


def notes(order: str, *broken: tuple[int, int, int, bytes], colours: int = 1) -> bytes:
    """Notes with a camera, an orientation, a date and a colour space, and `broken` tags before all of them."""
    own = [(271, 2, 4, b"Ace\0"), (274, 3, 1, struct.pack(f"{order}HH", 6, 0)), (0x8769, 4, 1, b"FOLD")]
    entries = [*broken, *own]
    at = 8 + 2 + 12 * len(entries) + 4
    date = struct.pack(f"{order}I", at + 2 + 2 * 12 + 4)
    inner = [(36867, 2, 20, date), (0xA001, 3, 1, struct.pack(f"{order}HH", colours, 0))]

    def directory(rows):
        packed = (struct.pack(f"{order}HHI", tag, kind, count) + value for tag, kind, count, value in rows)
        return struct.pack(f"{order}H", len(rows)) + b"".join(packed) + bytes(4)

    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    first = directory(entries).replace(b"FOLD", struct.pack(f"{order}I", at))
    return b"Exif\0\0" + head + first + directory(inner) + b"2021:05:06 07:08:09\0"


BROKEN = {
    "text behind the end": (270, 2, 100, b"\0\0\xff\0"),
    "text of four gigabytes": (270, 2, 0xFFFFFFFF, bytes(4)),
    "fractions behind the end": (270, 5, 0x7FFFFFFF, bytes(4)),
    "floats behind the end": (270, 12, 1, b"\0\0\xff\0"),
    "an unknown type": (270, 99, 1, bytes(4)),
    "no type": (270, 0, 1, bytes(4)),
    "nothing": (256, 3, 0, bytes(4)),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_broken_tag_costs_no_other_fact(format, order, broken):
    target = io.BytesIO()
    Image.new("RGB", (16, 8)).save(target, format, exif=notes(order, broken))
    picture = decode_picture(target.getvalue(), "a")
    assert picture.facts == Facts(6, datetime(2021, 5, 6, 7, 8, 9), "Ace")
    assert picture.image.size == (8, 16)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_colour_space_without_an_interoperability_folder_costs_no_fact(format, encoded):
    exif = notes("<", colours=65535)
    if format == "TIFF":
        tags = Image.Exif()
        tags.load(exif)
        exif = tags
    pixels = Image.new("RGB", (64, 32), (200, 30, 30))
    facts = decode_picture(encoded(pixels, format, exif=exif), "a").facts
    assert (facts.taken_at, facts.camera, facts.adobe_rgb) == (datetime(2021, 5, 6, 7, 8, 9), "Ace", False)


def located(north: tuple, east: tuple, sides: str = "NE", format: str = "JPEG") -> Facts:
    """The facts of a picture that was taken there, degrees, minutes and seconds."""
    exif = Image.Exif()
    exif[271] = "Ace"
    exif.get_ifd(0x8825).update({1: sides[0], 2: north, 3: sides[1], 4: east})
    tags = Image.Exif()
    tags.load(exif.tobytes())  # Pillow writes a folder into a TIFF only where it has read it
    target = io.BytesIO()
    Image.new("RGB", (16, 8)).save(target, format, exif=tags)
    return decode_picture(target.getvalue(), "a").facts


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_where_a_picture_was_taken_is_read_in_degrees(format):
    facts = located((43.0, 46.0, 15.6), (11.0, 15.0, 18.0), format=format)
    assert (facts.latitude, facts.longitude) == pytest.approx((43.771, 11.255), abs=1e-6)


def test_south_and_west_are_below_nought():
    facts = located((33.0, 51.5, 0.0), (70.0, 40.0, 12.0), "SW")
    assert (facts.latitude, facts.longitude) == pytest.approx((-33.858333, -70.67), abs=1e-6)


@pytest.mark.parametrize(
    ("north", "east", "sides"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "NE"),
        ((95.0, 0.0, 0.0), (11.0, 0.0, 0.0), "NE"),
        ((43.0, 0.0, 0.0), (200.0, 0.0, 0.0), "NE"),
        ((43.0, 0.0, 0.0), (11.0, 0.0, 0.0), "XE"),
        ((IFDRational(7, 0), 0.0, 0.0), (11.0, 0.0, 0.0), "NE"),
    ],
)
def test_a_place_that_is_none_costs_no_other_fact(north, east, sides):
    facts = located(north, east, sides)
    assert (facts.latitude, facts.longitude, facts.orientation) == (None, None, 1)
