"""Runtimes: they agree with each other, survive a full device, and report to nobody."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.datasets
import torch
from PIL import Image
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torchvision import models

from clustering_assets.embedding import networks
from clustering_assets.embedding.catalogue import NetworkSpec, resolve_backbone
from clustering_assets.embedding.class_scores import class_scores
from clustering_assets.embedding.embed import EmbeddingError, Inputs, RuntimeOptions, embed
from clustering_assets.embedding.precision import agree, settle, trial_views
from clustering_assets.embedding.runtime import DeviceLost, OutOfMemory, Plan, RuntimeUnavailable, features
from clustering_assets.embedding.runtime_choice import plan_runtime, start_runtime, usual_batch
from clustering_assets.embedding.state_dicts import read_state
from clustering_assets.embedding.torch_runtime import TorchRuntime, prepared
from clustering_assets.work.processes import Processes
from clustering_assets.work.threads import Threads

LITE = resolve_backbone("efficientnet_lite0")
PACKAGED_PHOTOS = Path(sklearn.datasets.__file__).parent / "images"
BFLOAT16 = pytest.mark.skipif(
    plan_runtime("openvino").precision != "bfloat16", reason="this processor has no bfloat16 in hardware"
)
MPS = pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no Apple GPU on this machine")
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


def imagines_a_gpu():
    """Whether this torch works out shapes on a GPU that is not there; older ones ask for its driver."""
    try:
        with FakeTensorMode() as mode:
            return mode.from_tensor(torch.zeros(1)).to("cuda").device.type == "cuda"
    except RuntimeError:
        return False


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
    return features(on_the_cpu(networks.feature_network(LITE, weights()), 32), views)


def on_the_cpu(network, batch_size):
    return TorchRuntime(Plan("torch", "cpu", "float32"), network, batch_size, 2)


@pytest.fixture(scope="module")
def hard(views):
    """Pictures made to be hard for low precision, and what torch computes of them in float32."""
    made = trial_views(224)
    return made, features(on_the_cpu(networks.feature_network(LITE, weights()), 16), made)


@pytest.mark.parametrize(
    "plan",
    [
        Plan("openvino", "cpu", "float32"),
        pytest.param(Plan("openvino", "cpu", "bfloat16"), marks=BFLOAT16),
        pytest.param(Plan("torch", "cpu", "bfloat16"), marks=BFLOAT16),
        pytest.param(Plan("torch", "cuda", "float16"), marks=CUDA),
        pytest.param(Plan("torch", "mps", "float16"), marks=MPS),
    ],
    ids=lambda plan: f"{plan.runtime}-{plan.device}-{plan.precision}",
)
def test_every_runtime_agrees_with_torch_in_float32(plan, views, reference, hard, networks_folder):
    runtime = start_runtime(plan, LITE, weights, batch_size=16, models=[networks_folder])
    for pictures, exact in ((views, reference), hard):
        agreement = agree(features(runtime, pictures), exact)
        assert agreement.mean >= 0.999
        assert agreement.least >= 0.99


def test_the_network_knows_what_the_packaged_photos_show(views, reference):
    scored = class_scores(reference[[0, 8]], NetworkSpec("efficientnet_lite0"))
    assert scored is not None
    scores, words = scored
    temple, flower = (words[best] for best in scores.argmax(axis=1))
    assert temple == "bell cote"
    assert flower == "daisy"


def test_class_scores_are_divided_by_the_temperature_of_the_network(reference):
    scores, words = class_scores(reference[:2], NetworkSpec("efficientnet_lite0"))
    cooler, same = class_scores(reference[:2], NetworkSpec(replace(LITE, temperature=0.5)))
    np.testing.assert_allclose(cooler, 2 * scores, rtol=1e-6)
    assert same == words


def test_a_vector_does_not_depend_on_its_batch(views, networks_folder):
    runtime = start_runtime(plan_runtime("openvino"), LITE, weights, batch_size=32, models=[networks_folder])
    together = features(runtime, views)
    np.testing.assert_array_equal(features(runtime, views[3:4]), together[3:4])
    np.testing.assert_array_equal(features(runtime, views[::-1])[::-1], together)


def test_results_may_be_taken_in_any_order_and_late(views, networks_folder):
    runtime = start_runtime(plan_runtime("openvino"), LITE, weights, batch_size=16, models=[networks_folder])
    started = [runtime.start(views[first : first + 3]) for first in range(0, 15, 3)]
    late = [batch.result() for batch in reversed(started)]
    np.testing.assert_array_equal(np.concatenate(late[::-1]), features(runtime, views[:15]))


def test_a_kept_network_needs_neither_torch_nor_weights(views, networks_folder):
    plan = plan_runtime("openvino")
    first = start_runtime(plan, LITE, weights, batch_size=32, models=[networks_folder])
    again = start_runtime(plan, LITE, lambda: pytest.fail("asked"), batch_size=32, models=[networks_folder])
    np.testing.assert_array_equal(features(first, views), features(again, views))


@pytest.mark.slow
def test_damaged_networks_on_disk_are_made_anew(views, tmp_path):
    plan = plan_runtime("openvino")
    before = features(start_runtime(plan, LITE, weights, batch_size=32, models=[tmp_path]), views)
    kept = [path for path in tmp_path.rglob("*") if path.suffix in (".bin", ".blob")]
    assert {path.suffix for path in kept} == {".bin", ".blob"}
    for path in kept:
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 4096] = bytes(4096)
        path.unlink()  # the open file may be mapped into memory
        path.write_bytes(data)
    asked = []
    again = start_runtime(plan, LITE, lambda: asked.append(1) or weights(), batch_size=32, models=[tmp_path])
    assert asked == [1]
    np.testing.assert_array_equal(features(again, views), before)


@BFLOAT16
def test_a_network_that_bfloat16_suits_is_tried_once(networks_folder, tmp_path, caplog):
    plan = Plan("openvino", "cpu", "bfloat16")
    start = partial(start_runtime, backbone=LITE, weights=weights, batch_size=32, models=[networks_folder])
    assert settle(plan, LITE, start, [tmp_path]) == plan
    assert "cosine with float32 0.999" in caplog.text
    assert settle(plan, LITE, lambda _: pytest.fail("tried again"), [tmp_path]) == plan


class _Rounded:
    """A runtime whose precision keeps so many steps of each number."""

    device_name, batch_size = "cpu", 32

    def __init__(self, plan, steps):
        self.plan, self._steps = plan, steps if plan.precision != "float32" else 1e6

    def start(self, pixels):
        self._features = np.asarray(pixels)[:, ::8, ::8].reshape(len(pixels), -1).astype(np.float32) - 128
        return self

    def result(self):
        return np.rint(self._features / 256 * self._steps) / self._steps


@pytest.mark.parametrize(("steps", "wanted"), [(1000, "bfloat16"), (4, "float32"), (np.nan, "float32")])
def test_a_network_that_low_precision_turns_runs_in_float32(steps, wanted, tmp_path, caplog):
    plan = Plan("openvino", "cpu", "bfloat16")
    for _ in range(2):  # the second time from the verdict that was kept
        assert settle(plan, LITE, lambda plan: _Rounded(plan, steps), [tmp_path]).precision == wanted
    assert ("loses too much in bfloat16" in caplog.text) == (wanted == "float32")


def test_float32_needs_no_trial(tmp_path):
    plan = Plan("openvino", "cpu", "float32")
    assert settle(plan, LITE, lambda _: pytest.fail("tried"), [tmp_path]) == plan


class _SmallDevice(torch.nn.Module):
    """A network on a device that has room for `most` pictures and raises what CUDA raises."""

    def __init__(self, most, error=None):
        super().__init__()
        self.error = error or torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.network = networks.feature_network(LITE, weights())
        self.trunk, self.side, self.most, self.tried = self.network.trunk, self.network.side, most, []

    def forward(self, pixels):
        self.tried.append(len(pixels))
        if len(pixels) > self.most:
            raise self.error
        return self.network(pixels)


def test_out_of_memory_halves_the_batch_and_loses_nothing(views, reference):
    network = _SmallDevice(most=5)
    runtime = on_the_cpu(network, 16)
    np.testing.assert_allclose(features(runtime, views), reference, atol=1e-4)
    assert network.tried == [16, 8, 4, 4, 4, 4]
    features(runtime, views[:4])
    assert network.tried[6:] == [4]


def test_a_lack_of_memory_as_the_processors_library_tells_it_halves_the_batch_too(views, reference):
    network = _SmallDevice(most=8, error=RuntimeError("could not create a primitive"))
    np.testing.assert_allclose(features(on_the_cpu(network, 16), views), reference, atol=1e-4)
    assert network.tried[:2] == [16, 8]


def test_a_lack_of_memory_in_the_middle_keeps_what_was_under_way(views, reference):
    network = _SmallDevice(most=4)
    runtime = on_the_cpu(network, 4)
    first = runtime.start(views[:4])
    network.most = 2
    second = runtime.start(views[4:8])
    assert network.tried == [4, 4, 2, 2]
    np.testing.assert_allclose(second.result(), reference[4:8], atol=1e-4)
    np.testing.assert_allclose(first.result(), reference[:4], atol=1e-4)


def test_a_device_without_room_for_one_picture_says_so(views):
    with pytest.raises(OutOfMemory, match=r"not enough memory for even one picture.*runtime to openvino"):
        features(on_the_cpu(_SmallDevice(most=0), 2), views[:2])


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="the limit on memory is set as Linux knows it"
)
def test_a_real_lack_of_memory_is_survived():
    script = (
        "import logging, resource, sys\n"
        "import numpy as np\n"
        "from clustering_assets.embedding import networks, precision\n"
        "from clustering_assets.embedding.catalogue import resolve_backbone\n"
        "from clustering_assets.embedding.runtime import Plan, features\n"
        "from clustering_assets.embedding.torch_runtime import TorchRuntime\n"
        "logging.basicConfig(stream=sys.stdout)\n"
        "lite = resolve_backbone('efficientnet_lite0')\n"
        "network = networks.feature_network(lite, lite.weights.path)\n"
        "plan = Plan('torch', 'cpu', 'float32')\n"
        "views = np.concatenate([precision.trial_views(224)] * 2)\n"
        "exact = features(TorchRuntime(plan, network, 2, 1), views)\n"
        "runtime = TorchRuntime(plan, network, 32, 1)\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, resource.RLIM_INFINITY))\n"
        "np.testing.assert_allclose(features(runtime, views), exact, atol=1e-3)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "out of memory on cpu: going on with 16 pictures at once" in done.stdout


class _Lazy(torch.nn.Module):
    """A network that computes late: its result is the very memory in which its pictures came."""

    trunk, side = torch.nn.Identity(), 8

    def forward(self, pixels):
        return pixels.flatten(1)


def test_staging_memory_is_not_written_to_before_its_batch_came_back():
    batches = np.random.default_rng(0).integers(0, 256, (5, 2, 8, 8, 3), np.uint8)
    runtime = on_the_cpu(_Lazy(), 2)
    started = [runtime.start(batch) for batch in batches]
    for batch, pending in zip(batches, started, strict=True):
        np.testing.assert_array_equal(pending.result(), batch.reshape(2, -1))


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_goes_through_the_network_channels_last(precision, views):
    network = prepared(networks.feature_network(LITE, weights()), precision)
    runtime = TorchRuntime(Plan("torch", "cpu", precision), network, 2, 2)
    seen = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda layer, inputs, result: seen.append((layer, inputs[0], result)))
    vectors = features(runtime, views[:2])
    assert vectors.dtype == np.float32
    exact = [inputs.dtype == layer.weight.dtype == torch.float32 for layer, inputs, _ in seen]
    assert exact == [precision == "bfloat16"] * 2 + [False] * (len(seen) - 2)
    assert all(inputs.dtype == layer.weight.dtype for layer, inputs, _ in seen)
    assert all(inputs.is_contiguous(memory_format=torch.channels_last) for _, inputs, _ in seen)


@pytest.mark.parametrize(
    "architecture",
    [
        "mobilenet_v3_small",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("efficientnet_b0", "convnext_tiny", "swin_t")
        ),
    ],
)
def test_lower_precision_fits_networks_of_every_wiring(architecture, tmp_path):
    torch.manual_seed(0)
    torch.save(models.get_model(architecture, weights=None).state_dict(), tmp_path / "mine.pth")
    backbone = resolve_backbone(architecture, tmp_path / "mine.pth")
    plan = Plan("torch", "cpu", "bfloat16")
    pictures = trial_views(224)[:2]
    ours, exact = (
        features(
            start_runtime(wanted, backbone, lambda: tmp_path / "mine.pth", batch_size=2, models=[]), pictures
        )
        for wanted in (plan, replace(plan, precision="float32"))
    )
    assert agree(ours, exact).least > 0.99


def test_other_errors_of_torch_are_not_taken_for_a_lack_of_memory():
    class Broken(_Lazy):
        def forward(self, pixels):
            raise RuntimeError("expected scalar type Half")

    with pytest.raises(RuntimeError, match="scalar type"):
        on_the_cpu(Broken(), 1).start(np.zeros((1, 8, 8, 3), np.uint8))


def test_vectors_that_overflow_are_failures_not_numbers(pictures, tmp_path):
    images, folder = pictures(2)
    state = read_state(weights())
    state["_bn1.weight"] = state["_bn1.weight"] * float("inf")
    torch.save(state, tmp_path / "wild.pth")
    with pytest.raises(EmbeddingError, match="overflows"):
        embed(
            Inputs(images, folder),
            NetworkSpec("efficientnet_lite0", tmp_path / "wild.pth"),
            RuntimeOptions("torch"),
        )


def test_an_unknown_runtime_is_refused():
    with pytest.raises(RuntimeUnavailable, match="auto, openvino, torch"):
        plan_runtime("tensorrt")


class _Driver:
    """NVIDIA's driver, with so many GPUs; without one, it is as if it were not installed."""

    def __init__(self, count):
        if not count:
            raise OSError("libcuda.so.1: cannot open shared object file")
        self.count = count

    def cuInit(self, flags):
        return 0

    def cuDeviceGetCount(self, count):
        count._obj.value = self.count
        return 0


