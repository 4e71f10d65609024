"""Whether the names of clusters say what is there, on labelled sets.

    python benchmarks/picture_sets.py SETS [--root DIR] [--photos FOLDER]
    python benchmarks/names.py SETS [--networks efficientnet_lite0] [--only held] [--cache DIR] [--list]

For each half of the sets (tuned, held) how many clusters have a name that is right, vague (true, but of much
else as well), silent (a colour: nothing is claimed) or false, once with the true groups as clusters, once
with those that `auto` makes. A name is judged picture by picture, by the table of words below, and by the
worst of its words; a cluster's is that of most of its pictures. Sets of nameable things (photos, furniture,
mixtures, stamps) and others (drawings, emoji, figures and tiles of games, abstract patterns) are counted
apart. Scenes of wallpapers have no words that are known to be right, and are left out.
"""

import argparse
import re
import tempfile
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from labelled_sets import labelled, network
from numpy.typing import NDArray

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.cluster import cluster
from clustering_assets.clustering.imagenet_kinds import ClassScores, families, kind_shares, membership
from clustering_assets.clustering.names import DIFFERENCES, name_clusters
from clustering_assets.embedding.class_scores import class_scores
from clustering_assets.embedding.embed import Inputs, embed

VERDICTS = ("right", "vague", "silent", "false")

LOOKS = {word for _, _, *words in DIFFERENCES for word in words}
"""Words for what clusters look like beside one another; ImageNet has lighters, too."""

ENOUGH = 0.1
"""Share of a cluster's pictures for which each half of "cats and dogs" must be right."""

NAMEABLE = ("thumbnails", "one great kind", "few", "great kinds", "furniture", "mixture", "stamps")
"""How the sets begin whose things photos show, or renderings like photos."""

ANIMALS = "animals"
VEHICLES = "vehicles"
PLANTS = "food and plants"
HOUSE = "things of the house"
MAMMALS = f"mammals; {ANIMALS}"

ACCEPTED = {
    "airplane": ("aircraft", VEHICLES),
    "car": ("cars and lorries; road vehicles", VEHICLES),
    "cat": ("cats; felines", MAMMALS),
    "dog": ("dogs; canines", MAMMALS),
    "flower": ("flowers and plants; plants and mushrooms", PLANTS),
    "fruit": ("fruit; fruit and vegetables", f"food; {PLANTS}"),
    "motorbike": ("motorbikes and bicycles; road vehicles", VEHICLES),
    "person": ("people or clothes", ""),
    "great kinds/animals": ("mammals", "animals; cats; dogs; felines; canines"),
    "great kinds/vehicles": (
        "vehicles",
        "road vehicles; aircraft; cars and lorries; motorbikes and bicycles",
    ),
    "great kinds/plants": ("food and plants", "fruit; flowers and plants; fruit and vegetables"),
    "great kinds/people": ("people or clothes", ""),
    "bird": ("birds", ANIMALS),
    "bug": ("insects; insects and spiders", ANIMALS),
    "insect": ("insects; insects and spiders", ANIMALS),
    "mammal": ("mammals", ANIMALS),
    "fish": ("fish; sea animals", ANIMALS),
    "marine": ("sea life; fish; sea animals", ANIMALS),
    "desserts": ("food", PLANTS),
    "sweet": ("food", PLANTS),
    "prepared": ("food", f"dishes and cups; {PLANTS}"),
    "beverages": ("dishes and cups; food", f"{HOUSE}; {PLANTS}"),
    "trees": ("flowers and plants", "fruit and vegetables; landscapes; food and plants"),
    "plant": ("flowers and plants", "dishes and cups; food and plants"),
    "sapling": ("flowers and plants", PLANTS),
    "leaves": ("flowers and plants", PLANTS),
    "homes": ("buildings; buildings and structures", ""),
    "houses": ("buildings; buildings and structures", ""),
    "building": ("buildings; buildings and structures", ""),
    "castle": ("buildings; buildings and structures", ""),
    "village": ("buildings; buildings and structures", ""),
    "forest": ("flowers and plants; landscapes", "food and plants; fruit and vegetables"),
    "water": ("landscapes", "coral and reefs"),
    "cave": ("landscapes", ""),
    "frozen": ("landscapes", ""),
    "flat": ("landscapes; fabrics and patterns; flowers and plants", ""),
    "stone": ("fabrics and patterns", ""),
    "wood": ("fabrics and patterns", ""),
    "patterns": ("fabrics and patterns", ""),
    "stripes": ("fabrics and patterns", ""),
    "dots": ("fabrics and patterns", ""),
    "checks": ("fabrics and patterns", ""),
    "rings": ("fabrics and patterns", ""),
    "clouds": ("", "fabrics and patterns"),
    "strokes": ("", "fabrics and patterns"),
    "weapons": ("weapons", "tools"),
    "tools": ("tools", ""),
    "transportation-vehicles": ("cars and lorries; road vehicles", VEHICLES),
    "stamps/vehicles": ("vehicles; road vehicles; cars and lorries", ""),
    "ground": ("road vehicles; cars and lorries; trains and trams", VEHICLES),
    "boating": ("boats and ships", VEHICLES),
    "roadsigns": ("road signs", "documents and screens"),
    "flags": ("", "fabrics and patterns; documents and screens; technical structures"),
    "clothing": ("people or clothes", ""),
    "clothes": ("people or clothes", ""),
    "humans": ("people or clothes", ""),
    "elves-wood": ("people or clothes", ""),
    "elves": ("people or clothes", ""),
    "dwarves": ("people or clothes", ""),
    "loyalists": ("people or clothes", ""),
    "orcs": ("", "people or clothes"),
    "undead": ("", "people or clothes"),
    "skeletal": ("", "people or clothes"),
    "drakes": ("reptiles", f"reptiles and amphibians; {ANIMALS}"),
    "saurians": ("reptiles", f"reptiles and amphibians; {ANIMALS}"),
    "merfolk": ("", "people or clothes"),
    "monsters": ("", ANIMALS),
    "male": ("people or clothes", ""),
    "music": ("musical instruments", ""),
    "dishes": ("dishes and cups", HOUSE),
    "time": ("analog clock; stopwatch; hourglass", ""),
    "book": ("documents and screens", ""),
    "bed": ("furniture and rooms", HOUSE),
    "chair": ("furniture and rooms", HOUSE),
    "door": ("furniture and rooms", HOUSE),
    "lamp": ("furniture and rooms", HOUSE),
    "table": ("furniture and rooms", HOUSE),
    "window": ("furniture and rooms; fabrics and patterns", HOUSE),
    "bath": ("furniture and rooms", HOUSE),
    "cabinet": ("furniture and rooms", HOUSE),
    "sofa": ("furniture and rooms", HOUSE),
    "sink": ("furniture and rooms", f"dishes and cups; {HOUSE}"),
    "computer": ("electronics", HOUSE),
    "oven": ("furniture and rooms; electronics", f"dishes and cups; {HOUSE}"),
}
"""By the end of a class, or a word in it, the words that are right, and those that are true of much else as well."""


