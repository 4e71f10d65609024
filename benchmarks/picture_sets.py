"""Labelled sets of pictures of many kinds, to tune clustering on and to try it on.

    python benchmarks/picture_sets.py OUT [--root DIR] [--photos FOLDER]

Writes OUT/tuned/SET/CLASS/*.png and OUT/held/SET/CLASS/*.png. The pictures come from Debian's packages
gnome-backgrounds, plasma-workspace-wallpapers, mate-backgrounds, ukui-wallpapers, lomiri-wallpapers-16.04 and
-20.04, openclipart-png, tuxpaint-stamps-default, wesnoth-1.16-data, minetest-data, sweethome3d-furniture,
fonts-noto-color-emoji and unicode-data, below each --root that is given (`dpkg -x` puts a package there
without installing it), and from FOLDER, which has one folder of photos per class. A set whose pictures are
not there is left out, with a word. What is held has no picture in common with what is tuned on; of drawings
and objects no kind either.
"""

import argparse
import hashlib
import io
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFont

SIDE = 400
"""Longest side of a picture that is written."""

Picture = Callable[[], Image.Image]
Groups = dict[str, list[Picture]]

CLIPART = {
    "tuned": (
        "animals/bugs animals/birds food/desserts buildings/homes people/smilies tools/weapons "
        "signs_and_symbols/flags/asia transportation/vehicles plants/trees"
    ),
    "held": (
        "animals/mammals food/fruit food/beverages plants/flowers people/stickmen transportation/boating "
        "transportation/roadsigns people/clothing special/patterns recreation/music"
    ),
}
EMOJI = {
    "tuned": "face-smiling animal-bird animal-bug food-fruit transport-ground clothing sky-&-weather place-building",
    "held": "animal-mammal animal-marine food-prepared food-sweet hand-fingers-open time arrow music book-paper heart",
}
STAMPS = {
    "tuned": "animals/birds animals/insects animals/mammals food/fruit plants/flowers town/houses town/roadsigns",
    "held": "clothes animals/fish household/dishes household/tools hobbies/music symbols/money space/planets vehicles",
}
WESNOTH = {
    "tuned": "portraits/humans portraits/undead portraits/monsters portraits/elves portraits/orcs portraits/dwarves",
    "held": (
        "units/drakes units/dwarves units/elves-wood units/human-loyalists units/orcs units/saurians "
        "units/undead-skeletal units/merfolk"
    ),
}
TILES = {
    "tuned": "castle water forest cave frozen village flat",
    "held": "wood stone leaves sapling wool dye ingot flower",
}
FURNITURE = {
    "tuned": "chair table bed lamp plant|tree door window car",
    "held": "sofa|couch sink|washbasin cabinet|wardrobe|shelf|shelves computer|television|tv bath|shower stairs "
    "piano|guitar fence "
    "oven|cooker|fridge male|female|man|woman",
}


def opened(path: Path) -> Image.Image:
    """A picture on white, no larger than it is written."""
    with Image.open(path) as picture:
        return on_white(picture)


def on_white(picture: Image.Image) -> Image.Image:
    """The picture on white, no longer than `SIDE`."""
    picture.thumbnail((2 * SIDE, 2 * SIDE))
    whole = picture.convert("RGBA")
    ground = Image.new("RGBA", whole.size, "white")
    return Image.alpha_composite(ground, whole).convert("RGB")