@pytest.mark.parametrize(
    ("driver", "found", "computes", "wanted"),
    [
        (2, True, True, Plan("torch", "cuda", "float16")),
        (0, True, True, None),
        (1, False, True, None),
        (1, True, False, None),
    ],
    ids=["usable", "no driver", "torch without CUDA", "too old for this torch"],
)
@pytest.mark.parametrize("requested", ["auto", "torch", "openvino"])
def test_a_gpu_is_chosen_where_torch_computes_on_it(driver, found, computes, wanted, requested, monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: _Driver(driver))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    ones = torch.ones

    def on_device(*shape, device=None, **options):
        if not computes:
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        return ones(*shape, **options)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "ones", on_device)
        plan = plan_runtime(requested)
    if wanted is None or requested == "openvino":
        assert plan.device == "cpu"
    else:
        assert plan == wanted


@pytest.mark.skipif(not imagines_a_gpu(), reason="this torch cannot imagine a GPU")
@pytest.mark.parametrize(
    "architecture",
    [
        None,
        "mobilenet_v3_small",
        pytest.param("resnet50", marks=pytest.mark.slow),
        pytest.param("vgg16", marks=pytest.mark.slow),
        pytest.param("swin_t", marks=pytest.mark.slow),
    ],
)
def test_every_part_of_a_network_goes_to_the_gpu_with_it(architecture, tmp_path):
    """Shapes, types and devices only: torch refuses to mix devices also where it computes nothing."""
    if architecture is None:
        backbone, path = LITE, weights()
    else:
        path = tmp_path / "mine.pth"
        torch.save(models.get_model(architecture, weights=None).state_dict(), path)
        backbone = resolve_backbone(architecture, path)
    network = prepared(networks.feature_network(backbone, path), "float16")
    state = network.state_dict()
    with FakeTensorMode() as mode, torch.inference_mode():
        there = {name: mode.from_tensor(part).to("cuda") for name, part in state.items()}
        pixels = torch.empty((4, network.side, network.side, 3), dtype=torch.uint8, device="cuda")
        vectors = functional_call(network, there, (pixels,), strict=True)
    assert vectors.device.type == "cuda"
    assert vectors.dtype == torch.float32
    assert vectors.shape == (4, backbone.dimension)


