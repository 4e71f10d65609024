"""Files that are no pictures, or none that are read, are called by what they are."""

import pytest
from PIL import Image

from clustering_assets.images.errors import ImageError
from clustering_assets_tests.pixels import load_image


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (bytes(4000), "nothing but zero bytes"),
        (b"8BPS\0\1" + bytes(400), "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"\r\n<HTML><HEAD>", "web page"),
        (b"PK\3\4" + bytes(99), "ZIP"),
        (b"P6 2 2 255\n" + bytes(12), "PNM"),
        (b"qoif" + bytes(20), "QOI"),
        (b"P.S. more tomorrow", "not a picture"),
        (b"hello", "not a picture"),
        (b"\0\0\0\x18ftypmp42" + bytes(99), "video"),
        (b"\0\0\2\0\1\0" + bytes(60), "a Windows cursor"),
        (b"\0\0\2" + bytes(9) + b"\x40\1\xc8\0\x18\0", "a Targa picture"),
        (b"\x8aMNG\r\n\x1a\n", "an MNG animation"),
        (b"\x01\xda\1\1" + bytes(60), "an SGI picture"),
        (b"PF\n2 2\n-1.0\n" + bytes(48), "a PFM picture"),
        (b"FOVb" + bytes(60), "a camera raw file"),
        (b"BMW is a maker of cars and motorcycles", "not a picture"),
    ],
)
def test_other_things_named_like_pictures_are_refused_unread(data, reason, save):
    with pytest.raises(ImageError, match=reason) as caught:
        load_image(save("photo.jpg", data))
    assert caught.value.stage == "format"


def test_a_psd_named_jpg_never_reaches_a_decoder(save, monkeypatch):
    def opened(*args, **kwargs):
        raise AssertionError("decoder reached")

    monkeypatch.setattr(Image, "open", opened)
    with pytest.raises(ImageError, match="Photoshop"):
        load_image(save("photo.jpg", b"8BPS\0\1" + bytes(4000)))


def test_a_text_that_does_not_claim_to_be_a_picture_is_told_apart(save):
    with pytest.raises(ImageError) as caught:
        load_image(save("notes.txt", b"hello"))
    assert caught.value.stage == "other"
