import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from clustering_assets.clustering import consensus, graph
from clustering_assets.clustering.consensus import gather
from clustering_assets.clustering.estimators import knee
from clustering_assets.clustering.graph import (
    connect,
    eigenmap,
    follow,
    modularity,
    nearest,
    similarity_graph,
)
from clustering_assets.clustering.neighbour_embedding import lay_out


@pytest.fixture
def points():
    random = np.random.default_rng(0)
    table = random.normal(size=(90, 8)) + 4 * np.repeat(np.eye(3, 8), 30, axis=0)
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def test_neighbours_are_those_of_scikit_learn(points):
    index, distance = nearest(points, 5)
    expected, rows = NearestNeighbors(n_neighbors=5).fit(points).kneighbors()
    assert np.array_equal(index, rows)
    assert distance == pytest.approx(expected, abs=1e-6)


def test_the_graph_is_symmetric_and_in_one_part(points):
    found = similarity_graph(points)
    assert abs(found - found.T).max() < 1e-12
    assert sparse.csgraph.connected_components(found)[0] == 1


def test_separate_parts_are_joined_where_they_are_closest():
    places = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]])
    parts = sparse.csr_matrix(np.kron(np.eye(2), np.ones((3, 3)))[:5, :5])
    joined = connect(parts, places)
    assert joined[2, 3] > 0
    assert joined[0, 4] == 0


@pytest.mark.parametrize("limit", [0, 1500])
def test_the_eigenmap_solves_the_laplacian(points, monkeypatch, limit):
    monkeypatch.setattr(graph, "DENSE_ROWS", limit)
    weights = similarity_graph(points)
    values, vectors = eigenmap(weights, 5)
    root = 1 / np.sqrt(np.asarray(weights.sum(axis=1)).ravel())
    laplacian = np.eye(90) - root[:, None] * weights.toarray() * root
    assert laplacian @ vectors == pytest.approx(vectors * values, abs=1e-4)
    assert values[0] == pytest.approx(0, abs=1e-6)


def test_the_eigenmap_is_whole_where_many_eigenvalues_are_equal():
    copies = np.repeat(np.random.default_rng(0).normal(size=(6, 5)), 10, axis=0)
    values, vectors = eigenmap(similarity_graph(copies / np.linalg.norm(copies, axis=1, keepdims=True)), 11)
    assert vectors.shape == (60, 11)
    assert np.isfinite(values).all()


def test_modularity_is_one_half_for_two_equal_separate_parts():
    weights = sparse.csr_matrix(np.kron(np.eye(2), np.ones((4, 4))))
    assert modularity(weights, np.repeat([0, 1], 4)) == pytest.approx(0.5)
    assert modularity(weights, np.zeros(8, dtype=int)) == pytest.approx(0)


def test_a_point_follows_most_of_its_neighbours():
    known = np.array([[0.0], [0.2], [0.4], [5.0]])
    assert follow(np.array([[0.1]]), known, np.array([3, 1, 1, 7]), 3).tolist() == [1]


def test_a_layout_keeps_neighbours_together_and_groups_apart(points):
    place = lay_out(points, seed=1)
    centres = place.reshape(3, 30, -1).mean(axis=1)
    within = np.linalg.norm(place.reshape(3, 30, -1) - centres[:, None], axis=2).mean()
    between = np.linalg.norm(centres[0] - centres[1])
    assert between > 3 * within


def test_a_layout_is_the_same_by_seed(points):
    assert np.array_equal(lay_out(points, seed=4), lay_out(points, seed=4))


def test_votes_join_what_belongs_together(points):
    agreement = gather([points]).agreement
    truth = np.repeat(range(3), 30)
    same = truth[:, None] == truth
    assert agreement[same].mean() > 0.9
    assert agreement[~same].mean() < 0.1


def test_the_votes_are_the_same_on_any_number_of_cores(points, monkeypatch):
    votes = []
    for cores in (1, 4):
        monkeypatch.setattr(consensus, "available_cores", lambda cores=cores: cores)
        votes.append(gather([points]).agreement)
    assert np.array_equal(*votes)


def test_small_folders_are_laid_out_more_often(monkeypatch):
    monkeypatch.setattr(consensus, "MOST_ROUNDS", 12)
    assert [consensus.rounds(n) for n in (12, 40, 100, 400, 2_000)] == [1, 5, 12, 6, 1]


def test_the_knee_is_where_the_curve_turns():
    curve = np.concatenate([np.linspace(1, 1.2, 90), np.linspace(1.3, 6, 10)])
    assert 1.15 < knee(np.random.default_rng(0).permutation(curve)) < 1.4