@CUDA
def test_a_gpu_is_chosen_and_used(pictures):
    images, folder = pictures(5)
    embedded = embed(Inputs(images, folder), NetworkSpec("efficientnet_lite0"))
    assert (embedded.runtime, embedded.precision) == ("torch", "float16")
    assert embedded.device == torch.cuda.get_device_name()


@pytest.mark.parametrize(("processors", "batch"), [(132, 256), (40, 64), (8, 32), (1000, 512)])
def test_the_usual_batch_keeps_all_of_a_gpu_busy(processors, batch, monkeypatch):
    facts = SimpleNamespace(multi_processor_count=processors)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: facts)
    assert usual_batch(Plan("torch", "cuda", "float16")) == batch
    assert usual_batch(Plan("openvino", "cpu", "float32")) == 32


class _Fails:
    """A runtime whose device is gone."""

    device_name, batch_size = "a GPU", 7

    def __init__(self, plan):
        self.plan = plan

    def start(self, pixels):
        raise DeviceLost("a GPU computes no more")


@pytest.fixture
def gpu_that_vanishes(monkeypatch):
    """The first network that is started for batches of seven is on a device that is gone."""
    started = []

    def start(plan, backbone, *, batch_size, **how):
        if batch_size == 7 and not started:
            started.append(plan)
            return _Fails(plan)
        return start_runtime(plan, backbone, batch_size=batch_size, **how)

    monkeypatch.setattr("clustering_assets.embedding.embed.start_runtime", start)


