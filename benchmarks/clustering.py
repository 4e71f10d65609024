"""How good and how fast the clustering is, against k-means on raw features.

    python benchmarks/clustering.py FOLDER [--per-class 100] [--draws 3] [--backbone efficientnet_lite0] [--json FILE]
    python benchmarks/clustering.py --generated 50000x2048 [--clusters 20] [--json FILE]

FOLDER has one folder of pictures per class. Each draw takes other pictures; the table shows the median over draws of
the adjusted Rand index, the normalised mutual information, the purity, the number of clusters and the seconds.
`--unequal` draws classes of unequal size, from a tenth of --per-class up to all of it.

With --generated, vectors of that shape are made, in groups of unequal spread, and the whole step is timed: feature
space, clusters, and everything that is measured about them. The peak of the process's memory is given too; beyond
200,000 rows the other way, which needs the whole array several times over, is left out.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.cluster import cluster
from clustering_assets.clustering.imagenet_kinds import kind_shares
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.class_scores import class_scores

RAW_ROWS = 200_000
"""Most rows that k-means on raw features is given."""

ROUNDS = 5
"""Times that each of two ways is timed, in turn."""

Kinds = NDArray[np.floating] | None
"""What kind of thing each picture shows, as this project's clustering takes it."""

Labeller = Callable[[NDArray[np.float32], Kinds, int, int], NDArray[np.integer]]


def raw_kmeans(vectors: NDArray[np.float32], kinds: Kinds, clusters: int, seed: int) -> NDArray[np.integer]:
    """The usual way: scikit-learn's k-means on the features as they are."""
    return KMeans(clusters, n_init=10, random_state=seed).fit_predict(vectors)  # pyright: ignore[reportArgumentType]


def raw_kmeans_once(
    vectors: NDArray[np.float32], kinds: Kinds, clusters: int, seed: int
) -> NDArray[np.integer]:
    """The usual way with a single start, as scikit-learn has it by default."""
    return KMeans(clusters, n_init=1, random_state=seed).fit_predict(vectors)  # pyright: ignore[reportArgumentType]


def way(algorithm: str, told: bool) -> Labeller:
    """This project's algorithm, told the number of clusters or not."""

    def label(vectors: NDArray[np.float32], kinds: Kinds, clusters: int, seed: int) -> NDArray[np.integer]:
        number = clusters if told else 0
        return cluster(vectors, Request(algorithm, number, seed=seed), kinds).labels

    return label


WAYS: dict[str, Labeller] = {
    "raw k-means, k told": raw_kmeans,
    "kmeans, k told": way("kmeans", told=True),
    "hierarchical, k told": way("hierarchical", told=True),
    "kmeans, k chosen": way("kmeans", told=False),
    "hierarchical, k chosen": way("hierarchical", told=False),
    "dbscan": way("dbscan", told=False),
    "hdbscan": way("hdbscan", told=False),
    "auto": way("auto", told=False),
}


RAW = ("raw k-means, k told",)
"""Ways that are given the features alone."""


def purity(truth: NDArray[np.integer], labels: NDArray[np.integer]) -> float:
    """Share of the pictures that belong to the commonest class of their cluster."""
    return float(contingency_matrix(truth, labels).max(axis=0).sum() / len(truth))


def embed_classes(folder: Path, backbone: str, most: int) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """Vectors of the pictures in the class folders and the number of each one's class."""
    from clustering_assets.embedding.embed import Inputs, embed
    from clustering_assets.images.manifest import scan, usable

    rows = usable(scan(folder))
    rows = rows[rows["outcome"] == "used"]
    rows = rows.assign(label=rows["path"].str.split("/").str[0])
    rows = pd.concat([group.head(most) for _, group in rows.groupby("label")], ignore_index=True)
    embedded = embed(Inputs(rows, folder), NetworkSpec(backbone))
    label = dict(zip(rows["path"], pd.factorize(rows["label"])[0], strict=True))
    return np.array(embedded.vectors), np.array([label[path] for path in embedded.paths])


def draws(
    classes: NDArray[np.integer], per_class: int, unequal: bool, count: int
) -> Iterator[NDArray[np.integer]]:
    """Rows of each draw."""
    numbers = np.unique(classes)
    for seed in range(count):
        random = np.random.default_rng(seed)
        sizes = np.full(len(numbers), per_class)
        if unequal:
            sizes = random.permutation(
                np.geomspace(max(3, per_class / 10), per_class, len(numbers)).round().astype(int)
            )
        yield np.concatenate(
            [
                random.permutation(np.flatnonzero(classes == number))[:size]
                for number, size in zip(numbers, sizes, strict=True)
            ]
        )


