"""The command line: `python -m clustering_assets`.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import io
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from clustering_assets.cli.terminal import show_progress
from clustering_assets.cli.verify import verify
from clustering_assets.errors import ClusteringError
from clustering_assets.files import file_source
from clustering_assets.settings import (
    HOSTS_VARIABLE,
    NUMBERED,
    Settings,
    SettingsError,
    load_settings,
    unknown_variables,
)
from clustering_assets.words import counted, duration

if TYPE_CHECKING:
    from clustering_assets.defs.update import UpdateResult
    from clustering_assets.outputs import Outputs
    from clustering_assets.sources.imported import Imported

FAILED, WRONG_USAGE = 1, 2

LAST_ERROR = Path(".dagster/last_error.txt")
"""Where the traceback of an unexpected error goes."""

DEMO = Path("data/demo")
DEMO_SETTINGS: dict[str, Any] = {
    "images": str(DEMO / "images"),
    "music": str(DEMO / "music"),
    "output": str(DEMO / "output"),
    "clusters": 7,
    "backbone": "efficientnet_lite0",
    "resolution": "1280x720",
    "max_images_per_video": 12,
    "seconds_per_image": 2.0,
    "transition_seconds": 0.6,
}
"""Settings of the demo: a cluster for each theme, a dozen pictures per video, 720p: minutes on two cores."""

Command = TypeVar("Command", bound=Callable[..., Any])


def settings_options(
    defaults: Mapping[str, Any] = MappingProxyType({}), without: Collection[str] = ("sensors",)
) -> Callable[[Command], Command]:
    """Give a command one flag for each setting, with the setting's own description.

    Args:
        defaults: Defaults of this command that differ from those of the settings.
        without: Settings that the command has no flag for.
    """
    return lambda command: _with_options(command, defaults, without)


def _with_options(command: Command, defaults: Mapping[str, Any], without: Collection[str]) -> Command:
    for name, field in reversed(Settings.model_fields.items()):
        if name in without:
            continue
        flag = "--" + name.replace("_", "-")
        default = _shown_default(name, defaults.get(name, field.default))
        help_text = f"{field.description} [default: {default}]"
        if field.annotation is bool:
            option = click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help_text)
        else:
            option = click.option(
                flag, name, default=None, metavar=_metavar(name, field.annotation), help=help_text
            )
        command = option(command)
    return command


def _shown_default(name: str, value: Any) -> str:
    return "none" if value == "" else f"{value:g}" if isinstance(value, float) else str(value).lower()


def _metavar(name: str, annotation: Any) -> str:
    if name == "clusters":
        return "N|auto"
    named = {"resolution": "WxH", "images": "DIR", "music": "DIR", "output": "DIR-OR-URL", "backbone": "NAME"}
    choices = getattr(annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return "|".join(choices)
    return named.get(name, "FILE" if name.endswith("file") or name == "weights" else "N")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="clustering-assets")
def cli() -> None:
    """Turn a folder of photos into clusters and one music video per cluster."""


cli.add_command(verify)


@cli.command()
@settings_options()
def run(**flags: Any) -> None:
    """Bring everything up to date: scan, embed, cluster, choose music, render, report.

    Only what changed is made again. Flags win over CLUSTERING_* environment variables, which win over `.env`.
    """
    begun = time.monotonic()
    settings = load_settings(**flags)
    with show_progress() as say:
        result = _update(settings, say)
    _close(result, settings, begun)


@cli.command()
@click.option(
    "--count",
    default=252,
    show_default=True,
    metavar="N",
    type=click.IntRange(24),
    help="Number of pictures.",
)
@settings_options(DEMO_SETTINGS, without=("sensors", "images", "music"))
def demo(count: int, **flags: Any) -> None:
    """Generate sample pictures and music into data/demo and run everything on them."""
    begun = time.monotonic()
    given = {name: value for name, value in flags.items() if value is not None}
    settings = load_settings(**{**DEMO_SETTINGS, "min_images": min(count, 200), **given})
    with show_progress() as say:
        from clustering_assets.demo.music import make_music
        from clustering_assets.demo.pictures import make_pictures

        say("Making sample pictures and music")
        make_pictures(Path(settings.images), count=count, seed=settings.seed)
        make_music(Path(settings.music), seed=settings.seed)
        result = _update(settings, say)
    _close(result, settings, begun)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the UI listens on.")
@click.option(
    "--port", "-p", default=3000, show_default=True, type=click.IntRange(0, 65535), help="Its port."
)
def dev(host: str, port: int) -> None:
    """Run the Dagster UI with its daemon, for the browser of this machine.

    Settings come from CLUSTERING_* environment variables and `.env`. Who reaches the UI under another name than
    localhost names it in CLUSTERING_HOSTS. Runs may use folders below this one, those of the settings, and those in
    CLUSTERING_ROOTS.
    """
    from clustering_assets.defs.webserver import serve

    load_settings()
    names = os.environ.get(HOSTS_VARIABLE, "").lower().split(",")
    serve(Path.cwd(), host.lower(), port, {name.strip() for name in names} - {""}, click.echo)


@cli.group("import")
def import_pictures() -> None:
    """Bring pictures in from Kaggle or Open Images."""


IMAGES_FLAG = click.option(
    "--images", default=None, metavar="DIR", help="Folder of the pictures. [default: data/images]"
)


@import_pictures.command()
@click.argument("dataset", metavar="OWNER/DATASET")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Most pictures, evenly spread over the dataset."
)
@IMAGES_FLAG
def kaggle(dataset: str, limit: int | None, images: str | None) -> None:
    """Download a Kaggle dataset; needs your Kaggle credentials and the extra `kaggle`."""
    from clustering_assets.sources.kaggle import import_kaggle

    with show_progress():
        imported = import_kaggle(dataset, Path(load_settings(images=images).images), limit=limit)
    _say_imported(imported)


@import_pictures.command()
@click.option(
    "--limit", type=click.IntRange(1), default=500, show_default=True, metavar="N", help="Number of pictures."
)
@click.option(
    "--classes",
    multiple=True,
    metavar="CAT,DOG",
    help="Names of classes, also given several times; none for pictures of every kind.",
)
@click.option(
    "--subset",
    type=click.Choice(["validation", "test", "train"]),
    default="validation",
    show_default=True,
    help="Part.",
)
@click.option("--lists-url", default=None, metavar="URL", help="Mirror of the lists of Open Images.")
@click.option("--pictures-url", default=None, metavar="URL", help="Mirror of the pictures of Open Images.")
@IMAGES_FLAG
def openimages(
    limit: int,
    classes: tuple[str, ...],
    subset: str,
    lists_url: str | None,
    pictures_url: str | None,
    images: str | None,
) -> None:
    """Fetch pictures of Open Images V7, by class if you like."""
    from clustering_assets.sources.openimages import LISTS_URL, PICTURES_URL, import_openimages

    with show_progress():
        imported = import_openimages(
            Path(load_settings(images=images).images),
            limit=limit,
            classes=classes,
            subset=subset,
            lists_url=lists_url or LISTS_URL,
            pictures_url=pictures_url or PICTURES_URL,
        )
    _say_imported(imported)


def _say_imported(imported: "Imported") -> None:
    """What came in, and what to do next."""
    click.echo(imported.summary())
    if imported.failures and not imported.files:
        sys.exit(FAILED)


@cli.group()
def cache() -> None:
    """Look at the cache of embeddings, or make it smaller."""


@cache.command()
@click.option("--output", default=None, metavar="DIR", help="Output folder that the cache belongs to.")
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
@click.option("--output", default=None, metavar="DIR", help="Output folder that the cache belongs to.")
@click.option(
    "--keep",
    multiple=True,
    metavar="SET",
    help="A set of vectors that stays, by its name in `cache info`; the others go. Without it all sets stay.",
)
def prune(output: str | None, keep: tuple[str, ...]) -> None:
    """Remove the vectors of pictures that are not in the manifest any more, and whole sets if you like."""
    from clustering_assets.embedding.cache import prune_cache
    from clustering_assets.outputs import Outputs
    from clustering_assets.tables import IMAGE_MANIFEST

    folder = _cache_folder(output)
    try:
        manifest = Outputs(load_settings(output=output).output).read_table(IMAGE_MANIFEST)
    except FileNotFoundError as error:
        raise ClusteringError(f"There is no manifest in the output, so nothing is pruned: {error}") from error
    _check_sets(folder, keep)
    gone = prune_cache(folder, keep_hashes=set(manifest["content_hash"]), keep_sets=keep or None)
    click.echo(f"Removed {gone.vectors:,} vectors, {gone.bytes / 1e6:,.1f} MB.")


def _check_sets(folder: Path, names: tuple[str, ...]) -> None:
    """Refuse names that no set has, before anything is removed."""
    from clustering_assets.embedding.cache import cache_info

    known = [entry.name for entry in cache_info(folder).sets]
    for name in names:
        if name not in known:
            raise SettingsError(
                f"--keep {name}: there is no such set; there are {', '.join(known) or 'none'}"
            )


def _cache_folder(output: str | None) -> Path:
    from clustering_assets.outputs import Outputs

    settings = load_settings(output=output)
    folder = Outputs(settings.output).local_cache()
    if folder is None:
        raise SettingsError(f"output = {settings.output!r}: the cache is kept on local disks only")
    return folder


def _update(settings: Settings, say: Callable[[str], None]) -> "UpdateResult":
    """Check what can be checked at once, then run everything."""
    for line in unknown_variables():
        click.echo(f"Warning: {line}", err=True)
    _check_at_once(settings)
    say("Starting Dagster")
    from clustering_assets.definitions import make_definitions
    from clustering_assets.defs.instance import open_instance
    from clustering_assets.defs.update import update

    with open_instance(Path.cwd()) as instance:
        return update(make_definitions(settings), instance, settings, announce=say)


def _close(result: "UpdateResult", settings: Settings, begun: float) -> None:
    """Say what was done and where it is; a video that failed or is not as planned fails the command."""
    from clustering_assets.outputs import Outputs

    summary = _read_summary(Outputs(settings.output))
    click.echo(closing_words(result, summary, settings, time.monotonic() - begun))
    if result.failed or result.flawed:
        sys.exit(FAILED)


def _check_at_once(settings: Settings) -> None:
    """Refuse what needs no work to be refused: an unknown network, a missing file, a folder without enough files.

    Raises:
        ClusteringError: With what was found, what is needed and the way out.
    """
    from clustering_assets.images.manifest import check_folder
    from clustering_assets.preflight import check_named

    check_named(settings)
    files = check_folder(file_source(settings.images), settings.min_images)
    if settings.clusters > files and settings.algorithm in NUMBERED:
        raise SettingsError(
            f"clusters = {settings.clusters}: must be at most {files:,}, the number of files in {settings.images}"
        )


def _read_summary(outputs: "Outputs") -> dict[str, Any]:
    from clustering_assets.outputs import SUMMARY_REPORT

    return json.loads(outputs.path(SUMMARY_REPORT).with_suffix(".json").read_text(encoding="utf-8"))


def closing_words(result: "UpdateResult", summary: dict[str, Any], settings: Settings, seconds: float) -> str:
    """What the command says at the end: what was done, each cluster with its music, and what to open first."""
    from clustering_assets.outputs import GALLERY

    counts = summary["counts"]
    rows = [
        (
            cluster["key"],
            cluster["name"],
            counted(cluster["size"], "picture"),
            cluster["mood"],
            cluster["track"] or "no music",
        )
        for cluster in summary["clusters"]
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    nothing_new = not result.made and not result.rendered and not result.failed
    head = "Nothing new: everything is up to date" if nothing_new else "Done"
    lines = [
        "",
        f"{head}, in {duration(seconds)}.",
        f"{counted(counts['found'], 'file')} found, {counts['usable']:,} usable, {counts['rejected']:,} rejected, "
        f"{counted(counts['duplicates'], 'exact duplicate')}.",
        f"{counts['embedded']:,} embedded, {counts['reused']:,} reused. {counted(counts['clusters'], 'cluster')}. "
        f"{counted(counts['videos_rendered'], 'video')} rendered, {counts['videos_reused']:,} reused"
        + (f", {counts['videos_outdated']:,} out of date." if counts["videos_outdated"] else "."),
        *(f"Clusters: {note}" for note in str(summary["quality"]["notes"] or "").splitlines()),
        *(f"Since the last run: {news}" for news in [summary["quality"]["since_last_run"]] if news),
        "",
        *(
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ),
        "",
        *(f"Warning: {warning}" for warning in summary["warnings"]),
        *(f"No video of {key}: {reason}" for key, reason in result.failed.items()),
        *(f"The video of {key} is not as planned: {flaw}" for key, flaw in result.flawed.items()),
        f"Videos:   {settings.output}/videos/",
        f"Plot:     {settings.output}/clusters/cluster_visualization.png",
        f"Report:   {settings.output}/summary_report.txt",
        *([f"Rejected: see {settings.output}/dataset_analysis.txt"] if counts["rejected"] else []),
        "",
        f"Open first: {settings.output}/{GALLERY}",
    ]
    return "\n".join(lines)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)


def main() -> None:
    """Run the command line."""
    # Where the encoding of the terminal lacks letters of a name, "?" stands for them.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        cli(standalone_mode=False)
    except SettingsError as error:
        _fail(str(error), WRONG_USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG_USAGE)
    except (KeyboardInterrupt, click.Abort):
        _fail("interrupted. What was finished is kept; the same command goes on from here.", FAILED)
    except ClusteringError as error:
        _fail(str(error), FAILED)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}", FAILED)
    except Exception as error:  # noqa: BLE001 - the last place where a person can be told
        _fail_unexpectedly(f"{type(error).__name__}: {error}", traceback.format_exc())


def _fail_unexpectedly(message: str, trace: str) -> NoReturn:
    """End with what went wrong, and the traceback in a file for whoever can mend it."""
    with suppress(OSError):
        LAST_ERROR.parent.mkdir(exist_ok=True)
        LAST_ERROR.write_text(trace, encoding="utf-8")
        message += f"\nThis may be a fault of the program. The traceback is in {LAST_ERROR}."
    _fail(message, FAILED)