def test_a_gpu_that_vanishes_is_done_without(gpu_that_vanishes, pictures, cache, caplog):
    images, folder = pictures(3)
    whole = embed(Inputs(images, folder), NetworkSpec(LITE))
    embedded = embed(Inputs(images, folder), NetworkSpec(LITE), RuntimeOptions(batch_size=7), cache_dir=cache)
    np.testing.assert_allclose(embedded.vectors, whole.vectors, atol=2e-3)
    assert "a GPU computes no more" in embedded.warning and "a GPU computes no more" in caplog.text


def test_a_chosen_gpu_that_vanishes_ends_the_run(gpu_that_vanishes, pictures, cache):
    images, folder = pictures(3)
    with pytest.raises(DeviceLost):
        embed(Inputs(images, folder), NetworkSpec(LITE), RuntimeOptions("torch", 7), cache_dir=cache)


@CUDA
def test_batches_that_overlap_on_a_gpu_do_not_mix(views):
    plan = Plan("torch", "cuda", "float16")
    runtime = start_runtime(plan, LITE, weights, batch_size=4, models=[])
    alone = [runtime.start(views[first : first + 4]).result() for first in range(0, 16, 4)]
    for _ in range(10):
        started = [runtime.start(views[first : first + 4]) for first in range(0, 16, 4)]
        np.testing.assert_array_equal([batch.result() for batch in started], alone)


