"""The command line: `python -m clustering_assets`.

Exit codes: 0 done, 1 failed, 2 wrong usage.
"""

import io
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from clustering_assets.cli.answers import open_gallery, why
from clustering_assets.cli.cache import cache
from clustering_assets.cli.demo import demo
from clustering_assets.cli.exit_codes import FAILED, WRONG_USAGE
from clustering_assets.cli.export import export
from clustering_assets.cli.imports import import_pictures
from clustering_assets.cli.run import run
from clustering_assets.cli.status import status
from clustering_assets.cli.ui import ui
from clustering_assets.cli.verify import verify
from clustering_assets.cli.whats_new import whats_new
from clustering_assets.errors import ClusteringError
from clustering_assets.settings import SettingsError

LAST_ERROR = Path(".dagster/last_error.txt")
"""Where the traceback of an unexpected error goes."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    commands=[cache, demo, export, import_pictures, open_gallery, run, status, ui, verify, whats_new, why],
)
@click.version_option(package_name="clustering-assets")
def cli() -> None:
    """Turn a folder of photos into clusters and one music video per cluster."""


def _fail(message: str, code: int) -> NoReturn:
    """End with a message and an exit code."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(code)


def _heed_sigterm() -> None:
    """End at SIGTERM as at Ctrl-C, also where SIGINT is ignored from the start, as in the background of a script.

    Dagster gives SIGTERM the handler of SIGINT whenever a run ends, so one has to be for both.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN

    def interrupt(number: int, frame: FrameType | None) -> None:
        """Raise what Ctrl-C raises."""
        if number != signal.SIGINT or not ignored:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)


def main() -> None:
    """Run the command line."""
    _heed_sigterm()
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
