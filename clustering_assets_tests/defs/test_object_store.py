"""Pictures, music and results on an S3 store: what a run fetches, what a second one does, and what troubles cost."""

import json
import time
from collections import Counter
from dataclasses import asdict

import dagster as dg
import pytest

from clustering_assets.defs.resources import settings_type
from clustering_assets.defs.update import run_config
from clustering_assets.errors import ClusteringError
from clustering_assets.integrity import State
from clustering_assets.leases import LOCK, Lease, OutputTaken
from clustering_assets.outputs import ALBUM_FILM, Outputs
from clustering_assets.storage import PARTIAL
from clustering_assets.stores import StoreError
from clustering_assets.tables import CLUSTER_ASSIGNMENTS, IMAGE_MANIFEST, MUSIC_CHOICE
from clustering_assets_tests.object_stores import ENVIRONMENT, REFUSED, answer, reaching
from clustering_assets_tests.projects import defs

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def allowed(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("CLUSTERING_ROOTS", f"{tmp_path}:{bucket.place()}")


@pytest.fixture
def places(bucket, pictures_and_music):
    """A project all of whose places are in the bucket; gives what differs from its settings."""
    bucket.fill(pictures_and_music / "images", "pics")
    bucket.fill(pictures_and_music / "music", "music")
    return {
        name: bucket.place(below)
        for name, below in (("images", "pics"), ("music", "music"), ("output", "out"))
    }


def fetched(bucket, below: str) -> Counter[str]:
    asked = (key for key in bucket.of_objects("GET") if key.startswith(below))
    return Counter(key for key in asked if not key.endswith("/pins.csv"))


def test_each_object_is_fetched_once_and_a_second_run_fetches_none(bucket, fresh, places):
    project = fresh()
    result = project.update(**places)
    assert result.rendered and not result.failed and not result.flawed
    pictures = fetched(bucket, "pics/")
    assert set(pictures.values()) == {1} and len(pictures) >= 30
    assert set(fetched(bucket, "music/").values()) == {1}
    assert not [key for key in bucket.of_objects("HEAD") if key.startswith("pics/")]
    outputs = Outputs(places["output"])
    assert (outputs.read_table(MUSIC_CHOICE)["track"] != "").all()
    assert not outputs.path(LOCK).exists()
    sent = Counter(key for key in bucket.of_objects("PUT") if key.endswith((".mp4", PARTIAL)))
    assert sent == {f"out/videos/{path.name}": 1 for path in outputs.videos()}, (
        "each once, when it is complete"
    )
    assert not fetched(bucket, "out/videos/cluster"), "what was sent is known without reading it again"

    bucket.forget()
    again = project.update(**places)
    assert again.made == [] and again.rendered == []
    assert not fetched(bucket, "pics/") and not fetched(bucket, "music/")

    _heals_what_was_damaged(bucket, project, places, result)
    _embeds_nothing_that_was_renamed(bucket, project, places, outputs)

    bucket.forget()
    assert "album_film" in project.update(**places, album_film=True).made
    sent = [key for key in bucket.of_objects("PUT") if key.endswith((".mp4", PARTIAL))]
    assert sent == [f"out/{ALBUM_FILM}"] and not fetched(bucket, sent[0]), "sent once, and not read again"
    assert outputs.records.state(ALBUM_FILM, thorough=True) is State.WHOLE
    assert project.update(**places, album_film=True).made == []


def _heals_what_was_damaged(bucket, project, places, result):
    """A cut video and damaged vectors are made anew, from the cache."""
    outputs = Outputs(places["output"])
    key = next(iter(result.clusters))
    video = outputs.existing_video(key)
    content = video.read_bytes()
    bucket.put(f"out/videos/{video.name}", content[: len(content) // 2])
    assert project.update(**places).rendered == [key]
    changed = bytearray(outputs.path("embeddings/embeddings.npy").read_bytes())
    changed[-9] ^= 255
    bucket.put("out/embeddings/embeddings.npy", bytes(changed))
    bucket.forget()
    assert "embeddings" in project.update(**places).made
    assert project.embedded() == 0
    assert not fetched(bucket, "pics/")


def _embeds_nothing_that_was_renamed(bucket, project, places, outputs):
    paths = outputs.read_table(IMAGE_MANIFEST)["path"]
    old = paths.iloc[0]
    bucket.put(f"pics/new/{old}", bucket.ask("GET", f"pics/{old}"))
    bucket.remove(f"pics/{old}")
    bucket.forget()
    project.update(**places)
    assert f"new/{old}" in set(outputs.read_table(CLUSTER_ASSIGNMENTS)["path"])
    assert fetched(bucket, "pics/") == {f"pics/new/{old}": 1}
    assert project.embedded() == 0


def test_one_refusal_in_the_middle_of_everything_costs_nothing(bucket, fresh, places):
    counts: Counter[str] = Counter()

    def now_and_then(request):
        counts[request.method] += 1
        if counts[request.method] % 23 == 7:
            return answer(503, "SlowDown")
        if counts[request.method] % 31 == 11:
            return "drop"
        return "cut" if request.method == "GET" and counts["GET"] % 37 == 5 else None

    bucket.trouble = now_and_then
    result = fresh().update(**places)
    assert result.rendered and not result.failed and not result.flawed


def test_runs_and_sensors_of_the_ui_keep_off_an_output_that_another_machine_updates(bucket, fresh, places):
    project = fresh()
    project.update(**places)
    lease = Lease("somebody", "elsewhere:7:early", time.time(), time.time() + 600)
    bucket.put(f"out/{LOCK}", json.dumps(asdict(lease)).encode())
    settings, words = project.settings(**places), "process 7 on elsewhere"
    with project.instance() as instance:
        job = defs.resolve_job_def("cluster_images")
        with pytest.raises(dg.DagsterError) as refused:
            job.execute_in_process(run_config=run_config(settings), instance=instance)
        assert isinstance(refused.value.__cause__, OutputTaken) and words in str(refused.value.__cause__)
        for name in ("new_images_sensor", "cluster_videos_sensor"):
            context = dg.build_sensor_context(
                instance=instance,
                resources={"settings": settings_type(settings)()},
                repository_def=defs.get_repository_def(),
            )
            assert words in defs.resolve_sensor_def(name)(context).skip_message


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (answer(403, "InvalidAccessKeyId"), "does not accept the credentials"),
        (answer(403, "AccessDenied"), "may not do that in the bucket"),
        (answer(404, "NoSuchBucket"), "there is no bucket"),
        (answer(503, "SlowDown"), "too busy"),
    ],
)
@pytest.mark.parametrize("setting", ["images", "music", "output"])
def test_a_trouble_for_good_is_told_with_the_setting_and_the_way_out(
    setting, trouble, words, bucket, fresh, pictures_and_music
):
    import shutil

    project = fresh()
    shutil.copytree(pictures_and_music, project.root, dirs_exist_ok=True)
    bucket.trouble = lambda request: trouble
    with pytest.raises(StoreError, match=f"^{setting} = '{bucket.place('x')}': .*{words}") as error:
        project.update(**{setting: bucket.place("x")})
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in str(error.value)


def test_without_credentials_or_a_way_to_the_store_a_run_says_so(bucket, fresh):
    for address, given, words in (
        (bucket.url, dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ""), "no credentials"),
        (REFUSED, {}, "cannot be reached"),
    ):
        with reaching(address, **given), pytest.raises(ClusteringError, match=f"images = .*{words}.*AWS_"):
            fresh().update(images=bucket.place("x"))
