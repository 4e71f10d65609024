"""How well near duplicates are found: precision and recall on copies of known pictures.

    python benchmarks/duplicates.py --images FOLDER [--most 100] [--backbone efficientnet_lite0] [--json FILE]
    python benchmarks/duplicates.py --images FOLDER --bursts [--most 100] [--backbone efficientnet_lite0] [--json FILE]
    python benchmarks/duplicates.py --generated 100000 [--json FILE]

Every picture of the folder gets one copy of each kind (scaled, JPEG 60, cropped by 5 %, turned, mirrored,
brightened). Two ways run on the same files: the perceptual hash alone, turned and mirrored or not, as it is
usually used, and `near_duplicates`, where embeddings verify what the hash proposes.

With `--bursts` every picture becomes a burst of nine: framed anew (moved by up to 9 %, scaled by up to 10 %, turned by
up to 3 degrees), out of focus, shaken, too dark. They are looked for with and without capture times, a second apart;
one burst follows the other without a pause, so that only what is seen can tell them apart. Beside precision and
recall: how often a picture that is shown is a sharp one.

With `--generated` the time and memory of the search alone are measured, on made-up hashes and embeddings of that
many pictures and of a tenth and a third as many; one picture in ten is a copy of another, four bits off, turned or
mirrored.
"""

import argparse
import io
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter, ImageOps

from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Inputs, embed
from clustering_assets.files.local import LocalFolder
from clustering_assets.images import duplicates
from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture
from clustering_assets.images.manifest import scan, usable
from clustering_assets.images.perceptual_hash import perceptual_hash

LONGEST = 1024
PLAIN_BITS = 6