@CUDA
def test_a_gpu_without_room_takes_smaller_batches(views, caplog):
    plan = Plan("torch", "cuda", "float16")
    many = np.concatenate([views] * 16)
    exact = features(start_runtime(plan, LITE, weights, batch_size=16, models=[]), many)
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 3e8) / whole)
    try:
        ours = features(start_runtime(plan, LITE, weights, batch_size=256, models=[]), many)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "going on with 128 pictures" in caplog.text
    assert agree(ours, exact).least > 0.999


@CUDA
def test_the_usual_batch_of_this_gpu_gives_the_same_vectors(views, reference):
    plan = Plan("torch", "cuda", "float16")
    runtime = start_runtime(plan, LITE, weights, batch_size=usual_batch(plan), models=[])
    assert runtime.batch_size >= 32
    assert agree(features(runtime, views), reference).least > 0.999
    many = np.concatenate([views] * 50)
    assert agree(features(runtime, many), np.concatenate([reference] * 50)).least > 0.999


@CUDA
def test_a_gpu_is_fed_by_processes_as_by_threads(pictures):
    images, folder = pictures(260)
    by_processes, by_threads = (
        embed(Inputs(images, folder), NetworkSpec(LITE), RuntimeOptions(batch_size=64, engine=engine))
        for engine in (Processes(), Threads())
    )
    assert by_processes.paths == by_threads.paths
    assert agree(by_processes.vectors, by_threads.vectors).least > 0.9999


