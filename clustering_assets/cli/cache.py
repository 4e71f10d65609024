"""The commands that look at the cache of embeddings."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clustering_assets.errors import ClusteringError
from clustering_assets.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from upath import UPath

OUTPUT_FLAG = click.option(
    "--output", default=None, metavar="DIR-OR-URL", help="Output that the cache belongs to."
)


@click.group()
def cache() -> None:
    """Look at the cache of embeddings, or make it smaller."""


@cache.command()
@OUTPUT_FLAG
def info(output: str | None) -> None:
    """Say what the cache holds."""
    from clustering_assets.embedding.cache import cache_info

    found = cache_info(_cache_folder(output))
    click.echo(
        f"{found.folder}: {found.bytes / 1e6:,.1f} MB, {found.model_bytes / 1e6:,.1f} MB of them compiled networks"
    )
    for entry in found.sets:
        click.echo(
            f"  {entry.name}: {entry.vectors:,} vectors, {entry.bytes / 1e6:,.1f} MB in {entry.shards:,} files"
        )


@cache.command()
@OUTPUT_FLAG
@click.option(
    "--keep",
    multiple=True,
    metavar="SET",
    help="A set of vectors that stays, by its name in `cache info`; the others go. Without it all sets stay.",
)
def prune(output: str | None, keep: tuple[str, ...]) -> None:
    """Remove the vectors of pictures that are not in the manifest any more, and whole sets if you like."""
    from clustering_assets.embedding.cache import cache_info, prune_cache
    from clustering_assets.outputs import Outputs
    from clustering_assets.tables import IMAGE_MANIFEST

    folder = _cache_folder(output)
    try:
        manifest = Outputs(load_settings(output=output).output).read_table(IMAGE_MANIFEST)
    except FileNotFoundError as error:
        raise ClusteringError(f"There is no manifest in the output, so nothing is pruned: {error}") from error
    known = [entry.name for entry in cache_info(folder).sets]
    if unknown := [name for name in keep if name not in known]:
        raise SettingsError(
            f"--keep {unknown[0]}: there is no such set; there are {', '.join(known) or 'none'}"
        )
    gone = prune_cache(folder, keep_hashes=set(manifest["content_hash"]), keep_sets=keep or None)
    click.echo(f"Removed {gone.vectors:,} vectors, {gone.bytes / 1e6:,.1f} MB.")


def _cache_folder(output: str | None) -> "Path | UPath":
    """Where the cache is."""
    from clustering_assets.outputs import Outputs

    return Outputs(load_settings(output=output).output).embedding_cache