def scaled(image: Image.Image) -> Image.Image:
    return image.resize((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.LANCZOS)


def cropped(image: Image.Image) -> Image.Image:
    x, y = round(image.width * 0.025), round(image.height * 0.025)
    return image.crop((x, y, image.width - x, image.height - y))


def cropped_on_one_side(image: Image.Image) -> Image.Image:
    return image.crop((round(image.width * 0.05), 0, image.width, image.height))


def brightened(image: Image.Image) -> Image.Image:
    return Image.eval(image, lambda level: min(255, level * 5 // 4))


KINDS: dict[str, tuple[Callable[[Image.Image], Image.Image], int]] = {
    "half the size": (scaled, 92),
    "JPEG 60": (lambda image: image, 60),
    "cropped 5 %": (cropped, 92),
    "cropped 5 % on one side": (cropped_on_one_side, 92),
    "turned 90": (lambda image: image.transpose(Image.Transpose.ROTATE_90), 92),
    "turned 180": (lambda image: image.transpose(Image.Transpose.ROTATE_180), 92),
    "mirrored": (ImageOps.mirror, 92),
    "brighter by a quarter": (brightened, 92),
}


def make_copies(source: Path, target: Path, most: int) -> int:
    """Write each usable picture of `source` and its copies to `target`; returns the number of originals."""
    seen: list[int] = []
    for found in LocalFolder(source).files():
        if found.problem or len(seen) == 8 * most:
            continue
        try:
            image = read_picture(source / found.path).image
        except ImageError:
            continue
        if min(image.size) < 100:
            continue
        image.thumbnail((LONGEST, LONGEST))
        code = perceptual_hash(np.asarray(image))
        if any((int(code, 16) ^ other).bit_count() <= 16 for other in seen):
            continue
        number = len(seen) // 8
        seen.extend(duplicates.positions(np.array([int(code, 16)], np.uint64)).ravel().tolist())
        save(image, target / f"{number:04}_0.jpg", 95)
        for kind, (change, quality) in enumerate(KINDS.values(), 1):
            save(change(image), target / f"{number:04}_{kind}.jpg", quality)
    return len(seen) // 8


def framed(image: Image.Image, zoom: float, right: float, down: float, degrees: float) -> Image.Image:
    """The middle of a picture, four fifths of its sides, after a hand has moved the camera."""
    width, height = image.size
    moved = image.rotate(
        degrees, Image.Resampling.BICUBIC, translate=(round(right * width), round(down * height))
    )
    across, high = 0.4 * width / zoom, 0.4 * height / zoom
    box = (width / 2 - across, height / 2 - high, width / 2 + across, height / 2 + high)
    size = round(0.8 * width), round(0.8 * height)
    return moved.resize(size, Image.Resampling.BICUBIC, box)


def softened(image: Image.Image, share: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(share * max(image.size)))


def shaken(image: Image.Image, share: float, degrees: float) -> Image.Image:
    """The mean of a picture along a straight way, a share of its longer side."""
    length = share * max(image.size)
    ways = np.linspace(-length / 2, length / 2, max(2, round(length)))
    right, down = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    sums = np.zeros((image.height, image.width, 3))
    for way in ways:
        shift = (1, 0, way * right, 0, 1, way * down)
        sums += np.asarray(image.transform(image.size, Image.Transform.AFFINE, shift))
    return Image.fromarray((sums / len(ways)).astype(np.uint8))


BURST = (
    "as meant",
    "out of focus a little",
    "out of focus",
    "shaken a little",
    "shaken",
    "framed anew",
    "framed anew, farther",
    "framed anew, out of focus",
    "framed anew, too dark",
)
SHARP = (0, 5, 6, 8)
"""Places in a burst of the pictures that are sharp."""


def burst(image: Image.Image, random: np.random.Generator) -> list[Image.Image]:
    """The nine pictures of a burst, as `BURST` has them."""

    def anew(most: float) -> Image.Image:
        right, down = random.choice([-1, 1], 2) * random.uniform(most / 3, most, 2)
        return framed(image, random.uniform(0.91, 1.1), right, down, random.uniform(-3, 3))

    meant, turn = framed(image, 1, 0, 0, 0), random.uniform(0, 180)
    soft = [softened(meant, share) for share in (0.003, 0.008)]
    shook = [shaken(meant, share, turn) for share in (0.012, 0.03)]
    dark = Image.eval(anew(0.06), lambda level: level * 7 // 10)
    return [meant, *soft, *shook, anew(0.05), anew(0.09), softened(anew(0.06), 0.005), dark]


def make_bursts(source: Path, target: Path, most: int) -> int:
    """Write a burst of each of the pictures that `make_copies` would take; returns their number."""
    with tempfile.TemporaryDirectory() as name:
        count = make_copies(source, Path(name), most)
        for number in range(count):
            with Image.open(Path(name) / f"{number:04}_0.jpg") as image:
                start = pd.Timestamp("2024-05-01 12:00") + pd.Timedelta(seconds=len(BURST) * number)
                pictures = burst(image.convert("RGB"), np.random.default_rng(number))
            for place, picture in enumerate(pictures):
                exif = Image.Exif()
                exif[0x8769] = {0x9003: f"{start + pd.Timedelta(seconds=place):%Y:%m:%d %H:%M:%S}"}
                save(picture, target / f"{number:04}_{place}.jpg", 92, exif)
    return count


def judge_bursts(paths: list[str], groups: list[str]) -> dict[str, Any]:
    """As `judge`, and how often the picture shown of a burst is sharp, and how many each burst shows."""
    found = judge(paths, groups, BURST)
    shown = [path for path, group in zip(paths, groups, strict=True) if not group]
    return found | {
        "sharp ones shown": sum(int(path[5]) in SHARP for path in shown) / len(shown),
        "pictures shown of a burst": len(shown) / len({path[:4] for path in paths}),
    }


def measure_bursts(options: argparse.Namespace) -> dict[str, Any]:
    """Precision and recall on bursts, by hash and embedding alone, with bursts, and with bursts but without times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = make_bursts(options.images, folder, options.most)
        rows = usable(scan(folder))
        vectors = embed(Inputs(rows, folder), NetworkSpec(options.backbone)).vectors
        paths, source = rows["path"].tolist(), LocalFolder(folder)
        begin = time.perf_counter()
        groups = duplicates.near_duplicates(rows, vectors, source).tolist()
        result: dict[str, Any] = {"bursts": count, "seconds": time.perf_counter() - begin}
        timeless = duplicates.near_duplicates(rows.assign(taken_at=None), vectors, source).tolist()
        copies = duplicates.near_duplicates(rows, vectors).tolist()
        for way, found in (("copies", copies), ("bursts", groups), ("without times", timeless)):
            result[way] = judge_bursts(paths, found)
    print(f"{count} bursts, {len(rows)} pictures, {result['seconds']:.1f} s\n")
    print(f"{'':28}{'copies':>10}{'bursts':>10}{'no times':>10}")
    ways = [result[way] for way in ("copies", "bursts", "without times")]
    for figure in ("precision", "recall", "sharp ones shown", "pictures shown of a burst"):
        print(f"{figure:28}" + "".join(f"{way[figure]:10.3f}" for way in ways))
    for kind in BURST[1:]:
        print(f"  {kind:26}" + "".join(f"{way['recall by kind'][kind]:10.3f}" for way in ways))
    return result


def save(image: Image.Image, path: Path, quality: int, exif: Image.Exif | None = None) -> None:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality, exif=exif or Image.Exif())
    path.write_bytes(data.getvalue())


def judge(paths: list[str], groups: list[str], kinds: Sequence[str] = ("", *KINDS)) -> dict[str, Any]:
    """Precision over all pictures put into a group, recall for each kind of copy but the first, the original."""
    base = [path[:4] for path in paths]
    leader = [group or path for path, group in zip(paths, groups, strict=True)]
    grouped = [index for index, group in enumerate(groups) if group]
    right = sum(leader[index][:4] == base[index] for index in grouped)
    of_original = {path[:4]: leader[index] for index, path in enumerate(paths) if path[5] == "0"}
    recall = {}
    for kind, name in list(enumerate(kinds))[1:]:
        copies = [index for index, path in enumerate(paths) if path[5] == str(kind)]
        recall[name] = sum(leader[index] == of_original[base[index]] for index in copies) / len(copies)
    return {
        "precision": right / len(grouped) if grouped else 1.0,
        "recall": statistics.fmean(recall.values()),
        "recall by kind": recall,
    }


def by_plain_hash(rows: pd.DataFrame, bits: int) -> list[str]:
    """The usual way: two pictures are copies if their hashes differ in few bits; no turning, no check."""
    codes = np.array([int(code, 16) for code in rows["phash"]], np.uint64)
    paths, groups = rows["path"].tolist(), [""] * len(rows)
    for index in range(len(codes)):
        if not groups[index]:
            close = np.flatnonzero(np.bitwise_count(codes ^ codes[index]) <= bits)
            for other in close[close > index]:
                groups[other] = groups[other] or paths[index]
    return groups


def generated(count: int) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Rows of a manifest and embeddings of made-up pictures, and how many of them are copies."""
    random = np.random.default_rng(0)
    copies = count // 10
    originals = count - copies
    codes = random.integers(0, 1 << 63, originals, dtype=np.uint64)
    of = random.integers(0, originals, copies)
    copied = duplicates.positions(codes[of])[random.integers(0, 8, copies), np.arange(copies)]
    for _ in range(4):
        copied ^= np.uint64(1) << random.integers(0, 63, copies).astype(np.uint64)
    vectors = random.standard_normal((originals, 256), np.float32)
    near = vectors[of] + 0.05 * random.standard_normal((copies, 256), np.float32)
    rows = pd.DataFrame(
        {
            "path": [f"{number:07}.jpg" for number in range(count)],
            "content_hash": [f"{number:032x}" for number in range(count)],
            "phash": [f"{code:016x}" for code in np.concatenate([codes, copied]).tolist()],
            "bytes": 50_000,
            "width": 500,
            "height": 375,
            **{name: random.uniform(1, 100, count) for name in ("sharpness", "brightness", "chroma")},
            **{name: random.uniform(0.1, 0.4, count) for name in ("contrast", "colourfulness")},
        }
    )
    return rows, np.concatenate([vectors, near]), copies


def time_generated(most: int) -> list[dict[str, float]]:
    """The search among growing numbers of made-up pictures."""
    results = []
    for count in (most // 10, most // 3, most):
        rows, vectors, copies = generated(count)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.process_time()
        groups = duplicates.near_duplicates(rows, vectors)
        seconds = time.process_time() - begin
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        found = int((groups != "").sum()) / copies
        results.append({"pictures": count, "CPU s": seconds, "more memory, MiB": more / 1024, "found": found})
        print("  ".join(f"{name} {value:,.2f}" for name, value in results[-1].items()), flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, help="folder of pictures to make copies of")
    parser.add_argument("--bursts", action="store_true", help="make bursts of them instead of copies")
    parser.add_argument("--generated", type=int, help="number of made-up pictures for time and memory")
    parser.add_argument("--most", type=int, default=100, help="most pictures to make copies of")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--json", type=Path, help="where to write the figures as JSON")
    options = parser.parse_args()
    if options.generated:
        measured = time_generated(options.generated)
        if options.json:
            options.json.write_text(json.dumps(measured, indent=2))
        return
    if not options.images:
        parser.error("name a folder with --images, or a number with --generated")
    if options.bursts:
        measured = measure_bursts(options)
        if options.json:
            options.json.write_text(json.dumps(measured, indent=2))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        originals = make_copies(options.images, folder, options.most)
        rows = usable(scan(folder))
        embedded = embed(Inputs(rows, folder), NetworkSpec(options.backbone))
        begin = time.perf_counter()
        groups = duplicates.near_duplicates(rows, embedded.vectors).tolist()
        seconds = time.perf_counter() - begin
        paths = rows["path"].tolist()
        result = {
            "originals": originals,
            "pictures": len(rows),
            "seconds": seconds,
            "plain hash": judge(paths, by_plain_hash(rows, PLAIN_BITS)),
            "near_duplicates": judge(paths, groups),
        }
    print(f"{originals} pictures, {len(rows)} with their copies; near_duplicates took {seconds:.2f} s\n")
    print(f"{'':26}{'plain hash':>12}{'near_duplicates':>18}")
    plain, ours = result["plain hash"], result["near_duplicates"]
    for name in ("precision", "recall"):
        print(f"{name:26}{plain[name]:12.3f}{ours[name]:18.3f}")
    for name in KINDS:
        print(f"  {name:24}{plain['recall by kind'][name]:12.3f}{ours['recall by kind'][name]:18.3f}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
