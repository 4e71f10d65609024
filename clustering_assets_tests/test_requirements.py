"""The packages asked for: an installer that keeps to every pin finds releases that all agree on."""

import tomllib
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
OURS = {
    canonicalize_name(asked.name): asked
    for asked in map(Requirement, PYPROJECT["project"]["dependencies"])
    if asked.marker is None or asked.marker.evaluate()
}


def asked_by_others():
    """What each installed package asks of those that this project asks for."""
    for package in distributions():
        for line in package.requires or []:
            asked = Requirement(line)
            if canonicalize_name(asked.name) in OURS and (
                asked.marker is None or asked.marker.evaluate({"extra": ""})
            ):
                yield package.metadata["Name"], asked


@pytest.mark.parametrize("name", OURS)
def test_what_is_installed_is_what_is_asked_for(name):
    assert OURS[name].specifier.contains(version(name), prereleases=True)


def test_one_release_of_each_package_suits_everybody():
    """Plain pip keeps to every pin, where `make setup` overrides that of MoviePy on Pillow."""
    others = [(who, asked) for who, asked in asked_by_others() if who != PYPROJECT["project"]["name"]]
    assert {"moviepy", "torchvision"} <= {who for who, _ in others}
    for name, ours in OURS.items():
        least = [bound.version for bound in ours.specifier if bound.operator == ">="]
        pins = [(who, asked) for who, asked in others if canonicalize_name(asked.name) == name]
        suited = [
            release
            for release in [*least, version(name)]
            if all(asked.specifier.contains(release, prereleases=True) for _, asked in pins)
        ]
        assert suited, f"no release of {name}: {ours} here, {[f'{who}: {asked}' for who, asked in pins]}"
