"""The command that reads every result in full."""

import sys
from typing import TYPE_CHECKING

import click

from clustering_assets.cli.exit_codes import FAILED
from clustering_assets.cli.terminal import show_progress
from clustering_assets.errors import ClusteringError
from clustering_assets.progress import track
from clustering_assets.settings import load_settings
from clustering_assets.words import counted

if TYPE_CHECKING:
    from clustering_assets.integrity import State
    from clustering_assets.outputs import Outputs


@click.command()
@click.option("--output", default=None, metavar="DIR-OR-URL", help="Output to look at. [default: output]")
def verify(output: str | None) -> None:
    """Read every result in full, and name those that are not as they were written.

    Every run compares size and time of the results with what was recorded when they were written, and the content of
    small ones. This compares the content of all, and finds what has changed without a trace, as on a failing disk.
    It changes no result: what is damaged or gone is made anew by the next `run`, or by the sensors.

    Exits with 1 if anything is damaged or gone.
    """
    from clustering_assets.embedding.cache import damaged_shards
    from clustering_assets.integrity import State
    from clustering_assets.outputs import Outputs

    outputs = Outputs(load_settings(output=output).output)
    with show_progress():
        states = read_everything(outputs)
        shards = damaged_shards(outputs.embedding_cache)
    if not states:
        raise ClusteringError(f"There are no results in {outputs.root}")
    lost = [name for name, state in states.items() if state in (State.DAMAGED, State.MISSING)]
    for name, state in states.items():
        if state is not State.WHOLE:
            click.echo(f"{outputs.root}/{name} {state.value}")
    for shard in shards:
        click.echo(f"{shard} was damaged and is gone: its pictures are embedded again when they are needed")
    whole = sum(state is State.WHOLE for state in states.values())
    click.echo(f"{counted(len(states), 'file')} looked at, {whole:,} as written.")
    if lost:
        click.echo("Run again with the same settings to make the others anew.")
        sys.exit(FAILED)


def read_everything(outputs: "Outputs") -> "dict[str, State]":
    """What became of each result, by name; those that are damaged are marked, so that every later check finds them too.

    What an older version wrote without a record is recorded where it can be checked.
    """
    from clustering_assets.integrity import State
    from clustering_assets.outputs import RESULTS, files_of
    from clustering_assets.results import is_whole
    from clustering_assets.video.encode import read_digest
    from clustering_assets.video.verify import plays_through

    records = outputs.records
    there = {name: [file for file in files_of(name) if outputs.path(file).is_file()] for name in RESULTS}
    for name, files in there.items():
        if files and all(records.state(file) is State.UNRECORDED for file in files):
            is_whole(outputs, name)
    videos = {outputs.name_of(path): path for path in outputs.videos()}
    for name, path in videos.items():
        if records.state(name) is State.UNRECORDED and read_digest(path) and plays_through(path):
            records.publish([name])
    names = sorted({*records.names(), *videos, *(file for files in there.values() for file in files)})
    return {name: records.state(name, thorough=True) for name in track(names, "Reading", unit="files")}