class Sources:
    """What lies below the roots and in the folder of photos, by kind."""

    def __init__(self, roots: Sequence[Path], photos: Path | None) -> None:
        self.roots, self.folder = roots, photos

    def files(self, pattern: str) -> list[Path]:
        """All that match below any root, without repetition of content."""
        found = {f for root in self.roots for f in root.glob(pattern) if f.is_file()}
        by_content = {hashlib.sha256(f.read_bytes()).digest(): f for f in sorted(found, reverse=True)}
        return sorted(by_content.values())

    def folders(self, base: str, names: str, most: int) -> Groups:
        """The pictures below each folder as a group."""
        return {
            name.replace("/", "-"): [
                partial(opened, f) for f in evenly(self.files(f"{base}/{name}/**/*.png"), most)
            ]
            for name in names.split()
        }

    @cache  # noqa: B019 - there is one of these
    def photos(self, half: str) -> Groups:
        """The photos of each class that belong to one half, by their names."""
        groups: Groups = defaultdict(list)
        for file in sorted(self.folder.rglob("*.*")) if self.folder else ():
            odd = hashlib.sha256(file.name.encode()).digest()[0] % 2
            if ("tuned", "held")[odd] == half:
                groups[file.parent.name].append(partial(opened, file))
        return dict(groups)

    @cache  # noqa: B019
    def scenes(self, half: str) -> list[Image.Image]:
        """Wallpapers, one of each."""
        chosen = {}
        for pattern in ("usr/share/backgrounds/**/*.*", "usr/share/wallpapers/*/contents/images/*.*"):
            for file in self.files(pattern):
                if (
                    file.suffix not in (".jpg", ".png", ".webp")
                    or "no-logo" in file.name
                    or "Elephants_" in file.name
                ):
                    continue
                name = file.parents[2].name if file.parent.name == "images" else file.stem
                if name not in chosen or file.stat().st_size > chosen[name].stat().st_size:
                    chosen[name] = file
        halves = sorted(chosen.items())[0 if half == "tuned" else 1 :: 2]
        return [large(file) for _, file in halves]

    def emoji(self, subgroups: str) -> Groups:
        """Emoji of Unicode's subgroups, as drawn by the font."""
        fonts = self.files("usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
        tables = self.files("usr/share/unicode/emoji/emoji-test.txt")
        if not fonts or not tables:
            return {}
        font = ImageFont.truetype(str(fonts[0]), 109)
        groups: Groups = {name: [] for name in subgroups.split()}
        subgroup = ""
        for line in tables[0].read_text(encoding="utf-8").splitlines():
            subgroup = line.removeprefix("# subgroup: ") if line.startswith("# subgroup") else subgroup
            if subgroup in groups and "; fully-qualified" in line and "skin tone" not in line:
                text = "".join(chr(int(code, 16)) for code in line.split(";")[0].split())
                groups[subgroup].append(partial(glyph, text, font))
        return groups

    def furniture(self, words: str) -> Groups:
        """Icons of furniture that bear one of the words in their names."""
        groups: Groups = {word.split("|")[0]: [] for word in words.split()}
        for file in self.files("usr/share/sweethome3d/furniture/*.sh3f"):
            archive = zipfile.ZipFile(file)
            lines = archive.read("PluginFurnitureCatalog.properties").decode("latin-1")
            icons = dict(re.findall(r"^icon#(\d+)=/?(.+?)\s*$", lines, re.MULTILINE))
            for number, name in re.findall(r"^name#(\d+)=(.+?)\s*$", lines, re.MULTILINE):
                for word in words.split():
                    if (
                        re.search(rf"\b({word})s?\b", name.lower())
                        and icons.get(number) in archive.namelist()
                    ):
                        groups[word.split("|")[0]].append(partial(zipped, archive, icons[number]))
                        break
        return groups


def evenly(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many, spread evenly over all."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).astype(int))]


def large(path: Path) -> Image.Image:
    """A wallpaper large enough to frame parts of it."""
    with Image.open(path) as picture:
        picture.draft("RGB", (1600, 1600))
        picture.thumbnail((1600, 1600))
        return picture.convert("RGB")


def zipped(archive: zipfile.ZipFile, name: str) -> Image.Image:
    with Image.open(io.BytesIO(archive.read(name))) as picture:
        return on_white(picture)


def glyph(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    picture = Image.new("RGB", (150, 150), "white")
    ImageDraw.Draw(picture).text((8, 12), text, font=font, embedded_color=True)
    return picture


def reframed(scene: Image.Image, random: np.random.Generator, least: float) -> Image.Image:
    """Another shot of a scene: another part of it at least so long, exposed and turned otherwise."""
    share = random.uniform(least, 1)
    width, height = (round(side * share) for side in scene.size)
    left, top = (
        int(random.integers(0, whole - part + 1))
        for whole, part in zip(scene.size, (width, height), strict=True)
    )
    shot = scene.crop((left, top, left + width, top + height)).rotate(
        random.uniform(-4, 4), Image.Resampling.BILINEAR
    )
    margin = round(0.04 * min(shot.size))
    shot = shot.crop((margin, margin, shot.width - margin, shot.height - margin))
    return ImageEnhance.Brightness(shot).enhance(random.uniform(0.7, 1.3))


def bursts(scenes: Sequence[Image.Image], sizes: Sequence[int], least: float, seed: int) -> Groups:
    """Shots of as many scenes as there are sizes, as long as there are scenes."""
    random = np.random.default_rng(seed)
    return {
        f"scene {number:02}": [
            partial(reframed, scene, np.random.default_rng((seed, number, shot)), least)
            for shot in range(size)
        ]
        for number, (scene, size) in enumerate(
            zip(random.permutation(np.array(scenes, object)), sizes, strict=False)
        )
    }


def drawn(seed: int, count: int) -> Groups:
    """Abstract pictures of six kinds; colours say nothing of the kind."""
    kinds = {
        "stripes": stripes,
        "dots": dots,
        "checks": checks,
        "clouds": clouds,
        "rings": rings,
        "strokes": strokes,
    }
    return {
        name: [partial(painted, draw, (seed, row, shot)) for shot in range(count)]
        for row, (name, draw) in enumerate(kinds.items())
    }


def painted(draw: Callable[[np.random.Generator], Image.Image], seed: tuple[int, ...]) -> Image.Image:
    """A mask drawn in two colours."""
    random = np.random.default_rng(seed)
    first, second = (Image.new("RGB", (256, 256), tuple(random.integers(0, 256, 3))) for _ in range(2))
    return ImageChops.composite(first, second, draw(random))


def _grid() -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.mgrid[0:256, 0:256])  # pyright: ignore[reportReturnType]


def _mask(table: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(table * 255, 0, 255).astype(np.uint8))


def stripes(random: np.random.Generator) -> Image.Image:
    y, x = _grid()
    angle, width = random.uniform(0, np.pi), random.uniform(12, 40)
    return _mask((np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / width) > 0) * 1.0)


def checks(random: np.random.Generator) -> Image.Image:
    y, x = _grid()
    side = random.uniform(14, 45)
    return _mask(((x // side + y // side) % 2) * 1.0)


def rings(random: np.random.Generator) -> Image.Image:
    y, x = _grid()
    left, top = random.uniform(40, 216, 2)
    return _mask((np.sin(np.hypot(x - left, y - top) * 2 * np.pi / random.uniform(15, 50)) > 0) * 1.0)


def clouds(random: np.random.Generator) -> Image.Image:
    coarse = _mask(random.uniform(0, 1, (random.integers(4, 9),) * 2))
    return coarse.resize((256, 256), Image.Resampling.BICUBIC)


def dots(random: np.random.Generator) -> Image.Image:
    mask = Image.new("L", (256, 256))
    for x, y in random.uniform(0, 256, (random.integers(20, 60), 2)):
        ImageDraw.Draw(mask).circle((x, y), random.uniform(5, 14), 255)
    return mask


def strokes(random: np.random.Generator) -> Image.Image:
    mask = Image.new("L", (256, 256))
    for _ in range(random.integers(8, 20)):
        ImageDraw.Draw(mask).line(list(random.uniform(0, 256, 6)), 255, int(random.integers(2, 9)))
    return mask


def draw_of(groups: Mapping[str, list[Picture]], sizes: Sequence[int] | int, seed: int) -> Groups:
    """So many pictures of each group, drawn."""
    random = np.random.default_rng(seed)
    wanted = [sizes] * len(groups) if isinstance(sizes, int) else random.permutation(np.array(sizes))
    return {
        name: [pictures[i] for i in random.permutation(len(pictures))[: int(size)]]
        for (name, pictures), size in zip(sorted(groups.items()), wanted, strict=False)
    }


GREAT = {
    "animals": ("cat", "dog"),
    "vehicles": ("airplane", "car", "motorbike"),
    "plants": ("flower", "fruit"),
    "people": ("person",),
}
"""Great kinds of thumbnails, and the classes that each is made of, in folders within it."""

GREAT_SIZE = 120
"""Pictures of each great kind."""


def some(groups: Groups, *sizes: int) -> Groups:
    """The first groups, cut to these sizes."""
    return {
        name: evenly(pictures, size) for (name, pictures), size in zip(groups.items(), sizes, strict=False)
    }


def sets(sources: Sources, half: str) -> Iterator[tuple[str, Groups]]:
    """The sets of one half by name."""
    held = half == "held"
    photos, scenes = sources.photos(half), sources.scenes(half)
    clipart = sources.folders("usr/share/openclipart/png", CLIPART[half], 40)
    stamps = sources.folders("usr/share/tuxpaint/stamps", STAMPS[half], 40)
    emoji = sources.emoji(EMOJI[half])
    for number in range(5):
        yield f"thumbnails {number + 5 * held}", draw_of(photos, 100, number)
    yield "thumbnails, unequal", draw_of(photos, (12, 18, 28, 42, 60, 90, 120, 150), 7)
    yield "clip art", clipart
    yield "emoji", emoji
    yield "stamps", stamps
    yield "game figures", sources.folders("usr/share/games/wesnoth/1.16/data/core/images", WESNOTH[half], 50)
    if held:
        yield (
            "game tiles",
            {
                word: [
                    partial(opened, file)
                    for file in evenly(
                        sources.files(f"usr/share/games/minetest/games/minetest_game/**/*_{word}*.png"), 40
                    )
                ]
                for word in TILES[half].split()
            },
        )
    else:
        yield (
            "game tiles",
            sources.folders("usr/share/games/wesnoth/1.16/data/core/images/terrain", TILES[half], 60),
        )
    yield "furniture", some(sources.furniture(FURNITURE[half]), *[45] * 12)
    yield "events", bursts(scenes, (5, 7, 9, 12, 15, 18, 20, 22, 8, 6, 10, 14), 0.45, 1)
    yield "shoots", bursts(scenes, [8] * 30, 0.6, 2)
    kinds = sorted(photos)
    if held:
        yield (
            "great kinds",
            {
                f"{great}/{kind}": photos.get(kind, [])[: GREAT_SIZE // len(members)]
                for great, members in GREAT.items()
                for kind in members
            },
        )
        few = {kind: photos[kind][60:] for kind in kinds[1:5]}
        yield (
            "mixture",
            {
                **draw_of(few, (50, 20, 12, 35), 3),
                **some(stamps, 12, 11),
                **some(emoji, 25, 12),
                **some(bursts(scenes, [15] * 2, 0.5, 5), 15, 9),
            },
        )
    else:
        if kinds:
            sizes = dict(zip(kinds, (20, 20, 20, 20, 20, 0, 0, 200), strict=False))
            yield "one great kind", {kind: photos[kind][:size] for kind, size in sizes.items() if size}
            yield "few", {kind: photos[kind][200:223] for kind in kinds[2:5]}
        yield "drawn", drawn(0, 40)
        few = {kind: photos[kind][100:] for kind in kinds[:3]}
        yield (
            "mixture",
            {
                **draw_of(few, (60, 15, 25), 3),
                **some(clipart, 30, 12),
                **some(stamps, 20, 10),
                **some(bursts(scenes, [15] * 2, 0.5, 5), 15, 10),
            },
        )


def write(groups: Groups, folder: Path) -> int:
    """Write each group of at least five pictures into a folder of its own; returns how many pictures."""
    count = 0
    for name, pictures in groups.items():
        if len(pictures) < 5:
            continue
        (folder / name).mkdir(parents=True)
        for number, make in enumerate(pictures):
            picture = make()
            picture.thumbnail((SIDE, SIDE))
            picture.save(folder / name / f"{number:03}.png", compress_level=1)
            count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--root", type=Path, action="append", help="folder with a usr/share, / by default")
    parser.add_argument("--photos", type=Path, help="folder of class folders")
    arguments = parser.parse_args()
    sources = Sources(arguments.root or [Path("/")], arguments.photos)
    for half in ("tuned", "held"):
        for name, groups in sets(sources, half):
            count = write(groups, arguments.out / half / name)
            print(
                f"{half:6} {name:22} {count:4} pictures" if count else f"{half:6} {name}: no pictures found"
            )


if __name__ == "__main__":
    main()
