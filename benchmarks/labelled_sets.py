"""Clustering on labelled sets of many kinds, by several networks, against other methods.

    python benchmarks/picture_sets.py SETS [--root DIR] [--photos FOLDER]
    python benchmarks/labelled_sets.py SETS [--networks efficientnet_lite0,efficientnet_lite2,random] [--draws 5]
        [--only held] [--cache DIR] [--json FILE]
    python benchmarks/labelled_sets.py SETS --steady [--networks efficientnet_lite0] [--only held] [--cache DIR]

For each half of the sets (tuned, held) and each network a table: raw k-means, this project told the number of
clusters and not, and the best of other methods on the same feature space (average linkage, Ward's linkage,
spectral clustering, all told the number, and Louvain) and of our own answers. Below it the means, the worst,
and the mean share of the best. EfficientNet-Lite1 and -Lite2 come with the extra `lite`; `random` is a ResNet50 that
never learnt anything, as a floor. Vectors are kept in --cache.

--draws clusters each set several times, all of it first and then with 3 % of its pictures left out, and gives the mean
and how far the answers are apart: what luck has to say. The seed has nothing to say about sets of this size. Raw
k-means, of ten starts each time, starts anew with every draw.

--steady adds 15 % new pictures to each set, and to one of unlike pictures: which share of the old ones moves, which
would have moved afresh, whether the same files in another order give the same clusters, and whether the notes say what
would have been preferred.
"""

import argparse
import json
import statistics
import tempfile
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
from clustering_assets.clustering.assignments import Pictures, assign
from clustering_assets.clustering.cluster import cluster
from clustering_assets.clustering.feature_space import FeatureSpace
from clustering_assets.clustering.graph import similarity_graph
from clustering_assets.clustering.imagenet_kinds import ClassScores, kind_shares
from clustering_assets.clustering.previous import Previous
from clustering_assets.embedding.catalogue import NetworkSpec
from clustering_assets.embedding.class_scores import class_scores
from clustering_assets.embedding.embed import Inputs, embed
from clustering_assets.images.manifest import scan, usable

NEW = 0.15
"""New pictures, as a share of the old ones, that are added to see what moves."""

LEFT_OUT = 0.03
"""Pictures, as a share, that every draw but the first leaves out."""

UNLIKE = 137
"""Pictures of the set of unlike ones."""

MIXED = 5
"""Clusters that the set of unlike pictures is told to have."""


def labelled(sets: Path, only: str) -> pd.DataFrame:
    """The pictures of the sets with one of some beginnings (commas between), with their `set` and `class`.

    Also `kind`, the class after the name of its set, and `finer`, the same of the folder that the picture lies in: what
    is known of it, where classes are great kinds.
    """
    rows = usable(scan(sets))
    parts = rows["path"].str.split("/")
    rows = rows.assign(
        set=parts.str[0] + "/" + parts.str[1],
        kind=parts.str[1] + "/" + parts.str[2],
        finer=parts.str[1] + "/" + parts.str[-2],
    )
    rows["class"] = parts.str[2]
    return rows[rows["set"].str.startswith(tuple(only.split(",")))].reset_index(drop=True)


def network(name: str, folder: Path) -> NetworkSpec:
    """The network of a name: `random`, or one of the catalogue."""
    if name == "random":
        import torch
        from torchvision.models import resnet50

        path = folder / "random-resnet50.pth"
        if not path.exists():
            torch.manual_seed(0)
            torch.save(resnet50(weights=None).state_dict(), path)
        return NetworkSpec("resnet50", path)
    return NetworkSpec(name)


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
    rows: pd.DataFrame, vectors: NDArray[np.float32], scores: ClassScores, draws: int
) -> dict[str, Any]:
    """The figures of one set by one network."""
    truth = pd.factorize(rows["class"])[0]
    clusters = int(truth.max()) + 1
    hashes = rows["content_hash"].to_numpy()
    index = partial(adjusted_rand_score, truth)
    drawn: dict[str, list[float]] = {"raw k-means": [], "told": [], "auto": []}
    found = []
    for draw in range(draws):
        kept = np.random.default_rng(draw).permutation(len(truth))[
            round(LEFT_OUT * len(truth)) * (draw > 0) :
        ]
        kept.sort()
        part, kinds = vectors[kept], kind_shares(vectors[kept], scores)
        order = np.argsort(hashes[kept], kind="stable")
        number = len(np.unique(truth[kept]))
        usual = KMeans(number, n_init=10, random_state=draw).fit_predict(part)  # pyright: ignore[reportArgumentType]
        told = cluster(part, Request("kmeans", number), kinds, order)
        chosen = cluster(part, Request("auto"), kinds, order)
        for way, labels in (("raw k-means", usual), ("told", told.labels), ("auto", chosen.labels)):
            drawn[way].append(adjusted_rand_score(truth[kept], labels))
        found.append(chosen.quality.clusters)
    others = {
        name: index(labels)
        for name, labels in rivals(FeatureSpace.fit(vectors).transform(vectors), clusters).items()
    }
    means = {name: statistics.mean(values) for name, values in drawn.items()}
    everything = others | means
    best = max(everything, key=lambda name: everything[name])
    return {
        "pictures": len(truth),
        "classes": clusters,
        "raw": means["raw k-means"],
        "told": means["told"],
        "auto": means["auto"],
        "found": statistics.median(found),
        "best": everything[best],
        "by": best,
        "spread": float(max(np.ptp(drawn["told"]), np.ptp(drawn["auto"]))),
        "raw_spread": float(np.ptp(drawn["raw k-means"])),
    }


