"""Networks: their weights are loaded as published, their classification layer comes off, wrong files are named."""

import hashlib
import threading
import warnings
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torchvision import models
from torchvision.transforms import functional as tv

from clustering_assets.clustering.imagenet_kinds import kind_shares
from clustering_assets.embedding import networks
from clustering_assets.embedding.architectures import last_layer
from clustering_assets.embedding.backbone import BackboneError
from clustering_assets.embedding.catalogue import NetworkSpec, resolve_backbone
from clustering_assets.embedding.class_scores import class_scores
from clustering_assets.embedding.embed import Inputs, RuntimeOptions, embed
from clustering_assets.embedding.weights import WeightsError, WeightsFile


def random_weights(architecture, path, seed=0):
    """A network with random weights and lively batch statistics, and its state_dict at `path`."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = models.get_model(architecture, weights=None).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.1, 0.1)
            layer.running_var.uniform_(0.8, 1.2)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), path)
    return network


def published(name, path, url=""):
    """The backbone, as if the file at `path` were its published weights."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return replace(resolve_backbone(name), weights=WeightsFile(path.name, digest, url=url))


@pytest.fixture
def pixels():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8))


@pytest.mark.parametrize(
    "architecture", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5"]
)
def test_features_are_what_torchvision_feeds_its_last_layer(architecture, tmp_path, pixels):
    original = random_weights(architecture, tmp_path / "net.pth")
    backbone = resolve_backbone(architecture)
    seen = []
    head = last_layer(original)
    original.get_submodule(head).register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        ready = tv.normalize(pixels.permute(0, 3, 1, 2) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        original(ready)
        features = networks.feature_network(backbone, tmp_path / "net.pth")(pixels)
    expected = seen[0].mean((2, 3)) if seen[0].ndim == 4 else seen[0]
    assert features.shape == (2, backbone.dimension)
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_folding_batch_norms_changes_nothing(architecture, tmp_path, pixels):
    random_weights(architecture, tmp_path / "net.pth")
    network = networks.feature_network(resolve_backbone(architecture), tmp_path / "net.pth")
    folded = networks.fold_batch_norms(network)
    count = [
        sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in net.modules()) for net in (network, folded)
    ]
    assert count[1] < count[0]
    with torch.inference_mode():
        torch.testing.assert_close(folded(pixels), network(pixels), rtol=1e-3, atol=1e-3)


def test_names_of_old_densenet_files_are_understood(tmp_path):
    random_weights("densenet121", tmp_path / "net.pth")
    state = torch.load(tmp_path / "net.pth", weights_only=True)
    old = {
        name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): tensor
        for name, tensor in state.items()
    }
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "old.pth")
    backbone = resolve_backbone("densenet121")
    network = networks.feature_network(backbone, tmp_path / "old.pth")
    name = "features.denseblock1.denselayer1.conv2.weight"
    torch.testing.assert_close(network.trunk.state_dict()[name], state[name])