VANISHING = """
import sys
from pathlib import Path
import pandas as pd
import torch
from clustering_assets.embedding import networks
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed
from clustering_assets.embedding.runtime import DeviceLost

forward, passes = networks.FeatureNetwork.forward, 0

def fails_at_the_third_batch(self, pixels):
    global passes
    passes += pixels.is_cuda and len(pixels) == 4
    if passes == 4:  # the first is a trial
        torch.zeros(1, device="cuda")[torch.tensor([7], device="cuda")]
    return forward(self, pixels)

networks.FeatureNetwork.forward = fails_at_the_third_batch
folder = Path(sys.argv[1])
inputs = Inputs(pd.read_parquet(folder.parent / "table.parquet"), folder)
try:
    done = embed(inputs, NetworkSpec("efficientnet_lite0"), RuntimeOptions(sys.argv[2], batch_size=4))
    print(len(done.vectors), done.device, done.warning, flush=True)
except DeviceLost as error:
    print("lost:", error, flush=True)
"""


@CUDA
@pytest.mark.parametrize(("runtime", "words"), [("auto", "20 "), ("torch", "lost: ")])
def test_a_real_gpu_that_computes_no_more(runtime, words, pictures):
    images, folder = pictures(20)
    images.to_parquet(folder.parent / "table.parquet")
    done = subprocess.run([sys.executable, "-c", VANISHING, folder, runtime], capture_output=True, text=True)
    assert done.stdout.startswith(words), done.stderr
    assert "computes no more" in done.stdout


@pytest.mark.slow
def test_openvino_reports_to_nobody(tmp_path):
    script = (
        "import pathlib, sys\n"
        "asked = []\n"
        "sys.addaudithook(lambda event, args: asked.append(args) if event in "
        "('socket.connect', 'socket.getaddrinfo', 'subprocess.Popen') else None)\n"
        "from clustering_assets.embedding import catalogue, runtime_choice\n"
        "lite = catalogue.resolve_backbone('efficientnet_lite0')\n"
        "plan = runtime_choice.Plan('openvino', 'cpu', 'float32')\n"
        f"folders = [pathlib.Path({str(tmp_path)!r})]\n"
        "runtime_choice.start_runtime(plan, lite, lambda: lite.weights.path, batch_size=1, models=folders)\n"
        "print([item for item in asked if 'google' in str(item) or 'telemetry' in str(item) or 'intel' in str(item)])"
    )
    home = dict(os.environ, HOME=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=home
    )
    assert done.stdout.strip() == "[]"
    assert not (tmp_path / "intel").exists()
