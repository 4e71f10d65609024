"""What a video costs: this project against MoviePy, an ffmpeg filter graph and encoding alone.

    python benchmarks/video.py --images DIR [--json FILE]

All four make the same video of the same pictures in one run: the same size, frame rate, slide and transition
lengths, a slow zoom on every picture, crossfades, libx264 with the same preset and quality, no sound.

- `moviepy`: MoviePy's CompositeVideoClip of zooming ImageClips with CrossFadeIn.
- `ffmpeg`: one graph of `zoompan` and `xfade`, in the executable that imageio-ffmpeg brings.
- `project`: Slideshow and write_video, from the picture files to the finished MP4.
- `floor`: the project's own frames, already in memory, only encoded.

CPU seconds count all threads and child processes. The order changes from round to round and the median is reported;
MoviePy, whose minute drowns whatever disturbs it, runs in the first round only. Beside them: seconds of video made in a
second, the most memory held for few and for many slides, how evenly a dot moves, and how much fine texture shimmers.

    python benchmarks/video.py --images DIR --people DIR

Portraits from a second folder, each filled by one head, are pasted into the pictures of the first, which show nobody,
at several sizes and random places: how many are found, how many heads are seen where there are none, what the search
costs, and how many pictures lose part of a head in videos of three shapes with and without it.

    python benchmarks/video.py --bands

A smooth gradient, moving slowly, rounded to whole levels or with noise before that, encoded as the project does: what
is left between it and the gradient where the eye looks at bands, in levels of luma, and how many kB 36 frames take.
"""

import argparse
import copy
import io
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from timing import timed

from clustering_assets.images.errors import ImageError
from clustering_assets.images.load import read_picture
from clustering_assets.settings import VideoSettings
from clustering_assets.video.canvas import lay
from clustering_assets.video.colour import empty
from clustering_assets.video.encode import QUALITIES, write_video
from clustering_assets.video.faces import Box, find_heads
from clustering_assets.video.framing import FINER, MOVES, Framing, frame_picture
from clustering_assets.video.saliency import saliency
from clustering_assets.video.slideshow import Slideshow
from clustering_assets.video.storyboard import Material, make_storyboard

ZOOM = 0.06
"""How much nearer the views of MoviePy and ffmpeg come, about as much as the project's."""


def main() -> None:
    options = _parser().parse_args()
    if options.memory_of:
        _render_for_memory(options)
        return
    if options.bands:
        for name, (error, size) in bands().items():
            print(f"{name:32}{error:8.3f} levels{size / 1024:8.0f} kB")
        return
    if not options.images:
        sys.exit("name a folder with --images, or --bands")
    folder = Path(options.images)
    if options.people:
        found = search_for_people(folder, Path(options.people))
        print(json.dumps(found, indent=2))
        if options.json:
            Path(options.json).write_text(json.dumps(found, indent=2))
        return
    settings = _settings(options)
    table = _table(folder, _pictures(folder, options.slides, settings))
    show = _slideshow(folder, table, settings)
    print(
        f"{len(table)} pictures, {show.timeline.frames} frames, {settings.resolution} at {settings.fps} fps"
    )
    if options.encoder_options:
        _compare_options(show, options)
        return
    with tempfile.TemporaryDirectory() as scratch:
        result = _compare(folder, table, settings, Path(scratch), options)
    result["memory_mb"] = _memory(options)
    result["dot"] = dot_acceleration()
    result["shimmer"] = shimmer(np.asarray(read_picture(folder / str(table["path"].iloc[0])).image))
    _report(result)
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bands", action="store_true", help="only measure how smooth gradients come out")
    parser.add_argument("--images", help="folder with at least a few large landscape pictures")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--slides", type=int, default=4, help="pictures in the compared video")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--resolution", default="1920x1080")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--without", action="append", default=[], choices=["moviepy", "ffmpeg", "memory"])
    parser.add_argument(
        "--encoder-options", action="store_true", help="only compare the project's options of x264 with none"
    )
    parser.add_argument(
        "--people", help="only look for heads: folder of portraits to paste into the pictures"
    )
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    return parser


def _settings(options: argparse.Namespace) -> VideoSettings:
    return VideoSettings(resolution=options.resolution, fps=options.fps, max_images_per_video=1000)


