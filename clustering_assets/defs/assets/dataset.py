"""Pictures in: the folder, the manifest of its files, and the analysis of what is in there."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd

from clustering_assets.defs.checks import Checks, Verdict
from clustering_assets.defs.data_versions import CAPTURE, DETAILS, USES, data_version, digest
from clustering_assets.defs.estimate import OPENED, newly_read
from clustering_assets.defs.failures import told
from clustering_assets.defs.groups import Group
from clustering_assets.defs.io_managers.base import OUTPUT
from clustering_assets.defs.io_managers.table import TABLE
from clustering_assets.defs.records import previous_table
from clustering_assets.defs.resources import SettingsResource
from clustering_assets.files import image_source
from clustering_assets.outputs import DATASET_ANALYSIS
from clustering_assets.places import is_url
from clustering_assets.settings import LOOKS, NUMBERED, Limits, Settings
from clustering_assets.tables import IMAGE_MANIFEST

OWNERS = ["team:clustering-assets"]

FACTS = ["path", "bytes", "format", "taken_at", "camera", "stage", "reason"]
"""Columns of the manifest that reports show, and that no picture's vector, cluster or music depends on."""

CAPTURED = ["path", "taken_at", "camera", "latitude", "longitude"]
"""Columns of the manifest that groups by events depend on."""

source_images = dg.AssetSpec(
    "source_images",
    description="The folder of pictures. Put files there; `new_images_sensor` notices.",
    group_name=Group.PICTURES,
    kinds={"file"},
    owners=OWNERS,
)


checks = Checks("image_manifest")


@checks(
    "At least `min_images` pictures are usable and no more than `max_failure_rate` were rejected.",
    blocking=True,
)
def enough_usable_images(manifest: pd.DataFrame, values: Settings) -> Verdict:
    """Whether a run can go on with these files."""
    problem = _why_not(manifest, values)
    return Verdict(not problem, problem or None)


@checks("No picture was rejected; a warning names those that were.")
def every_file_is_usable(manifest: pd.DataFrame, values: Settings) -> Verdict:
    """Which files a run goes on without."""
    from clustering_assets.images.manifest import OTHER, common_reasons

    rejected = manifest[(manifest["outcome"] == "rejected") & (manifest["stage"] != OTHER)]
    return Verdict(
        rejected.empty,
        f"{len(rejected)} of {len(manifest)} files were rejected." if len(rejected) else None,
        {
            "reasons": dg.MetadataValue.json(common_reasons(manifest)),
            "files": dg.MetadataValue.json(rejected["path"].head(100).tolist()),
        },
    )


@dg.asset(
    group_name=Group.PICTURES,
    kinds={"python", "pillow", "parquet"},
    owners=OWNERS,
    code_version="2",
    io_manager_key="table_io",
    dagster_type=TABLE,
    deps=[source_images],
    metadata={
        OUTPUT: IMAGE_MANIFEST.file,
        USES: ["images", "follow_links", *Limits.model_fields],
    },
    check_specs=checks.specs,
)
def image_manifest(
    context: dg.AssetExecutionContext, settings: SettingsResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Every file of the image folder, one row each, with exactly one outcome.

    A file is **used**, a **duplicate** of another, or **rejected** with the stage and the reason. The row holds its
    size and format, when, where and with what it was taken, and what it looks like: sharpness, brightness,
    colourfulness, contrast, dominant colours. A file that has not changed since the last run is not opened again.
    """
    from clustering_assets.images.manifest import DatasetError, content_digest, scan
    from clustering_assets.work.choice import make_engine

    values = settings.value
    previous = previous_table(context.instance, settings.outputs, IMAGE_MANIFEST)
    try:
        manifest = scan(
            image_source(values),
            previous=previous,
            limits=values.limits,
            engine=make_engine(values.work),
        )
    except DatasetError as error:
        yield dg.AssetCheckResult(check_name="enough_usable_images", passed=False, description=str(error))
        raise dg.Failure(str(error), allow_retries=False) from error
    counts = manifest["outcome"].value_counts()
    problem = _why_not(manifest, values)
    yield dg.MaterializeResult(
        value=manifest,
        data_version=dg.DataVersion(content_digest(manifest)),
        check_results=checks.results(manifest, values),
        metadata={
            "found": len(manifest),
            OPENED: newly_read(manifest, previous),
            "used": int(counts.get("used", 0)),
            "duplicates": int(counts.get("duplicate", 0)),
            "rejected": int(counts.get("rejected", 0)),
            "folder": dg.MetadataValue.path(
                values.images if is_url(values.images) else str(Path(values.images).resolve())
            ),
            "megabytes": round(float(manifest["bytes"].sum()) / 1e6, 1),
            DETAILS: digest(manifest[FACTS].values.tolist()),
            CAPTURE: digest(manifest[CAPTURED].values.tolist()),
        },
    )
    if problem:  # the check would stop the run too, but not say why
        raise dg.Failure(problem, allow_retries=False)


def _why_not(manifest: pd.DataFrame, values: Settings) -> str:
    """Why a run cannot go on with these files; empty if it can."""
    from clustering_assets.images.manifest import DatasetError, check_usable

    try:
        check_usable(manifest, image_source(values), values.min_images, values.max_failure_rate)
    except DatasetError as error:
        return str(error)
    different = int((manifest["outcome"] == "used").sum())
    if values.clusters > different and values.algorithm in NUMBERED and values.group_by == LOOKS:
        return f"clusters = {values.clusters}: must be at most {different}, the number of different usable pictures"
    return ""


@dg.asset(
    group_name=Group.PICTURES,
    kinds={"python", "matplotlib"},
    owners=OWNERS,
    code_version="2",
    io_manager_key="text_io",
    metadata={OUTPUT: DATASET_ANALYSIS, USES: ["images"], DETAILS: ["image_manifest"]},
)
@told()
def dataset_analysis(
    context: dg.AssetExecutionContext, settings: SettingsResource, image_manifest: pd.DataFrame
) -> dg.MaterializeResult:
    """What is in the folder: counts, formats, sizes, aspect ratios, dates, colours, extremes, and the rejected files.

    Stored as text for people, as JSON for programs, and as a figure.
    """
    from clustering_assets.report.dataset_analysis import analyse

    version = data_version(context, settings.value)
    analysis = analyse(image_manifest, image_source(settings.value))
    return dg.MaterializeResult(value=analysis, data_version=version)
