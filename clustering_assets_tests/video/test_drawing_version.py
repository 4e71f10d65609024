"""What is drawn changes only together with `RECIPE_VERSION`, words with `WORDS_VERSION`: else old videos would pass for
up to date.

`drawings.json` holds what small frames look like, as means over their cells, so that no processor or library rounds
them to something else. After the version was raised, pin them anew:

    python -m clustering_assets_tests.video.test_drawing_version
"""

import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from clustering_assets.audio.soundtrack import Track
from clustering_assets.settings import VideoSettings
from clustering_assets.video.canvas import lay
from clustering_assets.video.captions import make_caption
from clustering_assets.video.colour import dim, from_rgb, split
from clustering_assets.video.framing import MOVES, frame_picture
from clustering_assets.video.recipe import RECIPE_VERSION, WORDS_VERSION
from clustering_assets.video.saliency import saliency
from clustering_assets.video.storyboard import Material, plan
from clustering_assets.video.titles import title_canvas
from clustering_assets.video.transitions import KINDS, draw_shot, draw_transition

PINNED = Path(__file__).with_name("drawings.json")
SIZE = (128, 72)
ROUNDING = 2
"""Levels by which the mean of a cell may differ between processors."""


def picture(seed: int, width: int, height: int) -> np.ndarray:
    """Patches of colour."""
    patches = np.random.default_rng(seed).integers(20, 235, (height // 20, width // 20, 3))
    return np.kron(patches, np.ones((20, 20, 1))).astype(np.uint8)


def shot(seed: int, size: tuple[int, int], move: str, share: float):
    rgb = picture(seed, *size)
    canvas = lay(rgb, frame_picture(size, SIZE, saliency(rgb), seconds=4.0, move=move), SIZE)
    return canvas, canvas.view(share)


def cells(i420: np.ndarray, grid: tuple[int, int] = (16, 9)) -> str:
    """The means of the cells of a frame's luma and of 4 x 3 of its chroma, in hex."""
    planes = split(i420)
    means = [(planes.y, grid), (planes.u, (4, 3)), (planes.v, (4, 3))]
    return "".join(
        cv2.resize(plane, grid, interpolation=cv2.INTER_AREA).tobytes().hex() for plane, grid in means
    )


def drawings() -> dict[str, str]:
    """Small frames of everything that can be seen in a video."""
    found = {}
    first, second = shot(1, (320, 200), "in", 0.9), shot(2, (320, 200), "left", 0.1)
    for kind, progress in itertools.product(KINDS, (0.35, 0.65)):
        found[f"{kind} {progress}"] = cells(draw_transition(kind, progress, first, second, SIZE))
    shapes = {"cover": (340, 200), "card": (200, 240), "pan": (600, 160)}
    for (name, size), move, share in itertools.product(shapes.items(), MOVES, (0.1, 0.9)):
        found[f"{name} {move} {share}"] = cells(draw_shot(shot(3, size, move, share), SIZE))
    frame = draw_shot(shot(4, (320, 200), "in", 0.5), SIZE)
    dim(frame, 0.4)
    found["dim"] = cells(frame)
    rgb, large = picture(5, 640, 360), (640, 360)
    planes = from_rgb(rgb)
    written = np.concatenate([plane.ravel() for plane in (planes.y, planes.u, planes.v)]).reshape(540, 640)
    caption = make_caption("Mountains and a lake", large)
    assert caption is not None
    caption.write(written)
    found["caption"] = cells(written, (48, 27))
    card = title_canvas(
        rgb, large, "Mountains, a lake and all that lay between them", "12 pictures", motion=True
    )
    found["title"] = cells(draw_shot((card, card.view(0.8)), large), (48, 27))
    return found


def decisions() -> dict[str, list]:
    """What the storyboards of a few videos say."""
    names = [f"{number:02}.jpg" for number in range(12)]
    images = pd.DataFrame({"path": names, "content_hash": names, "duplicate_of": ["", "00.jpg", *[""] * 10]})
    vectors = np.random.default_rng(0).standard_normal((12, 16))
    settings = VideoSettings(resolution="128x72", titles=True, seed=5)
    found = {}
    for arousal in (None, 0.2, 0.95):
        beats = np.arange(0.4, 19.0, 0.52)
        track = Track(
            Path("x.ogg"), end=20.0, beat_times=beats, downbeat=1, beat_clarity=0.8, arousal=arousal
        )
        storyboard = plan(Material(images, Path(), settings, vectors=vectors, track=track, title="A lake"))
        timeline = storyboard.timeline
        found[f"arousal {arousal}"] = [
            " ".join(still.path if still else "title" for still in storyboard.slides),
            " ".join(storyboard.moves),
            " ".join(f"{joint.kind}-{joint.start}-{joint.stop}" for joint in timeline.transitions),
            [timeline.frames, timeline.fade_in, timeline.fade_out],
        ]
    return found


def far(one: str, other: str) -> bool:
    levels = [np.frombuffer(bytes.fromhex(text), np.uint8).astype(int) for text in (one, other)]
    return levels[0].shape != levels[1].shape or bool(np.abs(levels[0] - levels[1]).max() > ROUNDING)


def test_what_is_drawn_changes_only_with_the_version():
    pinned = json.loads(PINNED.read_text())
    assert pinned["versions"] == [RECIPE_VERSION, WORDS_VERSION], "pin what is drawn now, as this file says"
    now = drawings()
    before = pinned["drawings"]
    changed = [name for name in {**now, **before} if far(now.get(name, ""), before.get(name, ""))]
    assert not changed, "these are drawn differently: raise the version and pin them, as this file says"
    assert decisions() == pinned["decisions"], "videos are planned differently: raise RECIPE_VERSION and pin"


if __name__ == "__main__":
    found = {"versions": [RECIPE_VERSION, WORDS_VERSION], "decisions": decisions(), "drawings": drawings()}
    PINNED.write_text(json.dumps(found, indent=1) + "\n")
