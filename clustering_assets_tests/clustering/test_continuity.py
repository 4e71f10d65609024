from typing import get_args

import numpy as np
import pytest

from clustering_assets.clustering.algorithms import Request
from clustering_assets.clustering.assignments import Assignment, Pictures, assign
from clustering_assets.clustering.previous import Previous
from clustering_assets.settings import Algorithm

TWO = Request("kmeans", 2)


def left_by(before: Assignment) -> Previous:
    return Previous(before.table, before.ids_ever_used, before.request)


@pytest.fixture(scope="module")
def grown(blobs, frame):
    """A folder before and after a tenth more pictures, hard enough that fresh clusters would differ."""
    vectors, groups = blobs((90, 70, 60), spread=1.3)
    images = frame(220)
    before = assign(Pictures(vectors[:200], images[:200]), TWO)
    return vectors, groups, images, before


def again(grown, request=TWO):
    vectors, _, images, before = grown
    return assign(Pictures(vectors, images), request, left_by(before))


def test_new_pictures_do_not_move_the_old(grown):
    after = again(grown)
    assert after.changes.moved == 0
    assert after.changes.added == 20
    assert any("previous run were kept, new images added" in note for note in after.notes)


def test_where_pictures_only_went_no_new_ones_are_spoken_of(grown):
    vectors, _, images, before = grown
    kept = images["content_hash"].isin(before.table["content_hash"][10:])
    after = assign(Pictures(vectors[kept], images[kept]), TWO, left_by(before))
    assert (after.changes.added, after.changes.removed) == (0, 10)
    assert any("previous run were kept: " in note for note in after.notes)


def test_kept_clusters_are_measured_with_the_new_pictures(grown):
    after = again(grown)
    assert after.clusters["size"].sum() == 220
    assert after.table.groupby("cluster")["is_representative"].sum().tolist() == [1, 1]
    assert after.table[["silhouette", "distance_to_center"]].notna().all(axis=None)


def test_another_number_of_clusters_is_clustered_afresh(grown):
    after = again(grown, Request("kmeans", 3))
    assert len(after.clusters) == 3
    assert not any("were kept" in note for note in after.notes)


def test_without_the_same_request_nothing_is_kept(grown):
    vectors, _, images, before = grown
    after = assign(Pictures(vectors, images), TWO, Previous(before.table))
    assert not any("were kept" in note for note in after.notes)


def test_a_new_group_of_pictures_gets_its_own_cluster(blobs, frame):
    vectors, groups = blobs((80, 70, 60, 40))
    old = groups < 3
    order = np.concatenate([np.flatnonzero(old), np.flatnonzero(~old)])
    vectors, images = vectors[order], frame(250)
    before = assign(Pictures(vectors[:210], images[:210]), Request("auto"))
    after = assign(Pictures(vectors, images), Request("auto"), left_by(before))
    assert len(before.clusters) == 3
    assert len(after.clusters) == 4
    assert after.changes.births == (3,)
    assert after.changes.moved == 0


def test_a_folder_that_is_mostly_new_is_clustered_afresh(grown, frame):
    vectors, _, _, before = grown
    after = assign(Pictures(vectors, frame(220, start=120)), TWO, left_by(before))
    assert not any("were kept" in note for note in after.notes)


@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_a_tenth_more_pictures_leave_the_old_in_place(blobs, frame, algorithm):
    vectors, _ = blobs((60, 50, 40, 14), spread=1.2)
    order = np.random.default_rng(3).permutation(len(vectors))
    vectors, images = vectors[order], frame(len(vectors))
    old = round(len(vectors) / 1.1)
    before = assign(Pictures(vectors[:old], images[:old]), Request(algorithm))
    after = assign(Pictures(vectors, images), Request(algorithm), left_by(before))
    assert after.changes.moved < 0.02
    assert after.changes.added == len(vectors) - old


def test_a_folder_in_which_nothing_changed_keeps_even_worse_clusters(blobs, frame):
    vectors, _ = blobs((60, 50, 40))
    images = frame(150)
    before = assign(Pictures(vectors, images), Request("auto"))
    worse = before.table.assign(cluster=np.arange(150) % 2)
    after = assign(Pictures(vectors, images), Request("auto"), Previous(worse, {0, 1}, before.request))
    assert after.table["cluster"].tolist() == worse["cluster"].tolist()
    assert any("no image came or went" in note and "afresh: 3" in note for note in after.notes)


def test_far_better_clusters_replace_the_old_when_pictures_come(blobs, frame):
    vectors, _ = blobs((60, 50, 40))
    images = frame(150)
    before = assign(Pictures(vectors[:140], images[:140]), Request("auto"))
    worse = before.table.assign(cluster=np.arange(140) % 2)
    after = assign(Pictures(vectors, images), Request("auto"), Previous(worse, {0, 1}, before.request))
    assert len(after.clusters) == 3


def test_where_nothing_stands_apart_the_old_clusters_stay(frame):
    noise = np.abs(np.random.default_rng(2).normal(size=(69, 80))).astype(np.float32)
    images = frame(69)
    before = assign(Pictures(noise[:60], images[:60]), Request("auto"))
    other = assign(Pictures(noise[:60], images[:60]), Request("kmeans", 3)).table
    after = assign(Pictures(noise, images), Request("auto"), Previous(other, {0, 1, 2}, before.request))
    assert after.changes.moved == 0
    assert any("afresh would be" in note for note in after.notes)


def test_what_would_have_been_preferred_is_said(grown):
    note = next(note for note in again(grown).notes if "were kept" in note)
    assert "afresh would be" in note
    assert "would be a clear gain" in note


def test_the_names_of_files_do_not_decide(blobs, frame):
    vectors, _ = blobs((50, 40, 30), spread=1.2)
    images = frame(120)
    order = np.random.default_rng(5).permutation(120)
    here = assign(Pictures(vectors, images), Request("auto")).table
    there = assign(Pictures(vectors[order], images.iloc[order]), Request("auto")).table
    labels = there.set_index("content_hash")["cluster"][here["content_hash"]].to_numpy()
    assert (labels == here["cluster"].to_numpy()).all()


def test_a_folder_in_which_nothing_changed_keeps_its_names(blobs, frame):
    vectors, _ = blobs((60, 50, 40))
    images = frame(150)
    before = assign(Pictures(vectors, images), Request("auto"))
    older = before.table.assign(cluster_hint="as called before, " + before.table["cluster"].astype(str))
    head = lambda features: (np.eye(4)[[0] * len(features)] * 9, ["boat", "lake", "fog", "hill"])  # noqa: E731
    after = assign(
        Pictures(vectors, images, class_scores=head),
        Request("auto"),
        Previous(older, before.ids_ever_used, before.request),
    )
    assert set(after.clusters["name"]) == set(older["cluster_hint"])
