"""The ledger: every file has exactly one outcome, and a file that did not change is not opened again."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash
from PIL import Image

from clustering_assets.images import inspection as looks
from clustering_assets.images import manifest as manifests
from clustering_assets.images.features import measure, measure_reduced, reduce
from clustering_assets.images.inspection import pixel_hash
from clustering_assets.images.load import pixels, read_file
from clustering_assets.images.manifest import (
    DatasetError,
    check_folder,
    check_usable,
    common_reasons,
    content_digest,
    failure_rate,
    usable,
    with_failures,
)
from clustering_assets.settings import Limits
from clustering_assets.tables import IMAGE_MANIFEST
from clustering_assets.work.threads import Threads

scan = partial(manifests.scan, engine=Threads())
"""On threads, which start faster; `test_inspectors.py` shows that processes give the same."""


@pytest.fixture
def folder(photo, encoded, save, tmp_path) -> Path:
    """Two pictures, an exact copy, a file that is damaged, one that is no picture, and one that claims to be."""
    first = encoded(photo(1), "PNG")
    save("images/a.png", first)
    save("images/b.jpg", encoded(photo(2), "JPEG"))
    save("images/copy/a.bmp", encoded(photo(1), "BMP"))
    save("images/half.png", first[: len(first) // 2])
    save("images/notes.txt", b"not a picture")
    save("images/page.jpg", b"<html>404</html>")
    return tmp_path / "images"


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The names of the files that are opened from here on."""
    names: list[str] = []
    read = looks.read_file

    def spy(path, limits):
        names.append(path.name)
        return read(path, limits)

    monkeypatch.setattr(looks, "read_file", spy)
    return names


def test_every_file_has_exactly_one_outcome(folder):
    manifest = scan(folder)
    outcomes = manifest[["path", "outcome", "stage", "duplicate_of"]].to_numpy().tolist()
    assert outcomes == [
        ["a.png", "used", "", ""],
        ["b.jpg", "used", "", ""],
        ["copy/a.bmp", "duplicate", "", "a.png"],
        ["half.png", "rejected", "decode", ""],
        ["notes.txt", "rejected", "other", ""],
        ["page.jpg", "rejected", "format", ""],
    ]
    assert (manifest["reason"] != "").tolist() == [False, False, False, True, True, True]


def test_the_manifest_has_the_documented_schema(folder, tmp_path):
    manifest = scan(folder)
    table = pa.Table.from_pandas(manifest, IMAGE_MANIFEST.schema, preserve_index=False)
    pq.write_table(table, tmp_path / "m.parquet")
    again = pq.read_table(tmp_path / "m.parquet").to_pandas()
    pd.testing.assert_frame_equal(again, manifest)


def test_a_row_says_what_the_file_is_and_how_it_looks(photo, encoded, save, tmp_path):
    exif = Image.Exif()
    exif[274], exif[271], exif[272] = 6, "Canon", "Canon EOS 80D"
    exif.get_ifd(0x8769)[36867] = "2021:05:06 07:08:09"
    path = save("a.png", encoded(photo(), "JPEG", exif=exif))
    os.utime(path, ns=(123_456_789, 987_654_321))
    row = scan(tmp_path).iloc[0]
    assert (row["format"], row["mode"], row["width"], row["height"]) == ("JPEG", "RGB", 240, 320)
    assert (row["bytes"], row["mtime_ns"]) == (path.stat().st_size, 987_654_321)
    assert row["taken_at"] == pd.Timestamp("2021-05-06 07:08:09")
    assert row["camera"] == "Canon EOS 80D"
    assert row["brightness"] > 0 and row["sharpness"] > 0 and len(row["phash"]) == 16


def test_the_content_hash_is_that_of_the_pixels(photo, encoded, save, tmp_path):
    pixels = photo()
    save("a.png", encoded(pixels, "PNG"))
    save("b.bmp", encoded(pixels, "BMP"))
    save("c.webp", encoded(pixels, "WEBP", lossless=True))
    exif = Image.Exif()
    exif[274] = 8
    save("d.png", encoded(np.ascontiguousarray(np.rot90(pixels, -1)), "PNG", exif=exif))
    hashes = scan(tmp_path)["content_hash"]
    assert hashes.nunique() == 1 and len(hashes[0]) == 32