def _pictures(folder: Path, count: int, settings: VideoSettings) -> list[str]:
    """The first pictures, by name, that are large enough to fill the frame without being enlarged."""
    found: list[str] = []
    across, down = settings.size
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        try:
            width, height = _size(path.resolve())
        except ImageError:
            continue
        if width >= 1.1 * across and height >= 1.1 * down and width < 1.9 * height:
            found.append(path.relative_to(folder).as_posix())
        if len(found) == count:
            return found
    sys.exit(f"{folder} has only {len(found)} of {count} landscape pictures of {settings.resolution} or more")


def _table(folder: Path, paths: list[str]) -> pd.DataFrame:
    """What the manifest would know of the pictures."""
    rows = []
    for path in paths:
        facts = (folder / path).stat()
        width, height = _size((folder / path).resolve())
        rows.append((path, "", "", width, height, facts.st_size, facts.st_mtime_ns))
    names = ["path", "content_hash", "duplicate_of", "width", "height", "bytes", "mtime_ns"]
    return pd.DataFrame(rows, columns=names)


@lru_cache
def _size(path: Path) -> tuple[int, int]:
    """Width and height of a picture."""
    picture = read_picture(path, min_side=64)
    return picture.width, picture.height


def _slideshow(folder: Path, table: pd.DataFrame, settings: VideoSettings) -> Slideshow:
    return Slideshow(make_storyboard(Material(table, folder, settings, title="benchmark")))