def summary(table: pd.DataFrame) -> str:
    """What a table of sets says as a whole."""
    lines = []
    for way in ("raw", "told", "auto"):
        share = table[way] / table["best"].clip(lower=0.01)
        behind = (table["raw"] - table[way]).max()
        lines.append(
            f"{way:5} mean {table[way].mean():.3f}, median {table[way].median():.3f}, "
            f"worst {table[way].min():.3f}; of the best {share.mean():.3f} in the mean, "
            f"{share.min():.3f} at worst; behind raw k-means by {behind:.3f} at most"
        )
    return "\n".join([*lines, f"draws differ by {table['spread'].max():.3f} at most"])


def measure_steadiness(
    rows: pd.DataFrame, vectors: NDArray[np.float32], scores: ClassScores, request: Request
) -> dict[str, Any]:
    """What becomes of the old pictures of one set when new ones are added."""
    random = np.random.default_rng(1)
    everything = np.arange(len(rows))
    old = np.sort(random.permutation(everything)[: round(len(rows) / (1 + NEW))])

    def of(chosen: NDArray[np.intp]) -> Pictures:
        return Pictures(vectors[chosen], rows.iloc[chosen], class_scores=scores)

    before = assign(of(old), request)
    after = assign(of(everything), request, Previous(before.table, before.ids_ever_used, before.request))
    afresh = assign(of(everything), request, Previous(before.table, before.ids_ever_used))
    shuffled = random.permutation(everything)
    elsewhere = assign(of(shuffled), request, Previous(before.table, before.ids_ever_used))
    same = (elsewhere.table["cluster"].to_numpy() == afresh.table["cluster"].to_numpy()[shuffled]).all()
    index = partial(adjusted_rand_score, pd.factorize(rows["class"])[0])
    return {
        "moved": after.changes.moved,
        "afresh": afresh.changes.moved,
        "ari": index(after.table["cluster"]),
        "ari_afresh": index(afresh.table["cluster"]),
        "clusters": f"{len(before.clusters)}, {len(after.clusters)}, afresh {len(afresh.clusters)}",
        "same_in_other_order": bool(same),
        "said": any("afresh" in note for note in after.notes),
    }


def unlike(rows: pd.DataFrame) -> pd.DataFrame:
    """A set of pictures of as many classes as there are, each with as few as will do."""
    mixed = rows.drop_duplicates("content_hash").sample(frac=1, random_state=0)
    turn = mixed.groupby(["set", "class"]).cumcount()
    return mixed.iloc[np.argsort(turn, kind="stable")[:UNLIKE]]


def steadiness(
    rows: pd.DataFrame, vectors: NDArray[np.float32], scores: ClassScores, name: str
) -> dict[str, Any]:
    """The figures of all sets of one half by one network, `auto` and k-means told the number; prints them."""
    parts = {str(label): part for label, part in rows.groupby("set")} | {"unlike pictures": unlike(rows)}
    found = {}
    for label, part in parts.items():
        number = part["class"].nunique() if label.startswith(("tuned", "held")) else MIXED
        for request in (Request("auto"), Request("kmeans", number)):
            key = f"{name} {label}, {request.algorithm}"
            found[key] = measure_steadiness(part, vectors[part.index], scores, request)
            print(key, rounded(found[key]), flush=True)
    table = pd.DataFrame(found).T
    print(
        f"{name}, {len(found)} cases: {table['moved'].max():.3f} moved at most, afresh {table['afresh'].max():.3f}; "
        f"the same in another order in {table['same_in_other_order'].sum()}; said in {table['said'].sum()}",
        flush=True,
    )
    return found


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures as they are printed."""
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in figures.items()}


def quality(
    rows: pd.DataFrame, vectors: NDArray[np.float32], scores: ClassScores, name: str, draws: int
) -> dict[str, Any]:
    """The figures of all sets of one half by one network; prints them."""
    found = {}
    for label, part in rows.groupby("set"):
        found[f"{name} {label}"] = measure(part, vectors[part.index], scores, draws)
        print(name, label, rounded(found[f"{name} {label}"]), flush=True)
    print(f"{name}, {len(found)} sets\n{summary(pd.DataFrame(found).T.infer_objects())}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path, help="folder that picture_sets.py wrote")
    parser.add_argument("--networks", default="efficientnet_lite0", help="names with commas between")
    parser.add_argument("--draws", type=int, default=1, help="times that each set is clustered")
    parser.add_argument(
        "--only", default="", help="begins of the sets to measure, such as held or tuned/events,tuned/few"
    )
    parser.add_argument("--steady", action="store_true", help="what moves when pictures are added")
    parser.add_argument("--cache", type=Path, help="folder in which vectors are kept")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    rows = labelled(arguments.sets, arguments.only)
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        cache.mkdir(parents=True, exist_ok=True)
        for name in arguments.networks.split(","):
            spec = network(name, cache)
            embedded = embed(Inputs(rows, arguments.sets), spec, cache_dir=cache)
            place = {path: number for number, path in enumerate(embedded.paths)}
            vectors = np.array(embedded.vectors, dtype=np.float32)[[place[path] for path in rows["path"]]]
            scores = partial(class_scores, network=spec)
            for half in ("tuned", "held"):
                part = rows[rows["set"].str.startswith(half)]
                if part.empty:
                    continue
                label = f"{name}, {half}"
                if arguments.steady:
                    results |= steadiness(part, vectors, scores, label)
                else:
                    results |= quality(part, vectors, scores, label, arguments.draws)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
