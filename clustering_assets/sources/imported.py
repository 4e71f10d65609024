"""What an import brought in, and the error of an import that cannot go on."""

from dataclasses import dataclass
from pathlib import Path

from clustering_assets.errors import ClusteringError

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif")
)
"""Endings of the files that an import takes; whether they are pictures is for the scan to find out."""


class SourceError(ClusteringError):
    """An import that cannot go on; the message says what to change."""


@dataclass(frozen=True)
class Imported:
    """The outcome of one import.

    Attributes:
        files: Pictures that were put into the folder.
        bytes: Their size together.
        skipped: Files that were there already, are no pictures, or lie beyond the limit.
        failures: (name, reason) of everything that was wanted and could not be had.
        folder: Where the pictures are.
    """

    files: int
    bytes: int
    skipped: int
    failures: tuple[tuple[str, str], ...]
    folder: Path

    def summary(self) -> str:
        """One line for a person."""
        parts = [f"{self.files:,} pictures ({self.bytes / 1e6:,.1f} MB) in {self.folder}"]
        if self.skipped:
            parts.append(f"{self.skipped:,} skipped")
        if self.failures:
            name, reason = self.failures[0]
            parts.append(f"{len(self.failures):,} failed, the first {name}: {reason}")
        return "; ".join(parts)
