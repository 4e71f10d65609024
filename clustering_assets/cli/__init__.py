"""The command line: `python -m clustering_assets`."""