def _compare(
    folder: Path, table: pd.DataFrame, settings: VideoSettings, scratch: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """CPU and wall seconds of each way, medians over the rounds."""
    show = _slideshow(folder, table, settings)
    paths = [folder / str(slide.path) for slide in show.timeline.slides]
    seconds = show.timeline.seconds
    planes = [show.planes(index) for index in range(show.timeline.frames)]
    ways: dict[str, Callable[[], object]] = {
        "project": lambda: write_video(_slideshow(folder, table, settings), scratch / "project.mp4"),
        "floor": lambda: _encode_only(planes, show, scratch / "floor.mp4"),
        "moviepy": lambda: _moviepy(paths, show, scratch / "moviepy.mp4"),
        "ffmpeg": lambda: _ffmpeg(paths, show, scratch / "ffmpeg.mp4"),
    }
    ways = {name: way for name, way in ways.items() if name not in options.without}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(options.rounds):
        turn = names[number % len(names) :] + names[: number % len(names)]
        for name in [name for name in turn if name != "moviepy" or number == 0]:
            spent, took = timed(ways[name])
            cpu[name].append(spent)
            wall[name].append(took)
            print(f"  round {number + 1}: {name:8} {spent:7.2f} CPU s, {took:7.2f} s")
    medians = {name: statistics.median(values) for name, values in cpu.items()}
    own = medians["project"]
    return {
        "resolution": options.resolution,
        "fps": settings.fps,
        "slides": len(paths),
        "frames": show.timeline.frames,
        "cores": len(os.sched_getaffinity(0)),
        "rounds": options.rounds,
        "cpu_seconds": medians,
        "cpu_seconds_all": cpu,
        "wall_seconds": {name: statistics.median(values) for name, values in wall.items()},
        "times_project": {name: value / own for name, value in medians.items()},
        "project_over_floor": own / medians["floor"],
        "video_seconds_per_second": seconds / statistics.median(wall["project"]),
        "bytes": {path.stem: path.stat().st_size for path in scratch.glob("*.mp4")},
    }


def _encode_only(planes: list[NDArray[np.uint8]], show: Slideshow, path: Path) -> None:
    """Write frames that are in memory already, with the project's own encoder."""
    remembered = copy.copy(show)
    vars(remembered)["planes"] = planes.__getitem__
    write_video(remembered, path)


def _compare_options(show: Slideshow, options: argparse.Namespace) -> None:
    """CPU, bytes and PSNR of the project's options of x264 beside those of the preset alone."""
    planes = [show.planes(index) for index in range(show.timeline.frames)]
    own = QUALITIES["standard"]
    plain = {name: value for name, value in own[0].items() if name != "x264-params"}
    ways = {"preset alone": plain, "project": own[0]}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(options.rounds):
            for name in sorted(ways, reverse=bool(number % 2)):
                QUALITIES["standard"] = (ways[name], own[1])
                path = Path(scratch) / f"{name}.mp4"
                spent[name].append(timed(lambda path=path: _encode_only(planes, show, path))[0])
        QUALITIES["standard"] = own
        for name, values in spent.items():
            path = Path(scratch) / f"{name}.mp4"
            print(
                f"{name:12} {statistics.median(values):6.2f} CPU s, {path.stat().st_size:,} bytes, "
                f"PSNR {_mean_psnr(path, planes):.2f} dB"
            )


def _mean_psnr(path: Path, planes: list[NDArray[np.uint8]]) -> float:
    """Mean PSNR of the luma of a file, in dB; of every frame, as those of one kind recur."""
    import av

    found = []
    with av.open(str(path)) as file:
        for index, frame in enumerate(file.decode(video=0)):
            rows = frame.height
            found.append(cv2.PSNR(frame.to_ndarray()[:rows], planes[index][:rows]))
    return float(np.mean(found))


def _moviepy(paths: list[Path], show: Slideshow, path: Path) -> None:
    """The usual recipe: each picture scaled to cover, zooming, cross-faded in over the one before."""
    import moviepy
    from moviepy import vfx

    width, height = show.settings.size
    clips = []
    for file, slide in zip(paths, show.timeline.slides, strict=True):
        clip = moviepy.ImageClip(_covering(file, (width, height)))
        seconds = (slide.stop - slide.start) / show.fps
        clip = clip.with_duration(seconds).resized(lambda t, seconds=seconds: 1 + ZOOM * t / seconds)
        clip = clip.with_position("center").with_start(slide.start / show.fps)
        clips.append(
            clip.with_effects([vfx.CrossFadeIn(show.settings.transition_seconds)]) if clips else clip
        )
    moviepy.CompositeVideoClip(clips, size=(width, height)).with_duration(
        show.timeline.seconds
    ).write_videofile(
        str(path),
        fps=show.timeline.fps,
        codec="libx264",
        audio=False,
        preset=QUALITIES["standard"][0]["preset"],
        ffmpeg_params=[*_encoder_options(show), "-pix_fmt", "yuv420p"],
        logger=None,
    )


def _ffmpeg(paths: list[Path], show: Slideshow, path: Path) -> None:
    """One filter graph: cover, zoompan, xfade."""
    import imageio_ffmpeg

    width, height = show.settings.size
    fps = show.timeline.fps
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error"]
    graph, last = [], "z0"
    for number, (file, slide) in enumerate(zip(paths, show.timeline.slides, strict=True)):
        frames = slide.stop - slide.start
        command += ["-i", str(file)]
        graph.append(
            f"[{number}]scale={2 * width}:{2 * height}:force_original_aspect_ratio=increase,"
            f"crop={2 * width}:{2 * height},"
            f"zoompan=z='1+{ZOOM}*on/{frames}':x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2':d={frames}:s={width}x{height}:fps={fps},"
            f"format=yuv420p,setsar=1[z{number}]"
        )
        if number:
            joint = show.timeline.transitions[number - 1]
            graph.append(
                f"[{last}][z{number}]xfade=duration={(joint.stop - joint.start) / fps}:"
                f"offset={joint.start / fps}[x{number}]"
            )
            last = f"x{number}"
    command += ["-filter_complex", ";".join(graph), "-map", f"[{last}]", "-c:v", "libx264"]
    command += ["-preset", QUALITIES["standard"][0]["preset"], *_encoder_options(show)]
    subprocess.run([*command, "-movflags", "+faststart", str(path)], check=True)


def _encoder_options(show: Slideshow) -> list[str]:
    """What the project's encoder is told beside the preset, as options of ffmpeg."""
    options = [(f"-{name}", value) for name, value in QUALITIES["standard"][0].items() if name != "preset"]
    return [*(word for option in options for word in option), "-g", str(2 * show.timeline.fps)]


def _covering(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture scaled and cropped to cover a frame."""
    rgb = np.asarray(read_picture(path).image)
    share = max(size[0] / rgb.shape[1], size[1] / rgb.shape[0])
    across, down = round(rgb.shape[1] * share), round(rgb.shape[0] * share)
    rgb = np.asarray(cv2.resize(rgb, (across, down), interpolation=cv2.INTER_AREA), np.uint8)
    left, top = (across - size[0]) // 2, (down - size[1]) // 2
    return rgb[top : top + size[1], left : left + size[0]]


def _memory(options: argparse.Namespace) -> dict[str, float]:
    """The most memory, in MB, that rendering few and many slides held, each in a process of its own."""
    found = {}
    for slides in [] if "memory" in options.without else [10, 100]:
        command = [sys.executable, __file__, "--images", options.images, "--memory-of", str(slides)]
        command += ["--resolution", options.resolution, "--slides", str(options.slides)]
        found[str(slides)] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def _render_for_memory(options: argparse.Namespace) -> None:
    """Render so many slides, repeating the pictures, at 2 frames per second, and print the peak in MB."""
    settings = _settings(options).model_copy(update={"fps": 2, "quality": "preview"})
    folder = Path(options.images)
    paths = _pictures(folder, options.slides, settings)
    repeated = [paths[number % len(paths)] for number in range(options.memory_of)]
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(repeated):
            (Path(scratch) / f"{number:04d}").symlink_to(folder.resolve() / path)
        table = _table(Path(scratch), [f"{number:04d}" for number in range(len(repeated))])
        show = _slideshow(Path(scratch), table, settings)
        write_video(show, Path(scratch) / "video.mp4", quality="preview")
    print(_peak_megabytes())


def _peak_megabytes() -> float:
    """The most memory this process has held; `ru_maxrss` would count its parent's where there is better."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def dot_acceleration(size: tuple[int, int] = (1280, 720), frames: int = 95) -> dict[str, float]:
    """Mean |acceleration| of a tracked dot in pixels per frame squared, for each way that pictures move."""
    found = {}
    for name, source in {"cover": (2560, 1600), "card": (1200, 1600), "pan": (4000, 1500)}.items():
        rgb = _dot(source)
        for move in MOVES:
            framing = frame_picture(source, size, saliency(rgb), seconds=frames / 25, move=move)
            canvas = lay(rgb, framing)
            places = []
            for index in range(frames):
                _, planes = empty(*size)
                canvas.draw(canvas.view((index + 0.5) / frames), planes, size[0])
                places.append(_centre(planes.y))
            found[f"{name} {move}"] = float(np.abs(np.diff(places, 2, axis=0)).mean(axis=0).max())
    return found


def _dot(size: tuple[int, int]) -> NDArray[np.uint8]:
    """A bright round dot on grey."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    distance = ((x - 0.5 * size[0]) ** 2 + (y - 0.47 * size[1]) ** 2) / (2 * (size[1] / 150) ** 2)
    return np.repeat((40 + 200 * np.exp(-distance))[..., None], 3, axis=2).astype(np.uint8)


def _centre(luma: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the dot is, to a small part of a pixel: the centre of what is brighter than its surroundings."""
    row, column = np.unravel_index(int(luma.argmax()), luma.shape)
    around = slice(max(0, row - 20), row + 21), slice(max(0, column - 20), column + 21)
    weight = np.clip(luma[around].astype(float) - 60, 0, None)
    rows, columns = np.mgrid[around]
    return float((weight * columns).sum() / weight.sum()), float((weight * rows).sum() / weight.sum())


def shimmer(rgb: NDArray[np.uint8], size: tuple[int, int] = (960, 540), frames: int = 60) -> dict[str, float]:
    """Mean change of local sharpness from frame to frame in a slow zoom, for canvases of several finenesses.

    Sharpness is the energy of the Laplacian in squares of 30 pixels, of the half of the squares with most of it.
    """
    found = {}
    for finer in (1.0, 1.06, 1.12, FINER, 1.35):
        canvas = cv2.resize(
            rgb, (round(1.15 * size[0] * finer), round(1.15 * size[1] * finer)), interpolation=cv2.INTER_AREA
        )
        luma = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)
        energies = []
        for index in range(frames):
            scale = finer * (1 - 0.05 * index / frames)
            offset = 10 + 0.31 * index * scale + 0.5 * scale - 0.5
            matrix = np.array([[scale, 0, offset], [0, scale, offset]])
            drawn = cv2.warpAffine(luma, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            energy = cv2.Laplacian(drawn.astype(np.float32), cv2.CV_32F) ** 2
            energies.append(cv2.resize(energy, (size[0] // 30, size[1] // 30), interpolation=cv2.INTER_AREA))
        mean = np.mean(energies, axis=0)
        change = np.abs(np.diff(energies, axis=0)).mean(axis=0) / mean
        found[f"{finer:g}"] = float(change[mean > np.median(mean)].mean())
    return found


PASTED = (0.08, 0.1, 0.14, 0.2, 0.3)
"""Widths of the faces that are pasted, in parts of the shorter side of the picture; a face is half of its portrait."""

SHAPES = ((1920, 1080), (1080, 1920), (1080, 1080))
"""Frames of the videos that the pictures are put into."""


def search_for_people(folder: Path, people: Path, most: int = 60) -> dict[str, Any]:
    """How well heads are found and kept, in up to `most` pictures for each size of face."""
    portraits = sorted(path for path in people.rglob("*") if path.is_file())
    grounds = list(_grounds(folder, most))
    rng = np.random.default_rng(0)
    find_heads(grounds[0])  # the detector is made once
    result: dict[str, Any] = {"pictures": len(grounds)}
    begun = time.process_time()
    result["heads_where_nobody_is"] = sum(len(find_heads(ground) or ()) for ground in grounds)
    result["ms_a_picture"] = round(1000 * (time.process_time() - begun) / len(grounds), 1)
    result["found"] = {}
    cut: dict[str, int] = {"without": 0, "with": 0}
    framed = 0
    for share in PASTED:
        hits = 0
        for number, ground in enumerate(grounds):
            portrait = np.asarray(read_picture(portraits[int(rng.integers(len(portraits)))]).image)
            picture, head = _pasted(ground, portrait, 2 * share, rng)
            heads = find_heads(picture) or ()
            middle = (head[0] + head[2]) / 2, (head[1] + head[3]) / 2
            hits += any(box[0] < middle[0] < box[2] and box[1] < middle[1] < box[3] for box in heads)
            size = picture.shape[1], picture.shape[0]
            seen = saliency(picture)
            for shape in SHAPES:
                framed += 1
                move = MOVES[number % len(MOVES)]
                for name, boxes in (("without", ()), ("with", heads)):
                    framing = frame_picture(size, shape, seen, seconds=3.8, move=move, heads=boxes)
                    cut[name] += not _keeps(framing, shape, head)
        result["found"][f"{share:g}"] = round(hits / len(grounds), 3)
    result["framed"] = framed
    result["heads_cut_off"] = cut
    return result


def _grounds(folder: Path, most: int) -> Iterator[NDArray[np.uint8]]:
    """The first large pictures of a folder, 1100 pixels on their shorter sides, cropped to common shapes."""
    shapes = (1.5, 4 / 3, 1.0, 16 / 9, 0.75)
    count = 0
    for path in sorted(folder.rglob("*")):
        if count == most:
            return
        try:
            if not path.is_file() or min(_size(path.resolve())) < 700:
                continue
            image = np.asarray(read_picture(path.resolve(), min_side=1100).image, np.uint8)
        except ImageError:
            continue
        aspect = shapes[count % len(shapes)]
        height, width = image.shape[:2]
        across, down = min(width, round(height * aspect)), min(height, round(width / aspect))
        left, top = (width - across) // 2, (height - down) // 2
        scale = 1100 / min(across, down)
        size = round(across * scale), round(down * scale)
        count += 1
        yield np.asarray(cv2.resize(image[top : top + down, left : left + across], size), np.uint8)


def _pasted(
    ground: NDArray[np.uint8], portrait: NDArray[np.uint8], share: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Box]:
    """A picture with a portrait, `share` of its shorter side, at a random place; and the box of the head."""
    height, width = ground.shape[:2]
    side = round(share * min(height, width))
    left, top = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
    picture = ground.copy()
    picture[top : top + side, left : left + side] = cv2.resize(
        portrait, (side, side), interpolation=cv2.INTER_CUBIC
    )
    edges = (left + 0.22 * side, top + 0.08 * side, left + 0.78 * side, top + 0.88 * side)
    return picture, (edges[0] / width, edges[1] / height, edges[2] / width, edges[3] / height)


def _keeps(framing: Framing, frame: tuple[int, int], head: Box) -> bool:
    """Whether the head is in view at the beginning and the end, or somewhere on the way of a pan."""
    left, top, width, height = framing.place
    views = [framing.start.towards(framing.end, share) for share in np.linspace(0, 1, 41)]
    inside = [
        view.left - 2 <= left + head[0] * width
        and view.top - 2 <= top + head[1] * height
        and left + head[2] * width <= view.left + view.width + 2
        and top + head[3] * height <= view.top + view.width * frame[1] / frame[0] + 2
        for view in views
    ]
    return any(inside) if framing.kind == "pan" else all(inside)


def bands(size: tuple[int, int] = (1280, 720), frames: int = 36) -> dict[str, tuple[float, int]]:
    """Root mean square error of smooth gradients once encoded and smoothed, in levels, and the bytes that they take."""
    width, height = size
    across, down = np.meshgrid(np.linspace(0, 2.2, width), np.linspace(0, 1, height))
    random = np.random.default_rng(0)
    tile = np.tile(random.random((64, 64)) - 0.5, (height // 64 + 1, width // 64 + 1))[:height, :width]
    noises: dict[str, Callable[[], Any]] = {
        "whole levels": lambda: 0.0,
        "half a level of noise": lambda: tile,
        "moving grain of 0.7 levels": lambda: random.normal(0, 0.7, (height, width)),
    }
    gradients = {"steep": (70.0, 38.0, 16.0, 6.0), "slow, dark": (24.0, 9.0, 3.0, 16.0)}
    found = {}
    for (kind, (dark, fall, swing, eye)), (name, noise) in itertools.product(
        gradients.items(), noises.items()
    ):
        smooth = [dark + fall * down + swing * np.sin(across + index / 500) for index in range(frames)]
        shown = [np.rint(np.clip(luma + noise(), 16, 235)).astype(np.uint8) for luma in smooth]
        found[f"{kind}, {name}"] = _after_encoding(smooth, shown, eye)
    return found


def _after_encoding(
    smooth: list[NDArray[np.float64]], shown: list[NDArray[np.uint8]], eye: float
) -> tuple[float, int]:
    """What is left of bands in every sixth frame seen through a blur of so many pixels; bytes of all frames."""
    height, width = shown[0].shape
    grey = np.full((height // 2, width), 128, np.uint8)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25, options=QUALITIES["standard"][0])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for luma in shown:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.concatenate([luma, grey]), "yuv420p")))
        container.mux(stream.encode())
    size, errors = file.tell(), []
    file.seek(0)
    with av.open(file, "r") as written:
        for index, frame in enumerate(written.decode(video=0)):
            if index % 6 == 5:
                left = cv2.GaussianBlur(frame.to_ndarray()[:height] - smooth[index], (0, 0), eye)[
                    40:-40, 40:-40
                ]
                errors.append(float(left.std()))
    return statistics.fmean(errors), size


def _report(result: dict[str, Any]) -> None:
    print("\n          CPU s   x project   wall s")
    for name, spent in result["cpu_seconds"].items():
        print(
            f"{name:8} {spent:7.2f} {result['times_project'][name]:9.2f} {result['wall_seconds'][name]:9.2f}"
        )
    print(f"project / floor: {result['project_over_floor']:.2f}")
    print(f"{result['video_seconds_per_second']:.2f} seconds of video in a second")
    for slides, megabytes in result["memory_mb"].items():
        print(f"{megabytes:.0f} MB at most for {slides} slides")
    print(
        f"dot: mean |acceleration| at most {max(result['dot'].values()):.3f} px/frame^2 ({len(result['dot'])} moves)"
    )
    print(
        "shimmer by fineness: "
        + ", ".join(f"{name}: {value:.3f}" for name, value in result["shimmer"].items())
    )


if __name__ == "__main__":
    main()
