"""How long music takes and how well beats are found.

    python benchmarks/music.py [--music FOLDER] [--runs 3] [--json FILE]

Listening: CPU seconds for a four-minute track, made by repeating a file of the folder (or generated music), against
decoding it and doing nothing else. Library: the folder analysed anew and once more with nothing changed. Soundtrack:
CPU seconds for two minutes of sound, against decoding the track once. Beats: F-measure within 70 ms on generated
music and on eight patterns of drums at 60 to 180 beats a minute, with the tempo found and the metrical level at which
it was found. Copies: the folder's tracks at other sampling rates and in other codecs, a minute of each, and how far
their valence and arousal move. Names: where tracks lie whose names speak of a mood; names take no part in that.
Keys: how many of 72 generated pieces in known keys have theirs found, and, of the folder's tracks for which the four
published profiles name one key, how many have it.
Reference: mean and spread of each cue over the folder; the values frozen in `MUSIC_CUES` are those of 238 tracks.
Choices: how many of the library's tracks change when a weight changes by a quarter, over pictures from grey to vivid.
Videos: each track under twelve pictures: how far cuts are from beats, the longest slide, the loudness and true peak,
and how far and how often a limiter presses peaks down.
"""

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clustering_assets.audio import soundtrack
from clustering_assets.audio.decoding import RATE, decode
from clustering_assets.demo.music import make_music, synthesise
from clustering_assets.demo.score import MOODS, piece_of
from clustering_assets.demo.voices import SAMPLE_RATE
from clustering_assets.music.analysis import analyse_track
from clustering_assets.music.emotion import MUSIC_CUES, image_emotion
from clustering_assets.music.library import analyse_library
from clustering_assets.music.match import choose_music
from clustering_assets.music.sensitivity import sensitivity
from clustering_assets.music.spectra import SpectrumMeter
from clustering_assets.music.tonality import NAMES, key_fits, tonality_of
from clustering_assets.settings import VideoSettings
from clustering_assets.video.storyboard import Material, make_storyboard

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

    from clustering_assets.audio.soundtrack import Soundtrack

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