@cache
def accepted(kind: str) -> tuple[frozenset[str], frozenset[str]]:
    """The right and the vague words of a class of a set, such as `clip art/animals-birds`."""
    parts = [word.removesuffix("s") for word in re.split(r"[-_/ ]", kind.lower())]
    whole = kind.removesuffix("s")
    fits = [
        key for key in ACCEPTED if whole.endswith(key.removesuffix("s")) or key.removesuffix("s") in parts
    ]
    best = max(fits, key=lambda key: (whole.endswith(key.removesuffix("s")), len(key)), default="")
    right, vague = ACCEPTED.get(best, ("", ""))
    return frozenset(right.split("; ")) - {""}, frozenset(vague.split("; ")) - {""}


def verdict(name: str, kind: str, classes: dict[str, str]) -> str:
    """What a name is worth for a picture of a class: that of its worst word.

    Args:
        name: The name of the picture's cluster.
        kind: The class, after the name of its set.
        classes: The kind of thing that each word of the network is of.
    """
    known = {*membership(further=True)[0], *families()[0]}
    words = [word for word in name.split(", ") if word not in LOOKS]
    first, _, second = words[0].partition(" and ")
    if words[0] not in known and {first, second} <= known:
        return min((verdict(word, kind, classes) for word in (first, second)), key=VERDICTS.index)
    claims = [classes.get(word, word) for word in words if word in known or word in classes]
    right, vague = accepted(kind)
    found = ["right" if word in right else "vague" if word in vague else "false" for word in claims]
    return max(found, key=VERDICTS.index, default="silent")


def judged(
    names: dict[int, str], labels: NDArray[np.integer], rows: pd.DataFrame, words: list[str]
) -> dict[int, str]:
    """The verdict on each cluster: that of most of its pictures, the worse one of two that are as many.

    Where more is known of pictures than their class, such as which vehicle one is, that counts, unless the name is
    right of the class.
    """
    kinds, member = membership(further=True)
    classes = {
        words[j].split(",")[0].strip(): kinds[int(member[j].argmax())] if member[j].any() else words[j]
        for j in range(len(words))
    }
    found = {}
    for number in (c for c in names if c >= 0):
        own = rows[labels == number]
        broad, fine = (_verdict_of_all(names[number], own[level], classes) for level in ("kind", "finer"))
        found[number] = "right" if broad == "right" else fine
    return found


