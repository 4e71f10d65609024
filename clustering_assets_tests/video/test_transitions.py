"""From one slide to the next."""

import itertools
from collections import Counter

import cv2
import numpy as np
import pytest

from clustering_assets.video.canvas import lay
from clustering_assets.video.colour import split
from clustering_assets.video.framing import frame_picture
from clustering_assets.video.saliency import saliency
from clustering_assets.video.transitions import KINDS, choose_kinds, draw_shot, draw_transition, tempo

SIZE = (128, 72)


def shot(seed: int):
    rng = np.random.default_rng(seed)
    rgb = np.kron(rng.integers(30, 220, (10, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8)
    framing = frame_picture((320, 200), SIZE, saliency(rgb), seconds=3, move="in")
    canvas = lay(rgb, framing)
    return canvas, canvas.view(0.5)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_a_transition_begins_at_one_picture_and_ends_at_the_other(kind):
    first, second = shot(1), shot(2)
    assert difference(draw_transition(kind, 0.0, first, second, SIZE), draw_shot(first, SIZE)) < 1.5
    assert difference(draw_transition(kind, 1.0, first, second, SIZE), draw_shot(second, SIZE)) < 1.5


@pytest.mark.parametrize("kind", KINDS)
def test_a_transition_has_no_jump(kind):
    first, second = shot(1), shot(2)
    frames = [draw_transition(kind, (step + 0.5) / 40, first, second, SIZE) for step in range(40)]
    total = difference(draw_shot(first, SIZE), draw_shot(second, SIZE))
    steps = [difference(one, other) for one, other in itertools.pairwise(frames)]
    assert max(steps) < (1.2 if kind == "push" else 0.25) * total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(320, 240), (380, 200)])
def test_pictures_stay_as_sharp_as_they_are(kind, shape):
    """One that travels, down or across, and is drawn ahead where no transition is."""

    def travelling(seed: int):
        rough = np.random.default_rng(seed).integers(0, 255, (shape[1], shape[0], 3), np.uint8)
        rgb = np.asarray(cv2.GaussianBlur(rough, (0, 0), 0.8), np.uint8)
        framing = frame_picture(shape, SIZE, saliency(rgb), seconds=3, move="right")
        canvas = lay(rgb, framing, SIZE)
        assert canvas.strips is not None
        return canvas, canvas.view(0.5)

    def texture(frame: np.ndarray) -> float:
        return float(np.abs(cv2.Laplacian(split(frame).y, cv2.CV_32F)).mean())

    first, second = travelling(1), travelling(2)
    begun = draw_transition(kind, 0.005, first, second, SIZE)
    ended = draw_transition(kind, 0.995, first, second, SIZE)
    assert texture(begun) == pytest.approx(texture(draw_shot(first, SIZE)), rel=0.06)
    assert texture(ended) == pytest.approx(texture(draw_shot(second, SIZE)), rel=0.06)


def test_half_way_through_a_crossfade_is_the_mean_of_both():
    first, second = shot(1), shot(2)
    mean = (draw_shot(first, SIZE).astype(float) + draw_shot(second, SIZE)) / 2
    assert np.abs(draw_transition("crossfade", 0.5, first, second, SIZE) - mean).max() <= 1


def test_half_way_through_a_push_each_picture_has_half_the_frame():
    first, second = shot(1), shot(2)
    pushed = split(draw_transition("push", 0.5, first, second, SIZE)).y
    assert difference(pushed[:, :64], split(draw_shot(first, SIZE)).y[:, 64:]) < 1
    assert difference(pushed[:, 64:], split(draw_shot(second, SIZE)).y[:, :64]) < 1


def test_a_wipe_uncovers_the_new_picture_from_the_left():
    first, second = shot(1), shot(2)
    wiped = split(draw_transition("wipe", 0.5, first, second, SIZE)).y
    assert difference(wiped[:, :30], split(draw_shot(second, SIZE)).y[:, :30]) < 1
    assert difference(wiped[:, 98:], split(draw_shot(first, SIZE)).y[:, 98:]) < 1


@pytest.mark.parametrize(
    ("energy", "least", "most"), [(None, 0.8, 0.97), (0.1, 0.8, 0.97), (0.9, 0.55, 0.75)]
)
def test_most_transitions_are_crossfades_and_more_so_with_calm_music(energy, least, most):
    kinds = Counter(choose_kinds(3000, energy, np.random.default_rng(5)))
    assert least <= kinds["crossfade"] / 3000 <= most


def test_calm_music_is_never_pushed():
    assert "push" not in choose_kinds(1000, 0.2, np.random.default_rng(0))


def test_special_transitions_never_follow_one_another():
    kinds = choose_kinds(1000, 1.0, np.random.default_rng(0))
    assert all("crossfade" in pair for pair in itertools.pairwise(kinds))


def test_energetic_music_makes_transitions_shorter():
    assert tempo(0.9) < tempo(None) == tempo(0.5) < tempo(0.1)