def test_the_content_hash_knows_width_from_height(save, encoded, tmp_path):
    save("a.png", encoded(Image.new("RGB", (20, 10), "red"), "PNG"))
    save("b.png", encoded(Image.new("RGB", (10, 20), "red"), "PNG"))
    assert scan(tmp_path)["outcome"].tolist() == ["used", "used"]


def test_the_number_of_threads_changes_nothing(folder):
    pd.testing.assert_frame_equal(scan(folder, engine=Threads(1)), scan(folder, engine=Threads(7)))


def test_an_unchanged_file_is_not_opened_again(folder, opened):
    first = scan(folder)
    opened.clear()
    second = scan(folder, first)
    assert opened == []
    pd.testing.assert_frame_equal(second, first)


def test_only_what_changed_is_opened(folder, opened, photo, encoded, save):
    first = scan(folder)
    opened.clear()
    save("images/new.png", encoded(photo(9), "PNG"))
    save("images/b.jpg", encoded(photo(3), "JPEG"))
    (folder / "a.png").unlink()
    second = scan(folder, first)
    assert sorted(opened) == ["b.jpg", "new.png"]
    assert second.set_index("path")["outcome"].to_dict() == {
        "b.jpg": "used",
        "copy/a.bmp": "used",
        "half.png": "rejected",
        "new.png": "used",
        "notes.txt": "rejected",
        "page.jpg": "rejected",
    }
    fresh = scan(folder)
    pd.testing.assert_frame_equal(second.drop(columns="added_at"), fresh.drop(columns="added_at"))


def test_rows_of_another_version_are_not_reused(folder, opened):
    first = scan(folder)
    opened.clear()
    scan(folder, first.assign(scan_version=0))
    assert len(opened) == 6
    opened.clear()
    scan(folder, first.drop(columns="phash"))
    assert len(opened) == 6


def test_a_higher_limit_takes_effect_on_files_that_did_not_change(folder):
    first = scan(folder, limits=Limits(max_megapixels=0.01))
    assert first["stage"].tolist() == ["limits", "limits", "limits", "limits", "other", "format"]
    assert scan(folder, first)["outcome"].tolist() == scan(folder)["outcome"].tolist()


@pytest.mark.parametrize("limits", [Limits(max_megapixels=0.01), Limits(max_file_megabytes=0.001)])
def test_a_lower_limit_takes_effect_on_files_that_did_not_change(limits, folder):
    changed = scan(folder, scan(folder), limits=limits)
    assert changed["outcome"].tolist() == scan(folder, limits=limits)["outcome"].tolist()
    assert "limits" in set(changed["stage"])


def test_strange_names_and_links_are_rows_like_any_other(photo, encoded, save, tmp_path):
    save('two\nlines, "quoted".png', encoded(photo(), "PNG"))
    (tmp_path / "leak.jpg").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe.jpg")
    manifest = scan(tmp_path)
    assert manifest["path"].tolist() == ["leak.jpg", "pipe.jpg", 'two\nlines, "quoted".png']
    assert manifest["stage"].tolist() == ["find", "find", ""]


def test_an_empty_folder_gives_an_empty_manifest_of_the_same_shape(tmp_path):
    manifest = scan(tmp_path)
    assert list(manifest.columns) == list(IMAGE_MANIFEST.columns)
    assert len(manifest) == 0 and manifest["bytes"].dtype == np.int64


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_folder_that_is_none_is_refused_with_the_setting_that_names_it(kind, tmp_path):
    path = tmp_path / "images"
    if kind == "file":
        path.write_text("x")
    with pytest.raises(
        DatasetError, match=r"images (does not exist|is not a folder).*--images or CLUSTERING_IMAGES"
    ):
        scan(path)


def test_usable_keeps_duplicates_and_drops_the_rejected(folder):
    assert usable(scan(folder))["path"].tolist() == ["a.png", "b.jpg", "copy/a.bmp"]


def test_the_digest_changes_with_content_and_not_with_time(folder, photo, encoded, save):
    before = content_digest(scan(folder))
    os.utime(folder / "b.jpg", ns=(1, 1))
    assert content_digest(scan(folder)) == before
    save("images/b.jpg", encoded(photo(5), "JPEG"))
    assert content_digest(scan(folder)) != before


