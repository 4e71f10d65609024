"""Runtimes: they agree with each other, survive a full device, and report to nobody."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
from PIL import Image

from clustering_assets.embedding import networks
from clustering_assets.embedding.backbones import resolve_backbone
from clustering_assets.embedding.engine import EmbeddingError, _Halving, embed
from clustering_assets.embedding.heads import class_scores
from clustering_assets.embedding.runtimes import (
    Plan,
    RuntimeUnavailable,
    TorchRuntime,
    plan_runtime,
    start_runtime,
)

LITE = resolve_backbone("efficientnet_lite0")
PACKAGED_PHOTOS = Path(sklearn.datasets.__file__).parent / "images"
BFLOAT16 = pytest.mark.skipif(
    plan_runtime("openvino").precision != "bfloat16", reason="this processor has no bfloat16 in hardware"
)
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


def weights():
    assert LITE.weights.path is not None
    return LITE.weights.path


@pytest.fixture(scope="module")
def views():
    """Crops of the two photos that come with scikit-learn, as the network sees them."""
    chance = np.random.default_rng(0)
    made = []
    for name in ("china.jpg", "flower.jpg"):
        photo = Image.open(PACKAGED_PHOTOS / name)
        made.append(LITE.preprocessing.prepare(photo))
        for _ in range(7):
            side = int(chance.integers(120, 420))
            left, top = int(chance.integers(0, 640 - side)), int(chance.integers(0, 427 - side))
            made.append(LITE.preprocessing.prepare(photo.crop((left, top, left + side, top + side))))
    return np.stack(made)


@pytest.fixture(scope="module")
def reference(views):
    """What torch computes in float32."""
    return TorchRuntime(Plan("torch", "cpu", "float32"), networks.feature_network(LITE, weights()), 32, 2)(
        views
    )


def cosines(a, b):
    a, b = a.astype(float), b.astype(float)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize(
    "plan",
    [
        Plan("openvino", "cpu", "float32"),
        pytest.param(Plan("openvino", "cpu", "bfloat16"), marks=BFLOAT16),
        pytest.param(Plan("torch", "cpu", "bfloat16"), marks=BFLOAT16),
        pytest.param(Plan("torch", "cuda", "float16"), marks=CUDA),
    ],
    ids=lambda plan: f"{plan.runtime}-{plan.device}-{plan.precision}",
)
def test_every_runtime_agrees_with_torch_in_float32(plan, views, reference, networks_folder):
    runtime = start_runtime(plan, LITE, weights, batch_size=32, models=networks_folder)
    cosine = cosines(runtime(views), reference)
    assert cosine.mean() >= 0.999
    assert cosine.min() >= 0.99


def test_the_network_knows_what_the_packaged_photos_show(views, reference):
    scored = class_scores(reference[[0, 8]], "efficientnet_lite0")
    assert scored is not None
    scores, words = scored
    assert [words[best] for best in scores.argmax(axis=1)] == ["palace", "daisy"]


def test_a_vector_does_not_depend_on_its_batch(views, networks_folder):
    runtime = start_runtime(plan_runtime("openvino"), LITE, weights, batch_size=32, models=networks_folder)
    together = runtime(views)
    np.testing.assert_array_equal(runtime(views[3:4]), together[3:4])
    np.testing.assert_array_equal(runtime(views[::-1])[::-1], together)


def test_a_kept_network_needs_neither_torch_nor_weights(views, networks_folder):
    plan = plan_runtime("openvino")
    first = start_runtime(plan, LITE, weights, batch_size=32, models=networks_folder)
    again = start_runtime(plan, LITE, lambda: pytest.fail("asked"), batch_size=32, models=networks_folder)
    np.testing.assert_array_equal(first(views), again(views))


@pytest.mark.slow
def test_damaged_networks_on_disk_are_made_anew(views, tmp_path):
    plan = plan_runtime("openvino")
    before = start_runtime(plan, LITE, weights, batch_size=32, models=tmp_path)(views)
    kept = [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".blob")]
    assert {path.suffix for path in kept} == {".bin", ".blob"}
    for path in kept:
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 4096] = bytes(4096)
        path.unlink()  # the open file may be mapped into memory
        path.write_bytes(data)
    asked = []
    again = start_runtime(plan, LITE, lambda: asked.append(1) or weights(), batch_size=32, models=tmp_path)
    assert asked == [1]
    np.testing.assert_array_equal(again(views), before)


class _SmallDevice(torch.nn.Module):
    """A network on a device that has room for `most` pictures and raises what CUDA raises."""

    def __init__(self, network, most):
        super().__init__()
        self.network, self.trunk, self.most, self.tried = network, network.trunk, most, []

    def forward(self, pixels):
        self.tried.append(len(pixels))
        if len(pixels) > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.network(pixels)


def test_out_of_memory_halves_the_batch_and_loses_nothing(views, reference):
    network = _SmallDevice(networks.feature_network(LITE, weights()), most=5)
    halving = _Halving(TorchRuntime(Plan("torch", "cpu", "float32"), network, 16, 2))
    np.testing.assert_allclose(halving(views), reference, atol=1e-4)
    assert network.tried == [16, 8, 4, 4, 4, 4]
    halving(views[:4])
    assert network.tried[6:] == [4]


def test_a_device_without_room_for_one_picture_says_so(views):
    network = _SmallDevice(networks.feature_network(LITE, weights()), most=0)
    halving = _Halving(TorchRuntime(Plan("torch", "cpu", "float32"), network, 2, 2))
    with pytest.raises(EmbeddingError, match=r"not enough memory for even one picture.*efficientnet_lite0"):
        halving(views[:2])


def test_other_errors_of_torch_are_not_taken_for_a_lack_of_memory():
    class Broken(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = torch.nn.Conv2d(3, 3, 1)

        def forward(self, pixels):
            raise RuntimeError("expected scalar type Half")

    with pytest.raises(RuntimeError, match="scalar type"):
        TorchRuntime(Plan("torch", "cpu", "float32"), Broken(), 1, 2)(np.zeros((1, 8, 8, 3), np.uint8))  # type: ignore


def test_vectors_that_overflow_are_failures_not_numbers(pictures, tmp_path):
    images, folder = pictures(2)
    state = networks.read_state(weights())
    state["_bn1.weight"] = state["_bn1.weight"] * float("inf")
    torch.save(state, tmp_path / "wild.pth")
    with pytest.raises(EmbeddingError, match="overflows"):
        embed(images, folder, "efficientnet_lite0", weights=tmp_path / "wild.pth", runtime="torch")


def test_an_unknown_runtime_is_refused():
    with pytest.raises(RuntimeUnavailable, match="auto, openvino, torch"):
        plan_runtime("tensorrt")


@CUDA
def test_a_gpu_is_chosen_and_used(pictures):
    images, folder = pictures(5)
    embedded = embed(images, folder, "efficientnet_lite0")
    assert (embedded.runtime, embedded.precision) == ("torch", "float16")
    assert embedded.device == torch.cuda.get_device_name()


@pytest.mark.slow
def test_openvino_reports_to_nobody(tmp_path):
    script = (
        "import sys\n"
        "asked = []\n"
        "sys.addaudithook(lambda event, args: asked.append(args) if event in "
        "('socket.connect', 'socket.getaddrinfo', 'subprocess.Popen') else None)\n"
        "from clustering_assets.embedding import backbones, runtimes\n"
        "lite = backbones.resolve_backbone('efficientnet_lite0')\n"
        "runtimes.start_runtime(runtimes.Plan('openvino', 'cpu', 'float32'), lite, lambda: lite.weights.path, "
        "batch_size=1)\n"
        "print([item for item in asked if 'google' in str(item) or 'telemetry' in str(item) or 'intel' in str(item)])"
    )
    home = dict(os.environ, HOME=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=home
    )
    assert done.stdout.strip() == "[]"
    assert not (tmp_path / "intel").exists()
