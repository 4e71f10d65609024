"""Golden vectors: what EfficientNet-Lite0 makes of three pictures that are drawn by formula.

The figures were computed once without this project: Pillow's bicubic resize of the middle 346.4 of 400 pixels, over the
whole height of 300, to 224 by 224, pixels less 127 and divided by 128, the network of `efficientnet_lite_pytorch` in
float32 (`extract_features`, then the mean over the picture). Tolerances are shares of the vector's length: 0.0002 in
float32 (where they were written down, they were met to 0.00001, the rounding of the figures), 0.03 where the
processor's bfloat16 is used.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.embedding.catalogue import NetworkSpec, resolve_backbone
from clustering_assets.embedding.class_scores import class_scores
from clustering_assets.embedding.embed import Inputs, embed
from clustering_assets.embedding.runtime import Plan, features
from clustering_assets.embedding.runtime_choice import start_runtime

LITE = resolve_backbone("efficientnet_lite0")


@dataclass(frozen=True)
class Golden:
    """A vector in short: its length, its first and last three components, and its projections on four patterns."""

    length: float
    first: tuple[float, float, float]
    last: tuple[float, float, float]
    projections: tuple[float, float, float, float]


GOLDEN = {
    "ramps": Golden(13.9205, (0.0, 0.0, 0.1548), (0.4336, 0.0, 0.0), (7.216, -2.186, -4.749, 0.911)),
    "rings": Golden(20.7807, (4.2849, 0.0284, 0.0), (0.0, 0.0, 0.0), (32.329, 13.538, 41.617, -9.573)),
    "chequers": Golden(12.1952, (0.0143, 0.0, 0.0), (0.5696, 0.0, 0.0), (2.601, 6.24, 5.203, -6.408)),
}


def draw(name):
    y, x = np.mgrid[0:300, 0:400].astype(float)
    if name == "ramps":
        channels = 255 * x / 399, 255 * y / 299, np.full_like(x, 128)
    elif name == "rings":
        wave = 0.5 + 0.5 * np.cos(((x - 200) ** 2 + (y - 150) ** 2) / 500)
        channels = 255 * wave, 40 + 100 * wave, 255 - 255 * wave
    else:
        field = (x // 25 + y // 25) % 2
        channels = 230 * field + 10, 200 * field + 30, 60 * field + 20
    return Image.fromarray(np.rint(np.stack(channels, -1)).astype(np.uint8))


@pytest.fixture(scope="module")
def views():
    return np.stack([LITE.preprocessing.prepare(draw(name)) for name in GOLDEN])


def check(vectors, tolerance):
    number = np.arange(1, 1281)
    for vector, (name, golden) in zip(vectors.astype(float), GOLDEN.items(), strict=True):
        margin = tolerance * golden.length
        assert np.linalg.norm(vector) == pytest.approx(golden.length, abs=margin), name
        np.testing.assert_allclose(vector[:3], golden.first, rtol=0, atol=margin, err_msg=name)
        np.testing.assert_allclose(vector[-3:], golden.last, rtol=0, atol=margin, err_msg=name)
        # a projection adds 1280 components up: its error may be 36 times the vector's, and was 4 times
        projections = [vector @ np.sign(np.sin(pattern * number)) for pattern in (1, 2, 3, 4)]
        np.testing.assert_allclose(projections, golden.projections, rtol=0, atol=5 * margin, err_msg=name)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_vectors_in_float32_are_the_golden_ones(runtime, views, networks_folder):
    plan = Plan(runtime, "cpu", "float32")
    ready = start_runtime(plan, LITE, lambda: LITE.weights.path, batch_size=3, models=[networks_folder])  # type: ignore
    check(features(ready, views), 0.0002)


def test_the_way_from_files_to_vectors_gives_the_golden_ones(tmp_path, cache):
    for name in GOLDEN:
        draw(name).save(tmp_path / f"{name}.png")
    images = pd.DataFrame({"path": [f"{name}.png" for name in GOLDEN], "content_hash": list(GOLDEN)})
    embedded = embed(Inputs(images, tmp_path), NetworkSpec("efficientnet_lite0"), cache_dir=cache)
    check(embedded.vectors, 0.03 if embedded.precision == "bfloat16" else 0.0002)


def test_rings_are_a_coil(views, networks_folder):
    plan = Plan("openvino", "cpu", "float32")
    ready = start_runtime(plan, LITE, lambda: LITE.weights.path, batch_size=3, models=[networks_folder])  # type: ignore
    scored = class_scores(features(ready, views), NetworkSpec("efficientnet_lite0"))
    assert scored is not None
    scores, words = scored
    assert words[scores[list(GOLDEN).index("rings")].argmax()] == "coil"
