"""The command that all others belong to, and what they end with."""

import click

FAILED, WRONG_USAGE = 1, 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="clustering-assets")
def cli() -> None:
    """Turn a folder of photos into clusters and one music video per cluster."""
