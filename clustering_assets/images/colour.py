"""From whatever a file holds (16 bits, CMYK, palettes, alpha, colour profiles) to 8-bit sRGB."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from clustering_assets.images.colour_spaces import Coding, changes_nothing, convert, moves_nothing

Colour = tuple[int, int, int]

_COLOUR_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


class UnclearPixelsError(ValueError):
    """A file whose numbers do not say which of them is white."""


def to_srgb(
    image: Image.Image, background: Colour = (255, 255, 255), coding: Coding | None = None
) -> Image.Image:
    """`image` as 8-bit sRGB ("RGB"), transparent parts laid on `background`.

    Where all of a picture is transparent, its colours are shown, if there are several.

    An embedded ICC profile is followed; one that is broken or does not fit the pixels is passed over, as
    browsers do, and the numbers are taken as sRGB.

    Args:
        image: A decoded picture in any mode that Pillow has.
        background: The ground colour, sRGB, 0 to 255 each.
        coding: What the numbers mean; None to follow the embedded profile, if there is one.

    Raises:
        UnclearPixelsError: 32-bit numbers without a defined white.
    """
    profile = None if coding else image.info.get("icc_profile")
    image = _eight_bits(image)
    alpha = None
    if image.mode in _ALPHA or "transparency" in image.info:
        grey = image.mode in ("LA", "La")
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("L" if grey else "RGB")
    image = _without_profile(image, profile)
    if coding and not changes_nothing(coding):
        image = Image.fromarray(convert(np.asarray(image), coding), "RGB")
    if alpha is None or alpha.getextrema() == (255, 255) or _is_unused(alpha, image):
        return image
    ground = Image.new("RGB", image.size, background)
    ground.paste(image, mask=alpha)
    return ground


def _is_unused(alpha: Image.Image, image: Image.Image) -> bool:
    """Whether all of an "RGB" picture would be transparent though there is one: its writer left the values at zero."""
    return alpha.getextrema() == (0, 0) and image.getcolors(1) is None


def _without_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """`image` as "RGB", its numbers read through `profile`."""
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "CMYK", "RGB", "LAB"):
        image = image.convert("RGB")
    if image.mode == "LAB":
        return _lab_transform().apply(image)
    transform = _transform(profile, image.mode) if profile else None
    if transform:
        return transform.apply(image)
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What turns `mode` pixels of `profile` into sRGB; None if they are sRGB already or it does not fit."""
    try:
        source = ImageCms.core.profile_frombytes(profile)
        if _COLOUR_SPACES.get(source.xcolor_space.strip()) != mode:
            return None
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(source), ImageCms.createProfile("sRGB"), mode, "RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode == "RGB" and moves_nothing(lambda rgb: np.asarray(transform.apply(Image.fromarray(rgb, "RGB")))):
        return None  # as with the many sRGB profiles
    return transform


@lru_cache(maxsize=1)
def _lab_transform() -> ImageCms.ImageCmsTransform:
    """What turns CIE L*a*b* pixels, which some TIFF files hold, into sRGB."""
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )


def _eight_bits(image: Image.Image) -> Image.Image:
    """`image` with 8 bits for each channel; 16-bit grey keeps a transparent level as alpha."""
    if image.mode in _SIXTEEN_BITS:
        return _from_sixteen_bits(image)
    if image.mode == "F":
        return _from_floats(image)
    if image.mode == "I":
        raise UnclearPixelsError("32-bit whole numbers, which do not say what white is")
    return image


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    """16-bit grey (or 12-bit, from some TIFF files) as "L" or, with a transparent level, "LA"."""
    numbers = np.asarray(image).astype(np.uint32)
    tags = getattr(image, "tag_v2", {})
    white = 4095 if tuple(tags.get(258, ())) == (12,) else 65535
    grey = ((numbers * 255 + white // 2) // white).clip(0, 255).astype(np.uint8)
    if tags.get(262) == 0:
        grey = 255 - grey
    level = image.info.get("transparency")
    if isinstance(level, int):
        alpha = np.where(numbers == level, 0, 255).astype(np.uint8)
        return Image.merge("LA", (Image.fromarray(grey, "L"), Image.fromarray(alpha, "L")))
    return Image.fromarray(grey, "L")


def _from_floats(image: Image.Image) -> Image.Image:
    """Floating-point grey from 0 (black) to 1 (white) as "L"."""
    numbers = np.asarray(image)
    if not (np.isfinite(numbers).all() and numbers.min() >= 0 and numbers.max() <= 1):
        raise UnclearPixelsError("floating-point numbers outside 0 to 1, which do not say what white is")
    return Image.fromarray((numbers * 255).round().astype(np.uint8), "L")
