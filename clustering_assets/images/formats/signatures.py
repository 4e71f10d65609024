"""What a file that is not read seems to be, by its first bytes; and which names promise a picture."""

from pathlib import PurePosixPath

HEAD_BYTES = 64
"""How much of a file its readers and `describe` want to see."""

PICTURE_SUFFIXES = frozenset(
    f".{ending}"
    for endings in (
        "jpg jpeg jpe jfif pjpeg mpo png apng bmp dib webp tif tiff gif avif avifs heic heif hif",
        "psd jp2 j2k jpf jxl tga exr hdr ppm pgm pbm pnm pam qoi pcx dds",
        "dng cr2 cr3 nef nrw arw srf sr2 srw orf rw2 rwl raf pef x3f mrw iiq 3fr erf kdc",
    )
    for ending in endings.split()
)
"""Endings that promise a picture, also in formats that are not read: such a file counts as a failure.

Drawings, icons and documents of editors do not: they lie beside the pictures in many a folder.
"""

_OTHERS = (
    (b"8BPS", "a Photoshop document"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x01\x00", "a Windows icon"),
    (b"icns", "a macOS icon"),
    (b"\x8aMNG", "an MNG animation"),
    (b"\x8bJNG", "a JNG picture"),
    (b"\x01\xda", "an SGI picture"),
    (b"PF\n", "a PFM picture"),
    (b"Pf\n", "a PFM picture"),
    (b"FOVb", "a camera raw file"),
    (b"\x00MRM", "a camera raw file"),
    (b"SIMPLE", "a FITS file"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"gimp xcf", "a GIMP document"),
    (b"qoif", "a QOI picture"),
    (b"DDS ", "a DirectDraw surface"),
    (b"FUJIFILM", "a camera raw file"),
    (b"IIRO", "a camera raw file"),
    (b"IIU\x00", "a camera raw file"),
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself"),
    (b"ID3", "a sound file"),
    (b"OggS", "a sound or video file"),
    (b"fLaC", "a sound file"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
)


def describe(head: bytes) -> str:
    """What a file that no reader knows seems to be, for a person: "a ZIP archive", "not a picture"."""
    if not head.strip(b"\x00"):
        return "nothing but zero bytes"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, name in _OTHERS:
        if head.startswith(magic) or (magic.startswith(b"<") and text.startswith(magic)):
            return name
    if head[:1] == b"P" and head[1:2] in b"1234567" and head[2:3].isspace():
        return "a PNM picture"
    if head.startswith(
        b"\x00\x00\x02\x00"
    ):  # the number of cursors, or the empty colour map of a Targa picture
        return "a Windows cursor" if head[4:6].strip(b"\x00") else "a Targa picture"
    if head[4:8] == b"ftyp":
        return "a camera raw file" if head[8:11] == b"crx" else "a video or sound file"
    if head.startswith(b"RIFF"):
        return "a video or sound file"
    if head[8:10] == b"CR":
        return "a camera raw file"
    return "not a picture"


def promises_picture(path: str) -> bool:
    """Whether the name of a file says that it is a picture: a known ending, or none at all."""
    suffix = PurePosixPath(path).suffix.lower()
    return suffix in PICTURE_SUFFIXES or not suffix
