"""What a file that is not read seems to be, by its first bytes; and which names promise a picture."""

from pathlib import PurePosixPath

HEAD_BYTES = 64
"""How much of a file its readers and `describe` want to see."""

RAW_SUFFIXES = frozenset(
    f".{ending}"
    for endings in (
        "dng cr2 cr3 crw nef nrw arw srf sr2 srw orf",
        "rw2 rwl raf pef x3f mrw iiq 3fr erf kdc",
    )
    for ending in endings.split()
)
"""Endings of what cameras write before it is a picture."""

PICTURE_SUFFIXES = (
    frozenset(
        f".{ending}"
        for endings in (
            "jpg jpeg jpe jfif pjpeg mpo png apng bmp dib webp tif tiff gif avif avifs heic heif hif",
            "psd jp2 j2k jpf jxl tga exr hdr ppm pgm pbm pnm pam qoi pcx dds",
        )
        for ending in endings.split()
    )
    | RAW_SUFFIXES
)
"""Endings that promise a picture, also in formats that are not read: such a file counts as a failure.

Drawings, icons and documents of editors do not: they lie beside the pictures in many a folder.
"""

_OTHERS = {
    "a Photoshop document": (b"8BPS",),
    "a PDF document": (b"%PDF",),
    "a PostScript document": (b"%!PS",),
    "a ZIP archive": (b"PK\x03\x04",),
    "a gzip archive": (b"\x1f\x8b",),
    "a 7-Zip archive": (b"7z\xbc\xaf",),
    "a RAR archive": (b"Rar!",),
    "a program": (b"\x7fELF", b"MZ"),
    "a JPEG 2000 picture": (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"),
    "a JPEG XL picture": (b"\x00\x00\x00\x0cJXL ", b"\xff\x0a"),
    "a Windows icon": (b"\x00\x00\x01\x00",),
    "a macOS icon": (b"icns",),
    "an MNG animation": (b"\x8aMNG",),
    "a JNG picture": (b"\x8bJNG",),
    "an SGI picture": (b"\x01\xda",),
    "a PFM picture": (b"PF\n", b"Pf\n"),
    "a camera raw file": (b"FOVb", b"\x00MRM", b"FUJIFILM", b"IIRO", b"IIU\x00"),
    "a FITS file": (b"SIMPLE",),
    "an OpenEXR picture": (b"v/1\x01",),
    "a Radiance HDR picture": (b"#?RADIANCE",),
    "a GIMP document": (b"gimp xcf",),
    "a QOI picture": (b"qoif",),
    "a DirectDraw surface": (b"DDS ",),
    "an SVG drawing": (b"<svg",),
    "a web page": (b"<!doctype html", b"<html"),
    "an XML document": (b"<?xml",),
    "a Git LFS pointer, not the picture itself": (b"version https://git-lfs",),
    "a sound file": (b"ID3", b"fLaC"),
    "a sound or video file": (b"OggS",),
    "a Matroska or WebM video": (b"\x1aE\xdf\xa3",),
}


def describe(head: bytes) -> str:
    """What a file that no reader knows seems to be, for a person: "a ZIP archive", "not a picture"."""
    if not head.strip(b"\x00"):
        return "nothing but zero bytes"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for name, magics in _OTHERS.items():
        if head.startswith(magics) or text.startswith(tuple(magic for magic in magics if magic[:1] == b"<")):
            return name
    if head[:1] == b"P" and head[1:2] in b"1234567" and head[2:3].isspace():
        return "a PNM picture"
    if head.startswith(b"\0\0\2\0"):  # the number of cursors, or the empty colour map of a Targa picture
        return "a Windows cursor" if head[4:6].strip(b"\x00") else "a Targa picture"
    if head[4:8] == b"ftyp":
        return "a camera raw file" if head[8:11] == b"crx" else "a video or sound file"
    if head.startswith(b"RIFF"):
        return "a video or sound file"
    if head[8:10] == b"CR":
        return "a camera raw file"
    return "not a picture"


def is_raw(path: str) -> bool:
    """Whether the name of a file says that it is a camera's raw file."""
    return PurePosixPath(path).suffix.lower() in RAW_SUFFIXES


def promises_picture(path: str) -> bool:
    """Whether the name of a file says that it is a picture: a known ending, or none at all."""
    suffix = PurePosixPath(path).suffix.lower()
    return suffix in PICTURE_SUFFIXES or not suffix