def measure_quality(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    spare = 1 if arguments.draws == 1 else 3
    vectors, classes = embed_classes(arguments.folder, arguments.backbone, spare * arguments.per_class)
    scores = partial(class_scores, network=NetworkSpec(arguments.backbone))
    results: dict[str, dict[str, float]] = {}
    chosen = list(draws(classes, arguments.per_class, arguments.unequal, arguments.draws))
    print(f"{len(chosen[0])} images, {len(np.unique(classes))} classes, medians of {len(chosen)} draws")
    print(f"{'way':24} {'ARI':>6} {'NMI':>6} {'purity':>7} {'clusters':>9} {'seconds':>8}")
    for name, label in WAYS.items():
        figures = []
        for seed, rows in enumerate(chosen):
            truth = classes[rows]
            begun = time.perf_counter()
            kinds = kind_shares(vectors[rows], scores) if name not in RAW else None
            labels = label(vectors[rows], kinds, len(np.unique(truth)), seed)
            seconds = time.perf_counter() - begun
            figures.append(
                (
                    adjusted_rand_score(truth, labels),
                    normalized_mutual_info_score(truth, labels),
                    purity(truth, labels),
                    len(np.unique(labels[labels >= 0])),
                    seconds,
                )
            )
        middle = [statistics.median(column) for column in zip(*figures, strict=True)]
        results[name] = dict(zip(("ari", "nmi", "purity", "clusters", "seconds"), middle, strict=True))
        results[name]["worst_ari"] = min(row[0] for row in figures)
        print(
            f"{name:24} {middle[0]:6.3f} {middle[1]:6.3f} {middle[2]:7.3f} {middle[3]:9.0f} {middle[4]:8.2f}",
            flush=True,
        )
    return results


def generate(
    path: Path, shape: str, clusters: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.integer]]:
    """A memory-mapped file of non-negative vectors in groups, and the group of each."""
    n, d = (int(number) for number in shape.split("x"))
    random = np.random.default_rng(seed)
    centres = random.gamma(1.0, 1.0, (clusters, d)).astype(np.float32)
    spread = random.uniform(0.5, 1.0, clusters).astype(np.float32)
    groups = random.integers(clusters, size=n)
    vectors = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
    for start in range(0, n, 10_000):
        own = groups[start : start + 10_000]
        noise = random.standard_normal((len(own), d), dtype=np.float32) * spread[own, None]
        vectors[start : start + 10_000] = centres[own] * np.exp(noise)
    vectors.flush()
    return np.load(path, mmap_mode="r"), groups


def _peak() -> float:
    """The most memory that this process has held so far, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def measure_speed(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        vectors, truth = generate(path, arguments.generated, arguments.clusters, 0)
        print(f"{arguments.generated}, {arguments.clusters} groups")
        ways: dict[str, Labeller] = {"kmeans, k told": way("kmeans", told=True)}
        if len(vectors) <= RAW_ROWS:
            ways["raw k-means, one start"] = raw_kmeans_once
        for label in ways.values():
            label(vectors[:500], None, arguments.clusters, 0)  # what is imported at first use is not the work
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS if len(ways) == 2 else 1):
            for name, label in ways.items():
                begun = time.perf_counter()
                labels = label(vectors, None, arguments.clusters, 0)
                seconds[name].append(time.perf_counter() - begun)
                results[name] = {
                    "seconds": statistics.median(seconds[name]),
                    "ari": float(adjusted_rand_score(truth, labels)),
                    "peak_gigabytes": results[name]["peak_gigabytes"] if name in results else _peak(),
                }
    for name, found in results.items():
        print(
            f"{name:24} {found['seconds']:8.1f} s   ARI {found['ari']:.3f}   "
            f"peak so far {found['peak_gigabytes']:.2f} GB"
        )
    if len(results) == 2:
        ratios = [usual / ours for ours, usual in zip(*seconds.values(), strict=True)]
        least, most = min(ratios), max(ratios)
        print(
            f"{statistics.median(ratios):.1f} times as fast (median of {ROUNDS}, {least:.1f} to {most:.1f})"
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="folder of class folders")
    parser.add_argument("--per-class", type=int, default=100, help="most pictures of each class in a draw")
    parser.add_argument("--draws", type=int, default=3, help="number of draws")
    parser.add_argument("--unequal", action="store_true", help="classes of unequal size")
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument(
        "--generated", metavar="NxD", help="time vectors of this shape instead, e.g. 50000x2048"
    )
    parser.add_argument("--clusters", type=int, default=20, help="groups in the generated vectors")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    if bool(arguments.folder) == bool(arguments.generated):
        parser.error("give a folder of class folders, or --generated")
    results = measure_speed(arguments) if arguments.generated else measure_quality(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