def test_weights_of_another_network_are_named_not_listed(tmp_path):
    random_weights("resnet18", tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match="do not belong to mobilenet_v3_small") as caught:
        networks.feature_network(resolve_backbone("mobilenet_v3_small"), tmp_path / "mine.pth")
    assert "mine.pth" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_larger_sibling_is_not_taken_for_the_network(tmp_path):
    random_weights("resnet34", tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match="do not belong to resnet18"):
        networks.feature_network(resolve_backbone("resnet18"), tmp_path / "mine.pth")


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 a broken zip"])
def test_a_file_that_is_no_weights_file_is_named(content, tmp_path):
    (tmp_path / "mine.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"mine\.pth: no PyTorch weights file, or a damaged one"):
        networks.feature_network(resolve_backbone("resnet18"), tmp_path / "mine.pth")


def test_weights_fine_tuned_on_other_classes_are_taken(tmp_path, pixels):
    original = random_weights("resnet18", tmp_path / "mine.pth")
    state = original.state_dict()
    state["fc.weight"], state["fc.bias"] = state["fc.weight"][:7], state["fc.bias"][:7]
    torch.save(
        {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "mine.pth"
    )
    backbone = resolve_backbone("resnet18", tmp_path / "mine.pth")
    with torch.inference_mode():
        assert networks.feature_network(backbone, tmp_path / "mine.pth")(pixels).shape == (2, 512)
    assert (
        class_scores(np.zeros((1, 512), np.float32), NetworkSpec("resnet18", tmp_path / "mine.pth")) is None
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model_state_dict": state, "epoch": 3},
        lambda state: {"model": {f"_orig_mod.{name}": tensor for name, tensor in state.items()}},
        lambda state: {"state_dict": {f"module.{name}": tensor.half() for name, tensor in state.items()}},
        lambda state: {
            "state_dict": {"loss.weight": torch.ones(2)}
            | {f"net.model.{name}": state[name] for name in state}
        },
        lambda state: {
            f"backbone.{name}": state[name] for name in state if not name.startswith("classifier.3.")
        },
    ],
    ids=["bare", "checkpoint", "compiled", "parallel, half", "lightning", "without head"],
)
def test_weights_are_found_in_the_files_of_training_scripts(wrap, tmp_path):
    state = random_weights("mobilenet_v3_small", tmp_path / "mine.pth").state_dict()
    torch.save(wrap(state), tmp_path / "mine.pth")
    network = networks.feature_network(resolve_backbone("mobilenet_v3_small"), tmp_path / "mine.pth")
    for name, tensor in network.trunk.state_dict().items():
        torch.testing.assert_close(tensor, state[name], rtol=1e-3, atol=1e-4)


def test_a_pickled_network_is_not_run_but_explained(tmp_path):
    torch.save(models.get_model("squeezenet1_1", weights=None), tmp_path / "mine.pth")
    with pytest.raises(WeightsError, match=r"mine\.pth.*state_dict\(\) alone"):
        networks.feature_network(resolve_backbone("squeezenet1_1"), tmp_path / "mine.pth")


def test_published_weights_are_fetched_checked_loaded_and_used(pictures, cache, tmp_path):
    random_weights("mobilenet_v3_small", tmp_path / "served" / "small-test.pth")
    handler = partial(_Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/small-test.pth"
        backbone = published("mobilenet_v3_small", tmp_path / "served" / "small-test.pth", url)
        images, folder = pictures(3)
        embedded = embed(Inputs(images, folder), NetworkSpec(backbone, hub=tmp_path / "hub"), cache_dir=cache)
        server.shutdown()
    assert embedded.vectors.shape == (3, 1024)
    assert embedded.weights_id == backbone.weights_id
    assert (tmp_path / "hub" / "small-test.pth").exists()
    elsewhere = NetworkSpec(backbone, hub=tmp_path / "nowhere")
    assert embed(Inputs(images, folder), elsewhere, cache_dir=cache).reused == 3


def test_weights_in_the_hub_cache_need_no_network(pictures, tmp_path):
    random_weights("mobilenet_v3_small", tmp_path / "hub" / "small-test.pth")
    backbone = published(
        "mobilenet_v3_small", tmp_path / "hub" / "small-test.pth", "http://127.0.0.1:9/never-asked"
    )
    images, folder = pictures(2)
    embedded = embed(
        Inputs(images, folder), NetworkSpec(backbone, hub=tmp_path / "hub"), RuntimeOptions("torch")
    )
    assert (embedded.runtime, embedded.embedded) == ("torch", 2)


@pytest.mark.slow
def test_two_weights_files_do_not_share_vectors(pictures, tmp_path):
    images, folder = pictures(2)
    for seed in (0, 1):
        random_weights("mobilenet_v3_small", tmp_path / f"{seed}.pth", seed)
    runs = [
        embed(
            Inputs(images, folder),
            NetworkSpec("mobilenet_v3_small", tmp_path / f"{seed}.pth"),
            RuntimeOptions("torch"),
            cache_dir=tmp_path / "cache",
        )
        for seed in (0, 1)
    ]
    assert [run.embedded for run in runs] == [2, 2]
    assert not np.allclose(runs[0].vectors, runs[1].vectors)


def test_class_scores_are_the_networks_own(tmp_path, pixels):
    original = random_weights("resnet18", tmp_path / "net.pth")
    features = np.random.default_rng(1).random((2, 512), np.float32)
    scored = class_scores(features, NetworkSpec("resnet18", tmp_path / "net.pth"))
    assert scored is not None
    scores, words = scored
    with torch.inference_mode():
        expected = original.fc(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)
    assert words[281] == "tabby"


def test_the_classification_layer_is_kept_for_the_next_call(tmp_path, monkeypatch):
    features = np.ones((1, 1280), np.float32)
    first = class_scores(features, NetworkSpec("efficientnet_lite0"), cache_dir=tmp_path)
    monkeypatch.setattr(
        "clustering_assets.embedding.state_dicts.classification_layer", lambda *_: pytest.fail("loaded again")
    )
    again = class_scores(features, NetworkSpec("efficientnet_lite0"), cache_dir=tmp_path)
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_kept_classification_layer_that_was_damaged_is_kept_anew(damage, tmp_path):
    features = np.ones((1, 1280), np.float32)
    first = class_scores(features, NetworkSpec("efficientnet_lite0"), cache_dir=tmp_path)
    (kept,) = tmp_path.rglob("*.npz")
    whole = kept.read_bytes()
    for place in (30, len(whole) // 2, len(whole) - 60) if damage == "flipped" else (0,):
        flipped = whole[:place] + bytes([whole[place] ^ 0x21]) + whole[place + 1 :]
        kept.write_bytes({"flipped": flipped, "cut": whole[:-2000], "empty": b""}[damage])
        again = class_scores(features, NetworkSpec("efficientnet_lite0"), cache_dir=tmp_path)
        assert first is not None and again is not None
        np.testing.assert_array_equal(first[0], again[0])
        assert kept.read_bytes() == whole


@pytest.mark.slow
def test_timm_models_are_taken_with_weights_of_ones_own(pictures, tmp_path):
    timm = pytest.importorskip("timm", reason="timm, an extra, is not installed")
    network = timm.create_model("vit_tiny_patch16_224", pretrained=False)
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    images, folder = pictures(2)
    spec = NetworkSpec("timm:vit_tiny_patch16_224", tmp_path / "mine.pth")
    embedded = embed(Inputs(images, folder), spec)
    assert embedded.vectors.shape == (2, 192)
    features = np.ones((1, 192), np.float32)
    scored = class_scores(features, spec)
    assert scored is not None
    with torch.inference_mode():
        expected = network.head(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(scored[0], expected, rtol=1e-4, atol=1e-4)


def as_dinov2_publishes(state):
    """The tensors of a timm network as in the files of DINOv2."""
    return {**state, "mask_token": torch.zeros(1, state["cls_token"].shape[-1])}


def as_clip_publishes(state):
    """The tensors of a timm network as in the files of OpenAI's CLIP, with a text encoder beside them."""
    names = (
        ("patch_embed.proj", "conv1"), ("blocks.", "transformer.resblocks."), ("norm_pre", "ln_pre"),
        ("norm1", "ln_1"), ("norm2", "ln_2"), ("attn.qkv.", "attn.in_proj_"), ("attn.proj.", "attn.out_proj."),
        ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"), ("cls_token", "class_embedding"),
        ("pos_embed", "positional_embedding"),
    )  # fmt: skip
    found = {
        "token_embedding.weight": torch.zeros(9, 4),
        "transformer.resblocks.0.ln_1.weight": torch.ones(4),
    }
    for name, value in state.items():
        if name.startswith("head."):
            name, value = "proj", state["head.weight"].T
        elif name.startswith("norm."):
            name = name.replace("norm", "ln_post")
        for ours, theirs in names:
            name = name.replace(ours, theirs)
        found[f"visual.{name}"] = value.squeeze() if name.endswith("embedding") else value
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "published", "side", "mean"),
    [
        ("vit_small_patch14_dinov2.lvd142m", as_dinov2_publishes, 518, 0.485),
        ("vit_xsmall_patch16_clip_224.tinyclip_yfcc15m", as_clip_publishes, 224, 0.48145466),
    ],
    ids=["DINOv2", "CLIP"],
)
def test_dinov2_and_clip_are_read_as_they_are_published_and_have_no_say_in_classes(
    model, published, side, mean, pictures, tmp_path
):
    timm = pytest.importorskip("timm", reason="timm, an extra, is not installed")
    torch.manual_seed(0)
    network = timm.create_model(model, pretrained=False).eval()
    for parameter in network.parameters():  # fresh biases and scales are 0 and 1
        torch.nn.init.normal_(parameter, parameter.detach().mean().item(), 0.05)
    torch.save(published(network.state_dict()), tmp_path / "published.pth")
    spec = NetworkSpec(f"timm:{model}", tmp_path / "published.pth")
    facts = spec.resolve().preprocessing
    assert (facts.side, facts.interpolation, facts.mean[0]) == (side, "bicubic", pytest.approx(mean))
    images, folder = pictures(2)
    embedded = embed(Inputs(images, folder), spec)
    whole = {**timm.data.resolve_data_config({}, model=network), "crop_pct": 1.0}
    ready = timm.data.create_transform(**whole)
    shown = torch.stack([ready(Image.open(folder / path)) for path in embedded.paths])
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(shown), pre_logits=True)
    assert embedded.vectors.shape == expected.shape
    alike = torch.nn.functional.cosine_similarity(torch.tensor(np.array(embedded.vectors)), expected)
    assert alike.min() > 0.99
    assert kind_shares(embedded.vectors, partial(class_scores, network=spec)) is None


def test_a_timm_model_that_does_not_exist_is_refused():
    pytest.importorskip("timm", reason="timm, an extra, is not installed")
    with pytest.raises(BackboneError, match="timm has no such model; near: resnet18"):
        resolve_backbone("timm:resnet188")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("name", ["resnet50", "mobilenet", "vit_b_32", "efficientnet_lite0"])
@pytest.mark.parametrize("size", [500, 224, 40])
def test_a_square_picture_is_seen_whole_and_by_the_filter_of_the_weights(name, size):
    facts = resolve_backbone(name).preprocessing
    picture = Image.fromarray(load_sample_image("china.jpg")).resize((size, size))
    kind = {"bilinear": tv.InterpolationMode.BILINEAR, "bicubic": tv.InterpolationMode.BICUBIC}[
        facts.interpolation
    ]
    expected = tv.resize(picture, [facts.side, facts.side], interpolation=kind)  # pyright: ignore[reportArgumentType]
    np.testing.assert_array_equal(facts.prepare(picture), np.asarray(expected))


@pytest.mark.parametrize(
    ("size", "seen"), [((400, 100), 1 / 2), ((100, 400), 1 / 2), ((640, 427), 0.817), ((1500, 60), 1 / 5)]
)
def test_a_long_picture_is_half_cut_and_half_squeezed(size, seen):
    facts = resolve_backbone("efficientnet_lite0").preprocessing
    longer, shorter = max(size), min(size)
    ramp = np.tile(np.linspace(0, 255, longer), (shorter, 1))
    grey = Image.fromarray(np.rint(ramp if size[0] == longer else ramp.T).astype(np.uint8)).convert("RGB")
    view = facts.prepare(grey)[..., 0].astype(float)
    along, across = (view.mean(axis=0), view) if size[0] == longer else (view.mean(axis=1), view.T)
    np.testing.assert_allclose(along[[0, -1]], 127.5 + 127.5 * seen * np.array([-1, 1]), atol=3)
    assert np.ptp(across, axis=0).max() <= 1
