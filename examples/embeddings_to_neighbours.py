"""What is most like each picture: nearest neighbours by the embeddings of an output.

    python examples/embeddings_to_neighbours.py output --count 3

Each line is a picture and, with their cosine similarity, the pictures that are most like it.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from clustering_assets import load_embeddings


def neighbours(vectors: NDArray[np.float32], count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The rows most like each row by cosine similarity, and how like they are, both (n, count), the nearest first."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -np.inf)  # a picture is not its own neighbour
    nearest = np.argsort(-likeness, axis=1)[:, :count]
    return nearest, np.take_along_axis(likeness, nearest, axis=1)


def main() -> None:
    """Print the neighbours of every picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", nargs="?", default="output", help="folder or URL of an output")
    parser.add_argument("--count", type=int, default=3, help="neighbours of each picture")
    given = parser.parse_args()
    vectors, paths = load_embeddings(given.output)
    for path, rows, likeness in zip(paths, *neighbours(vectors, given.count), strict=True):
        print(
            path,
            *(f"{paths[row]} ({share:.2f})" for row, share in zip(rows, likeness, strict=True)),
            sep="  ",
        )


if __name__ == "__main__":
    main()
