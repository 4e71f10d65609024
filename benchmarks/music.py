"""How long music takes and how well beats are found.

    python benchmarks/music.py [--music FOLDER] [--runs 3] [--json FILE]

Listening: CPU seconds for a four-minute track, made by repeating a file of the folder (or generated music), against
decoding it and doing nothing else. Library: the folder analysed anew and once more with nothing changed. Soundtrack:
CPU seconds for two minutes of sound, against decoding the track once. Beats: F-measure within 70 ms on generated
music and drums, with the tempo found and the metrical level at which it was found.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering_assets.demo.music import MOODS, SAMPLE_RATE, beat_grid, make_music, synthesise
from clustering_assets.music.analysis import analyse_track
from clustering_assets.music.decoding import RATE, decode
from clustering_assets.music.library import analyse_library
from clustering_assets.video.soundtrack import make_soundtrack

FOUR_MINUTES = 240.0
TOLERANCE = 0.070


def cpu_seconds(work: Callable[[], Any], runs: int) -> float:
    """Median CPU seconds of `work`."""
    taken = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def write_flac(path: Path, sound: NDArray[np.float32], rate: int) -> Path:
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("flac", rate=rate, layout="stereo")
        samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
        for start in range(0, samples.shape[1], 4096):
            piece = np.ascontiguousarray(samples[:, start : start + 4096].T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = rate, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def repeated(source: Path, path: Path) -> Path:
    """Four minutes of `source`, again and again."""
    sound = np.concatenate(list(decode(source)), axis=1)
    times = int(np.ceil(FOUR_MINUTES * RATE / sound.shape[1]))
    return write_flac(path, np.tile(sound, times)[:, : round(FOUR_MINUTES * RATE)], RATE)


def listening(track: Path, runs: int) -> dict[str, float]:
    analysed = cpu_seconds(lambda: analyse_track(track), runs)
    decoded = cpu_seconds(lambda: sum(block.shape[1] for block in decode(track)), runs)
    return {"analysis": analysed, "decoding_only": decoded, "ratio": analysed / decoded}


def reuse(folder: Path) -> dict[str, float]:
    begun = time.process_time()
    table = analyse_library(folder)
    first = time.process_time() - begun
    begun = time.process_time()
    analyse_library(folder, table)
    again = time.process_time() - begun
    return {"tracks": len(table), "anew": first, "unchanged": again, "ratio": first / max(again, 1e-9)}


def laying_under(track: Path, runs: int) -> dict[str, float]:
    row = asdict(analyse_track(track))
    two_minutes = cpu_seconds(
        lambda: sum(b.shape[1] for b in make_soundtrack(track, row, 120.0).blocks()), runs
    )
    decoded = cpu_seconds(lambda: sum(b.shape[1] for b in decode(track, end=120.0)), runs)
    planned = cpu_seconds(lambda: make_soundtrack(track, row, 120.0).beat_times(), runs)
    return {
        "two_minutes": two_minutes,
        "decoding_only": decoded,
        "planning": planned,
        "ratio": two_minutes / decoded,
    }


def f_measure(found: NDArray[np.float64], known: NDArray[np.float64]) -> float:
    if not len(found):
        return 0.0
    hits = {int(np.argmin(np.abs(known - beat))) for beat in found if np.abs(known - beat).min() <= TOLERANCE}
    return 2 * len(hits) / (len(found) + len(known))


def drums(tempo: float, seconds: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Bass drum and snare in turn, hats between; and the beats."""
    rng = np.random.default_rng(round(tempo))
    sound = 0.001 * rng.standard_normal(round(seconds * SAMPLE_RATE))
    at = np.arange(round(0.15 * SAMPLE_RATE)) / SAMPLE_RATE
    kick = np.sin(2 * np.pi * (50 * at + 4 * (1 - np.exp(-30 * at)))) * np.exp(-18 * at)
    snare = 0.5 * rng.standard_normal(at.size) * np.exp(-30 * at)
    hat = 0.12 * np.diff(rng.standard_normal(at.size + 1)) * np.exp(-80 * at)
    beats = np.arange(0.5, seconds - 0.5, 60 / tempo)
    for index, beat in enumerate(beats):
        for moment, hit in ((beat, snare if index % 2 else kick), (beat + 30 / tempo, hat)):
            place = sound[round(moment * SAMPLE_RATE) :][: hit.size]
            place += 0.5 * hit[: place.size]
    return np.broadcast_to(sound, (2, sound.size)).astype(np.float32), beats


def beats_found(folder: Path) -> list[dict[str, Any]]:
    known = [(f"{mood} {seed}", synthesise(mood, seed=seed), beat_grid(mood, seed).beat_times)
             for mood in MOODS for seed in range(3)]  # fmt: skip
    known += [(f"drums {tempo}", *drums(tempo, 20.0)) for tempo in range(60, 181, 10)]
    rows = []
    for name, sound, beats in known:
        facts = analyse_track(write_flac(folder / "beats.flac", sound, SAMPLE_RATE))
        found = np.array(facts.beat_times)
        between = (beats[1:] + beats[:-1]) / 2
        levels = {
            "1": beats,
            "2": np.sort(np.concatenate([beats, between])),
            "1/2": beats[::2],
            "1/2 late": beats[1::2],
        }
        scores = {level: f_measure(found, grid) for level, grid in levels.items()}
        level = max(scores, key=lambda level: scores[level])
        away = [np.abs(levels[level] - beat).min() for beat in found]
        rows.append({
            "name": name, "true_tempo": 60 / float(np.median(np.diff(beats))), "tempo": facts.tempo,
            "clarity": facts.beat_clarity, "f_as_it_is": scores["1"], "f_at_level": scores[level], "level": level,
            "mean_error_ms": 1000 * float(np.mean(away)) if away else None,
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--music", type=Path, help="folder of music; generated music without it")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = options.music
        if folder is None:
            folder = Path(place) / "music"
            make_music(folder)
        table = analyse_library(folder)
        longest = table[table["outcome"] == "used"].sort_values("seconds").iloc[-1]["path"]
        track = repeated(folder / longest, Path(place) / "four minutes.flac")
        report = {
            "four_minutes": {"source": longest, **listening(track, options.runs)},
            "library": reuse(folder),
            "soundtrack": laying_under(track, options.runs),
            "beats": beats_found(Path(place)),
        }
    for name in ("four_minutes", "library", "soundtrack"):
        shown = (
            f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in report[name].items()
        )
        print(f"{name}: {', '.join(shown)}")
    for row in report["beats"]:
        print(
            f"{row['name']:12} {row['true_tempo']:6.1f} found {row['tempo']:6.1f} F {row['f_as_it_is']:.2f}, "
            f"at level {row['level']}: {row['f_at_level']:.2f}"
        )
    steady = [row for row in report["beats"] if row["level"] == "1"]
    print(
        f"as they are: {len(steady)} of {len(report['beats'])}; F at the level found: "
        f"median {statistics.median(row['f_at_level'] for row in report['beats']):.3f}, "
        f"least {min(row['f_at_level'] for row in report['beats']):.3f}"
    )
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
