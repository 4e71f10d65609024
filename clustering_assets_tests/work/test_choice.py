"""The engine that settings ask for, and what is said where it is not installed."""

import importlib.util

import pytest

from clustering_assets.settings import SettingsError, Work, load_settings
from clustering_assets.work.choice import make_engine
from clustering_assets.work.engine import Cluster, Task, WorkError
from clustering_assets.work.processes import Processes
from clustering_assets.work.ray_cluster import RayCluster


def test_this_machine_works_unless_another_is_asked_for():
    assert isinstance(make_engine(), Processes)
    assert isinstance(make_engine(load_settings().work), Processes)
    assert not isinstance(make_engine(), Cluster)


def test_a_ray_cluster_has_workers_of_the_size_that_was_asked_for():
    pytest.importorskip("ray")
    engine = make_engine(Work(engine="ray", ray_address="head:6379", ray_cpus=4, ray_gpus=0.5))
    assert isinstance(engine, RayCluster) and isinstance(engine, Cluster)
    assert (engine.address, engine.cpus, engine.gpus) == ("head:6379", 4, 0.5)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WorkError, match=r"engine = 'ray' needs Ray: pip install 'clustering-assets\[ray\]'"):
        make_engine(Work(engine="ray"))


def test_an_unknown_engine_is_refused():
    with pytest.raises(SettingsError, match="engine = 'dask'"):
        load_settings(engine="dask")


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "http://127.0.0.1:8265"])
def test_only_a_member_of_a_cluster_can_hand_out_work(address):
    pytest.importorskip("ray")
    with pytest.raises(WorkError, match=f"ray_address = '{address}': run this on a machine of the cluster"):
        list(RayCluster(address).run(Task(list), [1]))


def test_an_address_where_nothing_is_is_refused_at_once():
    pytest.importorskip("ray")
    with pytest.raises(WorkError, match=r"ray_address = '127.0.0.1:9': nothing answers there"):
        list(RayCluster("127.0.0.1:9").run(Task(list), [1]))


def test_nothing_to_do_needs_no_cluster():
    assert list(RayCluster("127.0.0.1:9").run(Task(list), [])) == []