def test_the_failure_rate_leaves_out_what_never_claimed_to_be_a_picture(folder):
    assert failure_rate(scan(folder)) == pytest.approx(2 / 5)


def test_reasons_that_differ_in_numbers_count_as_one(photo, encoded, save, tmp_path):
    data = encoded(photo(), "JPEG")
    for share in (3, 4, 5):
        save(f"{share}.jpg", data[: len(data) * share // 8])
    save("empty.jpg", b"")
    reasons = common_reasons(scan(tmp_path))
    assert [(reason["stage"], reason["count"], reason["example"]) for reason in reasons] == [
        ("decode", 3, "3.jpg"),
        ("format", 1, "empty.jpg"),
    ]
    assert common_reasons(scan(tmp_path), n=1) == reasons[:1]


def test_later_stages_add_to_the_ledger(folder):
    manifest = with_failures(scan(folder), [("a.png", "render", "gone"), ("unknown", "render", "gone")])
    rows = manifest.set_index("path")
    failed, copy = rows.loc["a.png"].to_dict(), rows.loc["copy/a.bmp"].to_dict()
    assert [failed[name] for name in ("outcome", "stage", "reason")] == ["rejected", "render", "gone"]
    assert [copy[name] for name in ("outcome", "duplicate_of")] == ["used", ""]
    assert len(manifest) == 6


def test_enough_pictures_pass(folder):
    check_usable(scan(folder), folder, min_images=3, max_failure_rate=0.4)


def test_too_few_pictures_say_what_was_found_what_is_needed_and_which_setting_decides(folder):
    with pytest.raises(DatasetError) as caught:
        check_usable(scan(folder), folder, min_images=4, max_failure_rate=1)
    message = str(caught.value)
    for part in (
        "3 usable pictures",
        str(folder),
        "min_images is 4",
        "--min-images 3",
        "CLUSTERING_MIN_IMAGES=3",
    ):
        assert part in message
    assert "page.jpg" in message, "the reasons of rejection belong to it"


def test_too_many_failures_name_the_commonest_reasons(folder):
    with pytest.raises(DatasetError) as caught:
        check_usable(scan(folder), folder, min_images=1, max_failure_rate=0.39)
    message = str(caught.value)
    for part in (
        "40.0%",
        "39.0%",
        "CLUSTERING_MAX_FAILURE_RATE",
        "1 x a web page (format), such as page.jpg",
    ):
        assert part in message


def test_an_empty_folder_is_too_few_whatever_the_setting(tmp_path):
    with pytest.raises(DatasetError, match="There are no files in"):
        check_usable(scan(tmp_path), tmp_path, min_images=0, max_failure_rate=1)


def test_a_folder_with_too_few_files_is_refused_without_opening_one(folder, opened):
    assert check_folder(folder, 6) == 6
    with pytest.raises(DatasetError, match=r"6 files in .* min_images is 7"):
        check_folder(folder, 7)
    assert opened == []


@pytest.mark.parametrize("size", [(500, 375), (383, 2), (1, 2000), (769, 1025), (40, 30), (2500, 1800)])
def test_pixels_are_hashed_and_measured_the_same_without_a_copy(size, photo):
    width, height = size
    image = Image.fromarray(photo(width=width, height=height))
    view = pixels(image)
    whole = xxhash.xxh3_128(f"{width}x{height}".encode() + np.asarray(image).tobytes()).hexdigest()
    assert pixel_hash(view) == whole
    seen, copied = vars(measure_reduced(reduce(view))), vars(measure(np.asarray(image)))
    assert seen.pop("dominant_colours").count("#") == copied.pop("dominant_colours").count("#")
    assert seen == pytest.approx(copied, rel=0.01, abs=0.01)


def test_drawings_and_sounds_beside_pictures_are_no_failures(folder, save):
    for number in range(9):
        save(f"images/{number}.svg", b'<?xml version="1.0"?><svg/>')
        save(f"images/{number}.wav", b"RIFF    WAVE")
    manifest = scan(folder)
    assert failure_rate(manifest) == pytest.approx(2 / 5)
    reasons = common_reasons(manifest)
    assert [reason["stage"] for reason in reasons] == ["decode", "format", "other", "other", "other"]
    assert {reason["reason"] for reason in reasons[2:]} == {
        "an SVG drawing",
        "a video or sound file",
        "not a picture",
    }


def test_a_drawing_that_claims_to_be_a_photo_is_a_failure(folder, save):
    save("images/logo.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    row = scan(folder).set_index("path").loc["logo.jpg"].to_dict()
    assert (row["stage"], row["reason"]) == ("format", "an SVG drawing")


def test_a_file_longer_than_the_first_look_is_read_to_its_end(save, encoded, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (400, 500, 3), np.uint8)
    data = encoded(noise, "PNG")
    assert len(data) > 1 << 18
    assert read_file(save("noise.png", data)) == data


def test_pictures_of_another_source_are_scanned_as_those_of_a_folder(
    photo, encoded, save, tmp_path, memory_source
):
    for seed in range(3):
        save(f"pictures/{seed}.jpg", encoded(photo(seed), "JPEG"))
    save("pictures/half.png", encoded(photo(7), "PNG")[:5000])
    save("pictures/.hidden.jpg", b"")
    expected = scan(tmp_path / "pictures")
    source = memory_source(tmp_path / "pictures")
    pd.testing.assert_frame_equal(scan(source), expected)
    with pytest.raises(DatasetError, match="4 files in memory:, but min_images is 9"):
        check_folder(source, 9)


def test_a_raw_file_beside_its_picture_is_no_failure_and_alone_it_is_one(folder, photo, encoded, save):
    tiff = b"II*\0\x08\0\0\0" + bytes(200)
    for name in ("b.CR2", "B.nef", "deeper/b.dng", "deeper/b.raf"):
        save(
            f"images/{name}",
            {"b.CR2": b"II*\0\x10\0\0\0CR\2\0", "deeper/b.raf": b"FUJIFILMCCD-RAW "}.get(name, tiff),
        )
    rows = scan(folder).set_index("path")
    assert rows.loc[["b.CR2", "B.nef"], "stage"].tolist() == ["other"] * 2
    assert set(rows.loc[["b.CR2", "B.nef"], "reason"]) == {"a camera raw file beside its picture"}
    assert rows.loc[["deeper/b.dng", "deeper/b.raf"], "stage"].tolist() == ["format"] * 2
    assert (
        rows.loc[["deeper/b.dng", "deeper/b.raf"], "reason"].str.contains("raw file, which is not read").all()
    )
    (folder / "b.jpg").unlink()
    save("images/deeper/b.png", encoded(photo(3), "PNG"))
    later = scan(folder, rows.reset_index()).set_index("path")
    assert later.loc[["b.CR2", "B.nef"], "stage"].tolist() == ["format"] * 2
    assert later.loc[["deeper/b.dng", "deeper/b.raf"], "stage"].tolist() == ["other"] * 2


def test_a_file_of_a_time_that_tables_do_not_hold_is_scanned_once(folder, opened):
    os.utime(folder / "a.png", ns=(10**19, 10**19))
    if (folder / "a.png").stat().st_mtime_ns < 2**63:
        pytest.skip("this file system does not hold such a time")
    first = scan(folder)
    assert first.set_index("path").loc["a.png", "outcome"] == "used"
    del opened[:]
    scan(folder, first)
    assert opened == []


def test_pictures_are_added_when_a_scan_first_finds_their_pixels(folder, photo, encoded, save):
    monday, friday = pd.Timestamp("2024-05-06 10:00"), pd.Timestamp("2024-05-10 10:00")
    first = scan(folder, now=monday)
    assert first["added_at"].isna().all(), "the first scan finds nothing new"
    save("images/new.png", encoded(photo(9), "PNG"))
    (folder / "a.png").rename(folder / "moved.png")
    second = scan(folder, first, now=monday).set_index("path")["added_at"]
    assert second["new.png"] == monday and second.drop("new.png").isna().all()
    save("images/newer.png", encoded(photo(10), "PNG"))
    before = scan(folder, first, now=monday).drop(columns="added_at")  # of an older version
    third = scan(folder, before, now=friday).set_index("path")["added_at"]
    assert third.isna().all(), "what an older version knew is not new"
    fourth = scan(folder, scan(folder, first, now=monday), now=friday).set_index("path")["added_at"]
    assert fourth["new.png"] == fourth["newer.png"] == monday
