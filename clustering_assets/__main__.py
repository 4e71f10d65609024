"""`python -m clustering_assets`."""

from clustering_assets.cli.main import main

if __name__ == "__main__":
    main()
