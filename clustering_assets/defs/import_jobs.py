"""The jobs that bring pictures in from elsewhere; `new_images_sensor` notices when they have landed."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from clustering_assets.defs.failures import told
from clustering_assets.defs.resources import SettingsResource

if TYPE_CHECKING:
    from clustering_assets.sources.imported import Imported


class KaggleConfig(dg.Config):
    """Which Kaggle dataset to import."""

    dataset: str = Field(
        description="OWNER/DATASET as in the dataset's address, with /versions/N for a version."
    )
    limit: int | None = Field(default=None, ge=1, description="Most pictures to import; empty for all.")


class OpenImagesConfig(dg.Config):
    """Which part of Open Images to import."""

    limit: int = Field(default=500, ge=1, description="Number of pictures.")
    classes: list[str] = Field(
        default=[], description="Names of classes such as Cat; none for pictures of every kind."
    )
    subset: str = Field(default="validation", description="validation, test or train.")


@dg.op(description="Download a Kaggle dataset and unpack its pictures into the folder of pictures.")
@told()
def fetch_kaggle(context: dg.OpExecutionContext, config: KaggleConfig, settings: SettingsResource) -> None:
    """Import from Kaggle."""
    from clustering_assets.sources.kaggle import import_kaggle

    imported = import_kaggle(config.dataset, settings.value.local_images, limit=config.limit)
    _tell(context, imported)


@dg.op(description="Fetch pictures of Open Images V7 into the folder of pictures.")
@told()
def fetch_openimages(
    context: dg.OpExecutionContext, config: OpenImagesConfig, settings: SettingsResource
) -> None:
    """Import from Open Images."""
    from clustering_assets.sources.openimages import import_openimages

    imported = import_openimages(
        settings.value.local_images, limit=config.limit, classes=config.classes, subset=config.subset
    )
    _tell(context, imported)


def _tell(context: dg.OpExecutionContext, imported: "Imported") -> None:
    context.log.info(imported.summary())
    context.add_output_metadata(
        {
            "files": imported.files,
            "bytes": imported.bytes,
            "skipped": imported.skipped,
            "failures": dg.MetadataValue.json([list(failure) for failure in imported.failures[:100]]),
            "folder": dg.MetadataValue.path(str(imported.folder)),
        }
    )


@dg.job(description="Bring in the pictures of a Kaggle dataset.")
def import_from_kaggle() -> None:
    """One download."""
    fetch_kaggle()


@dg.job(description="Bring in pictures of Open Images V7.")
def import_from_openimages() -> None:
    """Many small downloads."""
    fetch_openimages()