def _verdict_of_all(name: str, kinds: pd.Series, classes: dict[str, str]) -> str:
    """What a name is worth for a cluster of pictures of these kinds."""
    counts = Counter(verdict(name, kind, classes) for kind in kinds)
    most = max(counts, key=lambda one: (counts[one], VERDICTS.index(one)))
    return "false" if most == "right" and _only_half_true(name, kinds, classes) else most


def _only_half_true(name: str, own: pd.Series, classes: dict[str, str]) -> bool:
    """Whether a name of two kinds has one that is right for less than a tenth of the pictures."""
    first, _, second = name.split(", ")[0].partition(" and ")
    if not second or name.split(", ")[0] in {*membership(further=True)[0], *families()[0]}:
        return False
    right = [(own.map(partial(verdict, word, classes=classes)) == "right").mean() for word in (first, second)]
    return min(right) < ENOUGH


def named_set(rows: pd.DataFrame, vectors: NDArray[np.float32], scores: ClassScores, *, told: bool) -> Any:
    """The names of the clusters of a set and what they are worth, with the classes for clusters or those of `auto`."""
    if told:
        labels = pd.factorize(rows["class"])[0]
    else:
        order = np.argsort(rows["content_hash"].to_numpy(), kind="stable")
        labels = cluster(vectors, Request("auto"), kind_shares(vectors, scores), order).labels
    found = scores(vectors[:1])
    # neither folders nor files may tell what is there
    blind = rows.drop(columns=["taken_at"], errors="ignore").assign(
        path=[f"{row}.png" for row in range(len(rows))]
    )
    names = name_clusters(labels, vectors, blind, class_scores=scores)
    return names, judged(names, labels, rows, found[1] if found else []), labels


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path, help="folder that picture_sets.py wrote")
    parser.add_argument("--networks", default="efficientnet_lite0", help="names with commas between")
    parser.add_argument(
        "--only", default="", help="begin of the sets to measure, such as held or tuned/stamps"
    )
    parser.add_argument("--cache", type=Path, help="folder in which vectors are kept")
    parser.add_argument("--list", action="store_true", help="also print every name")
    arguments = parser.parse_args()
    rows = labelled(arguments.sets, arguments.only)
    left_out = rows["set"].str.contains("events|shoots") | rows["class"].str.startswith("scene")
    rows = rows[~left_out].reset_index(drop=True)
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        cache.mkdir(parents=True, exist_ok=True)
        for name in arguments.networks.split(","):
            spec = network(name, cache)
            embedded = embed(Inputs(rows, arguments.sets), spec, cache_dir=cache)
            place = {path: number for number, path in enumerate(embedded.paths)}
            vectors = np.array(embedded.vectors, dtype=np.float32)
            spread: list[float] = []
            total: dict[tuple[str, bool, bool], Counter[str]] = {}
            for label, part in rows.groupby("set"):
                own = vectors[[place[path] for path in part["path"]]]
                half, _, title = str(label).partition("/")
                scored = class_scores(own, spec)
                spread.append(0.0 if scored is None else float(scored[0].std(axis=1).mean()))
                for told in (True, False):
                    names, found, labels = named_set(
                        part.reset_index(drop=True), own, partial(class_scores, network=spec), told=told
                    )
                    counts = total.setdefault((half, title.startswith(NAMEABLE), told), Counter())
                    counts.update(found.values())
                    print(
                        name,
                        label,
                        "true groups" if told else "auto",
                        dict(Counter(found.values())),
                        flush=True,
                    )
                    if arguments.list:
                        for number, worth in found.items():
                            within = part["class"].to_numpy()[labels == number]
                            kinds = ", ".join(
                                f"{count} {kind}" for kind, count in Counter(within).most_common(3)
                            )
                            print(f"    {worth:6} {names[number]}: {kinds}")
            print(f"{name}: class scores of a picture differ by {np.mean(spread):.3f} (standard deviation)")
            for (half, nameable, told), counts in sorted(total.items()):
                shares = ", ".join(
                    f"{counts[one]} {one} ({counts[one] / counts.total():.0%})" for one in VERDICTS
                )
                print(
                    f"{name}, {half}, {'nameable things' if nameable else 'others'}, "
                    f"{'true groups' if told else 'clusters of auto'}: {shares}"
                )


if __name__ == "__main__":
    main()