def reuse(folder: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    begun = time.process_time()
    table = analyse_library(folder)
    first = time.process_time() - begun
    begun = time.process_time()
    analyse_library(folder, table)
    again = time.process_time() - begun
    minutes = float(table["seconds"].sum()) / 60
    return table, {
        "tracks": len(table), "minutes": minutes, "anew": first, "unchanged": again,
        "ratio": first / max(again, 1e-9),
    }  # fmt: skip


def laying_under(track: Path, runs: int) -> dict[str, float]:
    known = soundtrack.Track.of(track, asdict(analyse_track(track)))
    two_minutes = cpu_seconds(
        lambda: sum(b.shape[1] for b in soundtrack.make_soundtrack(known, 120.0).blocks()), runs
    )
    decoded = cpu_seconds(lambda: sum(b.shape[1] for b in decode(track, end=120.0)), runs)
    planned = cpu_seconds(lambda: soundtrack.make_soundtrack(known, 120.0).beat_times(), runs)
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


COPIES = {
    "8 kHz mono": (".flac", "flac", 8_000, "mono", 0),
    "8 kHz mono, mu-law": (".wav", "pcm_mulaw", 8_000, "mono", 0),
    "11 kHz": (".flac", "flac", 11_025, "stereo", 0),
    "16 kHz mono": (".flac", "flac", 16_000, "mono", 0),
    "22 kHz": (".flac", "flac", 22_050, "stereo", 0),
    "44 kHz": (".flac", "flac", 44_100, "stereo", 0),
    "48 kHz": (".flac", "flac", 48_000, "stereo", 0),
    "96 kHz": (".flac", "flac", 96_000, "stereo", 0),
    "MP3 64 kbit/s": (".mp3", "libmp3lame", 44_100, "stereo", 64_000),
    "Opus 64 kbit/s": (".opus", "libopus", 48_000, "stereo", 64_000),
    "Opus 24 kbit/s mono": (".opus", "libopus", 48_000, "mono", 24_000),
}
"""File ending, codec, samples per second, channels and bits per second of copies of a track."""


def write_copy(folder: Path, sound: NDArray[np.float32], kind: str) -> Path:
    import av

    ending, codec, rate, layout, bits = COPIES[kind]
    path = folder / f"copy{ending}"
    with av.open(str(path), "w") as file:
        stream = cast("AudioStream", file.add_stream(codec, rate=rate, layout=layout))
        if bits:
            stream.bit_rate = bits
        resampler = av.AudioResampler(
            format=stream.format.name, layout=layout, rate=rate, frame_size=stream.frame_size or 4096
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout="stereo")
        frame.sample_rate = RATE
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    return path


def copies(tracks: list[Path], folder: Path) -> list[dict[str, Any]]:
    """How far what is heard of each track moves from one copy to another."""
    rows = []
    for track in tracks:
        sound = np.concatenate(list(decode(track, end=60.0)), axis=1)
        heard = [analyse_track(write_copy(folder, sound, kind)) for kind in COPIES]
        rows.append(
            {"track": track.name, "moods": sorted({facts.mood for facts in heard})}
            | {
                name: float(np.ptp([getattr(facts, name) for facts in heard]))
                for name in ("valence", "arousal", "onset_rate")
            }
            | {"tempi": sorted({round(facts.tempo) for facts in heard if math.isfinite(facts.tempo)})}
        )
    return rows


def reference(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Mean and spread of each cue over the used tracks; of logarithmic cues the geometric mean, and octaves."""
    used = table[table["outcome"] == "used"]
    found = {}
    for name, cue in MUSIC_CUES.items():
        # a track without a single onset is one of the quietest, not of all octaves
        values = np.log2(used[name].clip(lower=0.3)) if cue.logarithmic else used[name]
        mean = float(2 ** values.mean()) if cue.logarithmic else float(values.mean())
        found[name] = {
            "mean": mean,
            "spread": float(values.std()),
            "frozen_mean": cue.usual,
            "frozen_spread": cue.spread,
        }
    return found


PROGRESSIONS = {
    "major": (
        ((0, 4), (7, 4), (9, 3), (5, 4)),
        ((0, 4), (5, 4), (7, 4), (0, 4)),
        ((2, 3), (7, 4), (0, 4), (0, 4)),
    ),
    "minor": (
        ((0, 3), (8, 4), (3, 4), (10, 4)),
        ((0, 3), (5, 3), (7, 4), (0, 3)),
        ((0, 3), (10, 4), (8, 4), (7, 4)),
    ),
}
"""Semitones of each chord's root above the tonic, and of its third above the root; a bar each."""


def harmonised(tonic: int, chords: tuple[tuple[int, int], ...], seed: int) -> NDArray[np.float32]:
    """Sixteen seconds of chords, bass, broken chords and drums in a key."""
    rng = np.random.default_rng(seed)
    at = np.arange(RATE) / RATE
    sound = []
    for root, third in chords * 4:
        pitches = [36 + tonic + root, *(60 + (tonic + root + step) % 12 for step in (0, third, 7))]
        bar = 0.02 * rng.standard_normal(RATE) * np.exp(-20 * (at % 0.25))
        for place, pitch in enumerate([*pitches, *rng.permutation(pitches[1:])]):
            start = 0 if place < 4 else round((place - 3) * RATE / 4)
            hertz = 440 * 2 ** ((pitch - 69) / 12)
            for overtone in range(1, 6):
                note = np.sin(2 * np.pi * overtone * hertz * at) * np.exp(-2 * at) / overtone
                bar[start:] += 0.1 * note[: RATE - start]
        sound.append(bar)
    return np.stack([np.concatenate(sound)] * 2).astype(np.float32)


def mean_chroma(blocks: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    meter = SpectrumMeter()
    for block in blocks:
        meter.add(block)
    return meter.spectra().chroma.mean(axis=0)


def keys(table: pd.DataFrame, music: Path) -> dict[str, int]:
    """How many keys are found, of generated pieces and of tracks on whose key all profiles agree."""
    right = 0
    known = [(mode, seed, tonic) for mode in PROGRESSIONS for seed in range(3) for tonic in range(12)]
    for mode, seed, tonic in known:
        chroma = mean_chroma([harmonised(tonic, PROGRESSIONS[mode][seed], seed)])
        found = tonality_of(chroma[None])
        right += (found.mode, found.tonic) == (mode, NAMES[tonic])
    agreed = {"major": 0, "minor": 0}
    kept, called = 0, {"major": 0, "minor": 0}
    for row in table[table["outcome"] == "used"].to_dict("records"):
        best = {
            int(fits.argmax()) for fits in key_fits(mean_chroma(decode(music / row["path"]))).reshape(-1, 24)
        }
        called[row["mode"]] += 1
        if len(best) == 1:
            mode, tonic = divmod(best.pop(), 12)
            agreed[("major", "minor")[mode]] += 1
            kept += (row["mode"], row["tonic"]) == (("major", "minor")[mode], NAMES[tonic])
    return {
        "generated": len(known), "generated_right": right, "agreed_major": agreed["major"],
        "agreed_minor": agreed["minor"], "agreed_right": kept, "called_major": called["major"],
        "called_minor": called["minor"],
    }  # fmt: skip


BASS, SNARE, HAT = range(3)

PATTERNS: dict[str, list[tuple[float, int, float]]] = {
    "backbeat": [(0, BASS, 1.2), (2, BASS, 1.0), (1, SNARE, 1.0), (3, SNARE, 1.0)]
    + [(beat + 0.5, HAT, 0.12) for beat in range(4)],
    "eighths": [(0, BASS, 1.2), (2, BASS, 1.0), (2.5, BASS, 0.8), (1, SNARE, 1.0), (3, SNARE, 1.0)]
    + [(eighth / 2, HAT, 0.15) for eighth in range(8)],
    "sixteenths": [(0, BASS, 1.2), (2, BASS, 1.0), (1, SNARE, 1.0), (3, SNARE, 1.0)]
    + [(sixteenth / 4, HAT, 0.12 if sixteenth % 2 else 0.2) for sixteenth in range(16)],
    "four on the floor": [(beat, BASS, 1.1) for beat in range(4)]
    + [(beat + 0.5, HAT, 0.2) for beat in range(4)]
    + [(1, SNARE, 0.5), (3, SNARE, 0.5)],
    "syncopated": [(0, BASS, 1.2), (1.5, BASS, 0.9), (2.5, BASS, 0.9), (1, SNARE, 1.0), (3, SNARE, 1.0)]
    + [(eighth / 2, HAT, 0.15) for eighth in range(8)],
    "march": [(0, BASS, 1.2), (2, BASS, 1.0), (3.5, SNARE, 0.4)] + [(beat, SNARE, 0.7) for beat in range(4)],
    "swing": [(0, BASS, 1.0), (2, BASS, 0.8), (1, SNARE, 0.7), (3, SNARE, 0.7)]
    + [(beat, HAT, 0.2) for beat in range(4)]
    + [(1.66, HAT, 0.15), (3.66, HAT, 0.15)],
    "clicks": [(beat, HAT, 0.5) for beat in range(4)],
}
"""Strokes of a bar: where in beats, which drum, how hard."""


def drums(pattern: str, tempo: float, seconds: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """A pattern again and again; and the beats."""
    rng = np.random.default_rng(round(tempo))
    sound = 0.001 * rng.standard_normal(round(seconds * SAMPLE_RATE))
    at = np.arange(round(0.15 * SAMPLE_RATE)) / SAMPLE_RATE
    kit = {
        BASS: np.sin(2 * np.pi * (50 * at + 4 * (1 - np.exp(-30 * at)))) * np.exp(-18 * at),
        SNARE: 0.5 * rng.standard_normal(at.size) * np.exp(-30 * at),
        HAT: np.diff(rng.standard_normal(at.size + 1)) * np.exp(-80 * at),
    }
    beats = np.arange(0.5, seconds - 0.3, 60 / tempo)
    for bar in range(0, len(beats), 4):
        for beat, drum, level in PATTERNS[pattern]:
            moment = 0.5 + (bar + beat) * 60 / tempo
            if moment < seconds - 0.3:
                place = sound[round(moment * SAMPLE_RATE) :][: at.size]
                place += 0.5 * level * kit[drum][: place.size]
    return np.broadcast_to(sound, (2, sound.size)).astype(np.float32), beats


def beats_found(folder: Path) -> list[dict[str, Any]]:
    known = [(f"{mood} {seed}", synthesise(mood, seed=seed), piece_of(mood, seed).beat_times)
             for mood in MOODS for seed in range(3)]  # fmt: skip
    known += [(f"{pattern} {tempo}", *drums(pattern, tempo, 20.0))
              for pattern in PATTERNS for tempo in range(60, 181, 8)]  # fmt: skip
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
            "other_tempo": facts.other_tempo,
            "clarity": facts.beat_clarity, "f_as_it_is": scores["1"], "f_at_level": scores[level], "level": level,
            "mean_error_ms": 1000 * float(np.mean(away)) if away else None,
        })  # fmt: skip
    return rows


def named(table: pd.DataFrame) -> dict[str, Any]:
    """Where tracks lie whose names speak of action or of rest, and how often one of the first is the livelier."""
    used = table[table["outcome"] == "used"]
    words = {"energetic": used["tags"].str.contains("energetic"), "calm": used["tags"].str.contains("calm")}
    lively = used[words["energetic"] & ~words["calm"]]
    restful = used[words["calm"] & ~words["energetic"]]
    pairs = np.sign(lively["arousal"].to_numpy()[:, None] - restful["arousal"].to_numpy()[None])
    return {
        "moods": used["mood"].value_counts().to_dict(),
        "lively": len(lively), "lively_heard": lively["mood"].value_counts().to_dict(),
        "restful": len(restful), "restful_heard": restful["mood"].value_counts().to_dict(),
        "livelier_in": float((pairs + 1).mean() / 2) if pairs.size else None,
    }  # fmt: skip


LOOKS = {
    "dark and grey": (25.0, 4.0, 8.0, 0.15, 0.4),
    "fog": (65.0, 3.0, 5.0, 0.12, 0.3),
    "shade": (38.0, 11.0, 22.0, 0.19, 0.5),
    "usual": (50.0, 18.0, 38.0, 0.23, 0.5),
    "black and white": (48.0, 1.0, 2.0, 0.40, 0.0),
    "flowers": (52.0, 31.0, 55.0, 0.21, 0.4),
    "fruit": (66.0, 30.0, 90.0, 0.28, 0.9),
    "fireworks": (35.0, 28.0, 75.0, 0.36, 0.6),
}
"""Brightness, chroma, colourfulness, contrast and warmth of clusters."""


def choices(table: pd.DataFrame) -> dict[str, Any]:
    """What is chosen for `LOOKS`, and the largest share of choices that a weight moves."""
    names: tuple[str, ...] = ("brightness", "chroma", "colourfulness", "contrast", "warmth")
    rows = []
    for cluster, (name, values) in enumerate(LOOKS.items()):
        looks: dict[str, float] = dict(zip(names, values, strict=True))
        place = image_emotion(looks)
        rows.append({"cluster": cluster, "key": f"cluster_{cluster}", "name": name, "size": 30, "saturation": 0.3}
                    | looks | {"valence": place.valence, "arousal": place.arousal, "mood": place.mood})  # fmt: skip
    clusters = pd.DataFrame(rows)
    chosen = choose_music(clusters, table)
    moved = sensitivity(clusters, table)
    columns = ["name", "mood", "arousal", "track", "track_mood", "track_arousal"]
    return {
        "chosen": chosen[columns].to_dict("records"),
        "changed_by_a_weight": {
            f"{row.side} {row.cue} {row.axis}": float(str(row.changed)) for row in moved.itertuples()
        },
    }


def pressed(gains: NDArray[np.float64] | None) -> dict[str, float]:
    """How far a limiter presses peaks down, in dB, and in which share of the milliseconds by more than 1 and 3 dB."""
    down = np.zeros(1) if gains is None else -20 * np.log10(np.maximum(gains, 1e-6))
    return {
        "pressed": float(down.max()), "pressed_1_db": float((down > 1).mean()), "pressed_3_db": float((down > 3).mean())
    }  # fmt: skip


def under_videos(table: pd.DataFrame, music: Path, folder: Path) -> list[dict[str, Any]]:
    """How each track lies under a video of twelve pictures at 25 frames per second."""
    from PIL import Image

    for number in range(12):
        Image.new("RGB", (96, 54), (20 * number, 90, 200 - 10 * number)).save(folder / f"{number:02}.png")
    pictures = pd.DataFrame(
        {"path": [f"{n:02}.png" for n in range(12)], "content_hash": [f"{n}" for n in range(12)], "duplicate_of": ""}
    )  # fmt: skip
    settings = VideoSettings(resolution="192x108", fps=25)
    rows = []
    for _, track in table[table["outcome"] == "used"].iterrows():
        under = soundtrack.Track.of(music / track["path"], track.to_dict())
        storyboard = make_storyboard(Material(pictures, folder, settings, track=under))
        timeline, sound = storyboard.timeline, cast("Soundtrack", storyboard.soundtrack)
        slides = np.diff([0, *timeline.cuts, timeline.frames]) / settings.fps
        rows.append(
            {
                "track": track["path"],
                "on_beats": timeline.beats_per_slide is not None,
                "cut_error_ms": timeline.cut_error_ms,
                "longest_slide": float(slides.max()),
                "loudness": sound.loudness,
                "true_peak": sound.true_peak,
                **pressed(sound.limiting),
                "samples_off": sound.samples - round(timeline.frames / settings.fps * RATE),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--music", type=Path, help="folder of music; generated music without it")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--copies-of", type=int, default=8, help="tracks of which copies are made")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = options.music
        if folder is None:
            folder = Path(place) / "music"
            make_music(folder)
        table, library = reuse(folder)
        longest = table[table["outcome"] == "used"].sort_values("seconds").iloc[-1]["path"]
        track = repeated(folder / longest, Path(place) / "four minutes.flac")
        report = {
            "four_minutes": {"source": longest, **listening(track, options.runs)},
            "library": library,
            "soundtrack": laying_under(track, options.runs),
            "names": named(table),
            "keys": keys(table, folder),
            "reference": reference(table),
            "copies": copies(
                [folder / path for path in table[table["outcome"] == "used"]["path"][: options.copies_of]],
                Path(place),
            ),
            "choices": choices(table),
            "videos": under_videos(table, folder, Path(place)),
            "beats": beats_found(Path(place)),
        }
    for name in ("four_minutes", "library", "soundtrack"):
        shown = (
            f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}"
            for key, value in report[name].items()
        )
        print(f"{name}: {', '.join(shown)}")
    print(f"names: {report['names']}")
    print(f"keys: {report['keys']}")
    for name, row in report["reference"].items():
        print(
            f"{name}: mean {row['mean']:.3f}, spread {row['spread']:.3f} "
            f"(frozen: {row['frozen_mean']}, {row['frozen_spread']})"
        )
    for row in report["copies"]:
        print(
            f"{row['track']:32} in {len(COPIES)} copies: valence moves by {row['valence']:.3f}, arousal by "
            f"{row['arousal']:.3f}, onsets by {row['onset_rate']:.2f}/s; tempo {row['tempi']}, "
            f"{', '.join(row['moods'])}"
        )
    for row in report["choices"]["chosen"]:
        print(
            f"{row['name']:16} {row['mood']:9} {row['arousal']:.2f}: {row['track']}, {row['track_mood']} "
            f"{row['track_arousal']:.2f}"
        )
    for weight, changed in report["choices"]["changed_by_a_weight"].items():
        print(f"{weight}: {changed:.0%} of the choices change")
    for row in report["beats"]:
        print(
            f"{row['name']:22} {row['true_tempo']:6.1f} found {row['tempo']:6.1f} F {row['f_as_it_is']:.2f}, "
            f"at level {row['level']}: {row['f_at_level']:.2f}"
        )
    steady = [row for row in report["beats"] if row["level"] == "1"]
    print(
        f"as they are: {len(steady)} of {len(report['beats'])}; F at the level found: "
        f"median {statistics.median(row['f_at_level'] for row in report['beats']):.3f}, "
        f"least {min(row['f_at_level'] for row in report['beats']):.3f}"
    )
    videos = report["videos"]
    on_beats = [row for row in videos if row["on_beats"]]
    errors = [row["cut_error_ms"] for row in on_beats]
    if errors:
        print(
            f"videos of 12 pictures cut on beats: {len(on_beats)} of {len(videos)}; {statistics.mean(errors):.1f} ms "
            f"from the beat in the mean, {max(errors):.1f} in the worst video; longest slide "
            f"{max(row['longest_slide'] for row in on_beats):.1f} s"
        )
    loud = [row["loudness"] for row in videos]
    target, tolerance = soundtrack.TARGET, soundtrack.TOLERANCE
    print(
        f"within {tolerance:g} LU of {target:g} LUFS: {sum(one >= target - tolerance for one in loud)} of {len(loud)}, "
        f"lowest {min(loud):.1f}; highest true peak {max(row['true_peak'] for row in videos):.1f} dBTP; "
        f"lengths off by {max(abs(row['samples_off']) for row in videos)} samples at most"
    )
    limited = [row for row in videos if row["pressed"] > 0]
    if limited:
        deepest, some, much = (
            [row[name] for row in limited] for name in ("pressed", "pressed_1_db", "pressed_3_db")
        )
        print(
            f"limited: {len(limited)} of {len(videos)}, by {statistics.median(deepest):.1f} dB in the median, "
            f"{max(deepest):.1f} at most; more than 1 dB in {statistics.median(some):.1%} of the time in the median, "
            f"{max(some):.1%} at most, more than 3 dB in {max(much):.1%} at most"
        )
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
