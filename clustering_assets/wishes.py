"""The user's own files, which need not exist: names of clusters, and tracks pinned to clusters and moods."""

from pathlib import Path

from clustering_assets.outputs import CLUSTER_NAMES, Outputs
from clustering_assets.settings import Settings

PINS = "pins.csv"


def names_file(settings: Settings) -> Path:
    """The file of names for clusters."""
    return Path(settings.names_file or str(Outputs(settings.output).path(CLUSTER_NAMES)))


def pins_file(settings: Settings) -> Path:
    """The file of pinned tracks."""
    return Path(settings.pins_file or Path(settings.music) / PINS)


def check_wishes(settings: Settings) -> None:
    """Refuse files that cannot be read as what they are.

    Raises:
        NamesError: A line of the names is none; the message gives file and line.
        PinsError: The same for the pins.
    """
    from clustering_assets.clustering.given_names import read_names
    from clustering_assets.music.pins import read_pins

    read_names(names_file(settings))
    read_pins(pins_file(settings))
