"""Open Images: the right pictures by class, in parallel, resumable, honest about what failed."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from clustering_assets.files.local import LocalFolder
from clustering_assets.sources.imported import SourceError
from clustering_assets.sources.openimages import import_openimages
from clustering_assets_tests.pixels import decode_image, load_image

CLASSES = """LabelName,DisplayName
/m/01yrx,Cat
/m/0bt9lr,Dog
/m/0k4j,Car
/m/0dzct,Human face
/m/09j2d,"Clothing, worn"
"""


def _id(number: int) -> str:
    return f"{number:016x}"


@pytest.fixture
def openimages(web, picture):
    """Lists and pictures as the real ones are laid out: cats are 0 to 9, dogs 10 to 14, a doubtful cat is 15."""
    rows = [f"{_id(i)},verification,/m/01yrx,1\n{_id(i)},verification,/m/0k4j,0\n" for i in range(10)]
    rows += [f"{_id(i)},crowdsource-verification,/m/0bt9lr,1.0\n" for i in range(10, 15)]
    rows += [f"{_id(15)},verification,/m/01yrx,0\n", f"{_id(9)},crowdsource-verification,/m/01yrx,1\n"]
    web.files["/lists/v7/oidv7-class-descriptions.csv"] = CLASSES.encode()
    web.files["/lists/v7/oidv7-val-annotations-human-imagelabels.csv"] = (
        "ImageID,Source,LabelName,Confidence\n" + "".join(rows)
    ).encode()
    web.files["/lists/2018_04/validation/validation-images-with-rotation.csv"] = (
        "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,Rotation\n"
        + "".join(
            f"{_id(i)},validation,http://x/{i}.jpg,http://x/{i},http://licence/by/2.0/,http://x/people/{i},"
            f'"Doe, J{i}",T{i},0\n'
            for i in range(40)
        )
    ).encode()
    for i in range(40):
        web.files[f"/pictures/validation/{_id(i)}.jpg"] = picture(i)
    return web


@pytest.fixture
def fetch(openimages, tmp_path, patience):
    def run(**options):
        return import_openimages(
            tmp_path,
            lists_url=f"{openimages.url}/lists",
            pictures_url=f"{openimages.url}/pictures",
            workers=4,
            patience=patience,
            **options,
        )

    return run


def _names(folder) -> list[int]:
    return sorted(int(path.stem, 16) for path in folder.glob("*.jpg"))


def test_pictures_of_any_kind_come_without_classes(fetch, tmp_path, picture):
    done = fetch(limit=12)
    assert done.folder == tmp_path / "openimages" / "validation"
    assert _names(done.folder) == list(range(12))
    assert (done.folder / f"{_id(3)}.jpg").read_bytes() == picture(3)
    assert (done.files, done.skipped, done.failures) == (12, 0, ())
    assert done.bytes == sum(len(picture(i)) for i in range(12))


def test_classes_share_the_limit_and_only_confirmed_labels_count(fetch):
    done = fetch(limit=6, classes=["cat", " DOG "])
    assert _names(done.folder) == [0, 1, 2, 10, 11, 12]


def test_a_small_class_leaves_its_share_to_the_others(fetch):
    assert _names(fetch(limit=13, classes=["Dog", "Cat"]).folder) == [*range(8), *range(10, 15)]


def test_more_than_there_is_gives_all_there_is(fetch):
    assert _names(fetch(limit=100, classes=["Cat"]).folder) == list(range(10))


def test_a_second_call_fetches_only_what_is_missing(fetch, openimages):
    fetch(limit=5)
    openimages.seen.clear()
    done = fetch(limit=8)
    assert (done.files, done.skipped) == (3, 5)
    assert sorted(openimages.seen) == [f"/pictures/validation/{_id(i)}.jpg" for i in (5, 6, 7)]


def test_one_missing_picture_costs_only_itself(fetch, openimages):
    del openimages.files[f"/pictures/validation/{_id(2)}.jpg"]
    done = fetch(limit=5)
    assert _names(done.folder) == [0, 1, 3, 4]
    assert done.failures == ((f"{_id(2)}.jpg", "HTTP 404 Not Found"),)


def test_a_page_that_comes_in_place_of_a_picture_is_a_failure_and_is_not_kept(fetch, openimages, picture):
    place = f"/pictures/validation/{_id(2)}.jpg"
    openimages.files[place] = b"<!DOCTYPE html><title>Please log in</title>" + bytes(100)
    done = fetch(limit=5)
    assert _names(done.folder) == [0, 1, 3, 4]
    assert done.failures == ((f"{_id(2)}.jpg", "what came is a web page"),)
    openimages.files[place] = picture(2)
    assert _names(fetch(limit=5).folder) == [0, 1, 2, 3, 4]


def test_busy_servers_and_broken_connections_are_survived(fetch, openimages, waits, picture):
    openimages.faults[f"/pictures/validation/{_id(0)}.jpg"] = ["429:3", "503"]
    openimages.faults[f"/pictures/validation/{_id(1)}.jpg"] = ["drop:200", "drop:10"]
    openimages.faults["/lists/2018_04/validation/validation-images-with-rotation.csv"] = ["drop:300"]
    done = fetch(limit=4)
    assert (done.files, done.failures) == (4, ())
    assert (done.folder / f"{_id(1)}.jpg").read_bytes() == picture(1)
    assert 3.0 in waits


def test_nothing_half_done_is_visible_after_a_failure(fetch, openimages):
    openimages.faults[f"/pictures/validation/{_id(1)}.jpg"] = ["drop:100", "500", "500", "500", "500"]
    done = fetch(limit=3)
    assert _names(done.folder) == [0, 2]
    hidden = [path.name for path in done.folder.iterdir() if path.suffix not in (".jpg", ".csv")]
    assert all(name.startswith(".") and name.endswith(".partial") for name in hidden)


def test_an_unknown_class_is_refused_with_the_nearest_names(fetch, openimages):
    with pytest.raises(SourceError, match=r"no class 'Catt'; did you mean Cat"):
        fetch(limit=5, classes=["Catt"])
    assert not any(path.startswith("/pictures") for path in openimages.seen)


def test_a_class_without_pictures_is_an_error_alone_and_a_warning_beside_others(fetch, caplog):
    with pytest.raises(SourceError, match="no picture of Human face"):
        fetch(limit=5, classes=["Human face"])
    assert fetch(limit=3, classes=["Cat", "Human face"]).files == 3
    assert "no picture of Human face" in caplog.text


def test_a_list_that_cannot_be_had_is_an_error_that_names_it(fetch, openimages):
    del openimages.files["/lists/v7/oidv7-class-descriptions.csv"]
    with pytest.raises(SourceError, match=r"oidv7-class-descriptions\.csv.*404"):
        fetch(limit=5, classes=["Cat"])


def test_when_every_picture_fails_the_import_fails(fetch, openimages):
    for path in [path for path in openimages.files if path.startswith("/pictures")]:
        del openimages.files[path]
    with pytest.raises(SourceError, match="None of 4 pictures"):
        fetch(limit=4)


def test_an_id_that_is_a_path_is_not_used(fetch, openimages, tmp_path):
    name = "/lists/2018_04/validation/validation-images-with-rotation.csv"
    openimages.files[name] = f"ImageID\n../../evil\n{_id(1)}\n".encode()
    done = fetch(limit=2)
    assert done.failures == (("../../evil.jpg", "not an id of a picture"),)
    assert _names(done.folder) == [1]


@pytest.mark.parametrize("odd", ["käse", "n" * 5_000, "a b", "", "\0", "Cat?x=1", "0001.."])
def test_an_odd_id_costs_only_itself(odd, fetch, openimages):
    name = "/lists/2018_04/validation/validation-images-with-rotation.csv"
    openimages.files[name] = f'ImageID\n"{odd}"\n{_id(1)}\n'.encode()
    done = fetch(limit=2)
    assert _names(done.folder) == [1]
    assert [problem for _, problem in done.failures] == ["not an id of a picture"]


def test_a_page_in_place_of_a_list_is_neither_believed_nor_kept(fetch, openimages, tmp_path):
    name = "/lists/2018_04/validation/validation-images-with-rotation.csv"
    whole, openimages.files[name] = openimages.files[name], b"\n<!DOCTYPE html><p>Log in, please</p>"
    with pytest.raises(SourceError, match="gave a page, not the list"):
        fetch(limit=1)
    kept = next(tmp_path.rglob(".lists")) / name.rsplit("/")[-1]
    assert not kept.exists()
    kept.write_bytes(b"<html>as an older version kept it</html>")
    openimages.files[name] = whole
    assert fetch(limit=1).files == 1


def test_titles_that_spreadsheets_take_for_formulas_are_guarded(fetch, openimages):
    name = "/lists/2018_04/validation/validation-images-with-rotation.csv"
    openimages.files[name] = f"ImageID,Title\n{_id(1)},=HYPERLINK(1)\n".encode()
    done = fetch(limit=1)
    assert "'=HYPERLINK(1)" in (done.folder / "openimages_attribution.csv").read_text()


@pytest.mark.parametrize(
    ("options", "message"), [({"limit": 0}, "limit = 0"), ({"limit": 1, "subset": "val"}, "subset")]
)
def test_settings_out_of_range_are_refused(fetch, openimages, options, message):
    with pytest.raises(SourceError, match=message):
        fetch(**options)
    assert not openimages.seen


@pytest.mark.parametrize(
    "classes",
    [["Clothing, worn", "Cat"], ["Cat,Clothing, worn"], ["Clothing", "worn", "Cat"], ["cat , clothing,worn"]],
)
def test_a_class_may_have_a_comma_in_its_name(classes, fetch, openimages):
    labels = "/lists/v7/oidv7-val-annotations-human-imagelabels.csv"
    openimages.files[labels] += f"{_id(20)},verification,/m/09j2d,1\n".encode()
    assert _names(fetch(limit=3, classes=classes).folder) == [0, 1, 20]


def test_half_of_a_name_with_a_comma_is_no_name(fetch):
    with pytest.raises(SourceError, match="no class 'worn'"):
        fetch(limit=3, classes=["Cat,worn"])


@pytest.mark.parametrize("classes", [[], ["Dog"]])
def test_the_authors_are_named_beside_the_pictures(classes, fetch):
    done = fetch(limit=3, classes=classes)
    fetch(limit=4, classes=classes)
    with (done.folder / "openimages_attribution.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["ImageID"], 16) for row in rows] == _names(done.folder)
    number = int(rows[0]["ImageID"], 16)
    assert rows[0] == {
        "ImageID": _id(number),
        "Title": f"T{number}",
        "Author": f"Doe, J{number}",
        "AuthorProfileURL": f"http://x/people/{number}",
        "License": "http://licence/by/2.0/",
        "OriginalLandingURL": f"http://x/{number}",
        "OriginalURL": f"http://x/{number}.jpg",
        "Rotation": "0",
    }
    assert [file.path for file in LocalFolder(done.folder).files()] == [
        f"{_id(i)}.jpg" for i in _names(done.folder)
    ]


def test_pictures_stay_when_their_authors_cannot_be_named_and_the_next_import_names_them(
    fetch, openimages, caplog
):
    listed = openimages.files.pop("/lists/2018_04/validation/validation-images-with-rotation.csv")
    done = fetch(limit=3, classes=["Dog"])
    assert done.files == 3
    assert "could not be named" in caplog.text
    openimages.files["/lists/2018_04/validation/validation-images-with-rotation.csv"] = listed
    done = fetch(limit=3, classes=["Dog"])
    assert (done.files, (done.folder / "openimages_attribution.csv").is_file()) == (0, True)


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("written", ["{}", "{}.0"])
def test_a_picture_that_lies_on_its_side_is_set_upright_once(rotation, written, fetch, openimages):
    name = "/lists/2018_04/validation/validation-images-with-rotation.csv"
    openimages.files[name] = f"ImageID,Rotation\n{_id(1)},{written.format(rotation)}\n{_id(2)},nan\n".encode()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    lying = io.BytesIO()
    Image.fromarray(pixels).save(lying, "JPEG")
    for number in (1, 2):
        openimages.files[f"/pictures/validation/{_id(number)}.jpg"] = lying.getvalue()
    stored = decode_image(lying.getvalue(), "lying.jpg")
    folder = fetch(limit=2).folder
    np.testing.assert_array_equal(load_image(folder / f"{_id(1)}.jpg"), np.rot90(stored, rotation // 90))
    np.testing.assert_array_equal(load_image(folder / f"{_id(2)}.jpg"), stored)
    turned = (folder / f"{_id(1)}.jpg").read_bytes()
    assert fetch(limit=2).skipped == 2
    assert (folder / f"{_id(1)}.jpg").read_bytes() == turned


def test_notes_that_a_picture_has_already_go_before_the_list(fetch, openimages):
    name = "/lists/2018_04/validation/validation-images-with-rotation.csv"
    openimages.files[name] = f"ImageID,Rotation\n{_id(1)},90\n".encode()
    notes = Image.Exif()
    notes[274] = 3
    own = io.BytesIO()
    Image.new("RGB", (8, 4)).save(own, "JPEG", exif=notes)
    openimages.files[f"/pictures/validation/{_id(1)}.jpg"] = own.getvalue()
    assert (fetch(limit=1).folder / f"{_id(1)}.jpg").read_bytes() == own.getvalue()
