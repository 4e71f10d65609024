"""Groups by events: what is made anew for them, what stays, and that no result tells where pictures were taken."""

import base64
import io
import re
import struct
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from PIL import Image

from clustering_assets.defs.data_versions import CAPTURE, expected_version
from clustering_assets.settings import load_settings
from clustering_assets.tables import IMAGE_MANIFEST
from clustering_assets_tests.projects import defs

PLACE = (43.7578125, 11.2578125)
"""Fractions of 128, which notes, tables and numbers in memory all hold as they are."""


def version_of(instance: dg.DagsterInstance, spec: dg.AssetSpec, group_by: str = "looks") -> str:
    return expected_version(instance, spec, load_settings(group_by=group_by))


def test_looks_do_not_depend_on_when_pictures_were_taken_and_events_do():
    spec = (
        defs.resolve_asset_graph()
        .get(dg.AssetKey("cluster_assignments"))
        .assets_def.specs_by_key[dg.AssetKey("cluster_assignments")]
    )
    before = spec.replace_attributes(metadata={k: v for k, v in spec.metadata.items() if k != CAPTURE})
    with dg.DagsterInstance.ephemeral() as instance:
        looks, events, folders = (version_of(instance, spec, by) for by in ("looks", "events", "folders"))
        assert looks == version_of(instance, before), (
            "an output of before there was a choice would be made anew"
        )
        assert len({looks, events, folders}) == 3
        tags = {"dagster/data_version": "same"}
        for when in ("then", "now"):
            instance.report_runless_asset_event(
                dg.AssetMaterialization("image_manifest", metadata={CAPTURE: when}, tags=tags)
            )
            if when == "then":
                old = [version_of(instance, spec, by) for by in ("looks", "events", "folders")]
        new = [version_of(instance, spec, by) for by in ("looks", "events", "folders")]
    assert [a == b for a, b in zip(old, new, strict=True)] == [True, False, True]


@pytest.mark.slow
def test_a_manifest_without_places_is_filled_in_and_nothing_else_is_made(project):
    rows = project.outputs.read_table(IMAGE_MANIFEST)
    videos = project.videos()
    with project.instance() as instance:
        project.swap(
            instance, IMAGE_MANIFEST, rows.drop(columns=["latitude", "longitude"]).assign(scan_version=6)
        )
    result = project.update()
    assert {"embeddings", "cluster_assignments", "music_choice", "gallery"}.isdisjoint(result.made)
    assert result.rendered == () or list(result.rendered) == []
    assert project.videos() == videos
    assert set(project.outputs.read_table(IMAGE_MANIFEST).columns) == set(IMAGE_MANIFEST.columns)


def tell(path: Path, taken: pd.Timestamp, place: tuple[float, float]) -> None:
    """Write into a JPEG's notes when and where it was taken; its pixels stay."""
    exif = Image.Exif()
    exif[271] = "Acme"
    exif.get_ifd(0x8769)[36867] = f"{taken:%Y:%m:%d %H:%M:%S}"
    exif.get_ifd(0x8825).update({1: "N", 2: (place[0], 0.0, 0.0), 3: "E", 4: (place[1], 0.0, 0.0)})
    data, block = path.read_bytes(), exif.tobytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:])


def tells_place(path: Path) -> bool:
    """Whether coordinates lie in a file as text, as numbers, or in the notes of a picture that it is or holds."""
    data = path.read_bytes()
    texts = [text.encode() for number in PLACE for text in (f"{number:.3f}", f"{number}"[:7])]
    numbers = [struct.pack(f"{order}d", number) for number in PLACE for order in "<>"]
    embedded = (
        re.findall(rb"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)", data) if path.suffix == ".html" else []
    )
    pictures = [base64.b64decode(one) for one in embedded] + [data] * (
        path.suffix in (".png", ".jpg", ".webp")
    )
    notes = [Image.open(io.BytesIO(one)).getexif() for one in pictures]
    return any(part in data for part in (*texts, *numbers)) or any(exif.get_ifd(0x8825) for exif in notes)


@pytest.mark.slow
def test_events_become_videos_and_nothing_but_the_manifest_holds_coordinates(project):
    dated = sorted((project.root / "images").rglob("*.jpg"))
    for number, path in enumerate(dated):
        day = "2024-05-14" if number % 2 else "2024-08-02"
        tell(path, pd.Timestamp(f"{day} 10:00") + pd.Timedelta(minutes=number), PLACE)
    result = project.update(group_by="events", titles=True, captions="auto")
    assert "embeddings" not in result.made
    table = project.assignments()
    days = {name.split(",")[0] for name in table["cluster_name"]}
    assert days == {"14 May 2024", "2 August 2024"}
    assert sorted(result.rendered) == sorted(f"cluster_{number}" for number in table["cluster"].unique())
    report = (project.root / "output/summary_report.txt").read_text()
    undated = (
        len(table)
        - table["path"].isin([p.relative_to(project.root / "images").as_posix() for p in dated]).sum()
    )
    assert not undated or f"{undated} image" in report
    manifest = project.root / "output" / IMAGE_MANIFEST.file
    assert (
        struct.pack("<d", project.outputs.read_table(IMAGE_MANIFEST)["latitude"].max())
        in manifest.read_bytes()
    )
    files = [path for path in project.root.rglob("*") if path.is_file() and "images" not in path.parts]
    assert len(files) > 20
    assert [path for path in files if path != manifest and tells_place(path)] == []
    assert tells_place(manifest) and tells_place(dated[0]), "what tells is found"
    assert "embeddings" not in project.update(group_by="events", titles=True, captions="auto").made
