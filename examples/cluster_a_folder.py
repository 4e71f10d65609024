"""The clusters of a folder of pictures without Dagster, an output or a setting: look, embed, cluster.

python examples/cluster_a_folder.py ~/Pictures/summer --clusters 7
"""

import argparse
from pathlib import Path

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.assignments import Pictures, assign
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.embed import Inputs, embed
from clustering_assets.images.manifest import scan, usable


def main() -> None:
    """Print every cluster, its size and its most typical picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of pictures, searched recursively")
    parser.add_argument("--clusters", type=int, default=7, help="number of clusters")
    parser.add_argument(
        "--backbone", default="efficientnet_lite0", help="network whose features are compared"
    )
    given = parser.parse_args()
    images = usable(scan(given.folder))
    embedded = embed(Inputs(images, given.folder), NetworkSpec(given.backbone))
    images = images.set_index("path").loc[embedded.paths].reset_index()  # those that could be embedded
    found = assign(Pictures(embedded.vectors, images), Request("kmeans", given.clusters))
    for row in found.clusters.itertuples():
        print(f"{row.key}  {row.name}: {row.size} pictures, most typical {row.representative}")
    print(f"mean silhouette {found.quality.silhouette:.2f}")


if __name__ == "__main__":
    main()
