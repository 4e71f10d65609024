"""Analysis of one track: everything that is known of a music file from listening to it once."""

import math
import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from clustering_assets.audio.beats import BAR
from clustering_assets.audio.decoding import DecodeLimits, DecodeReport, MusicError, decode
from clustering_assets.audio.loudness import SILENCE, LoudnessMeter
from clustering_assets.files.source import SourceFile
from clustering_assets.music.emotion import music_emotion
from clustering_assets.music.learned_mood import MoodMeter
from clustering_assets.music.rhythm import rhythm_of
from clustering_assets.music.spectra import Spectra, SpectrumMeter
from clustering_assets.music.tonality import tonality_of
from clustering_assets.words import one_line

VERSION = 9
"""Version of the analysis; rows of another version are made again."""

SHORTEST = 1.0
"""Seconds of sound that a track must have to be used."""

QUIET = -60.0
"""Integrated loudness below which a track counts as silent, in LUFS."""

AUDIBLE = 30.0
"""LU below the loud parts of the track from which its beginning and end count as silence."""

FULL = 5.0
"""LU below the integrated loudness down to which a passage is at full strength: what comes before is an intro, what
comes after is fading out."""

PASSAGE = 10.0
"""Seconds of such a passage, or a quarter of the track if that is less."""

STRONG = 9.0
"""LU below the integrated loudness down to which a single moment of it is."""


@dataclass(frozen=True)
class TrackFacts:
    """What is known of one music file; the fields are the columns of `clustering_assets.tables.MUSIC_TRACKS`."""

    path: str
    content_hash: str = ""
    bytes: int = 0
    mtime_ns: int = 0
    analysis_version: int = VERSION
    outcome: str = "rejected"
    reason: str = ""
    title: str = ""
    artist: str = ""
    genre: str = ""
    seconds: float = 0.0
    tempo: float = math.nan
    other_tempo: float = math.nan
    beat_clarity: float = 0.0
    beat_times: list[float] = field(default_factory=list)
    bar: int = BAR
    downbeat: int = 0
    onset_rate: float = math.nan
    centroid: float = math.nan
    fullness: float = math.nan
    flux: float = math.nan
    tonic: str = ""
    mode: str = ""
    mode_score: float = 0.0
    mood_model: str = ""
    learned_energy: float = math.nan
    learned_valence: float = math.nan
    loudness: float = -math.inf
    true_peak: float = -math.inf
    start: float = 0.0
    end: float = 0.0
    full_from: float = 0.0
    full_until: float = 0.0
    loudness_curve: list[float] = field(default_factory=list)
    valence: float = math.nan
    arousal: float = math.nan
    mood: str = ""
    tags: str = ""


def analyse_track(
    path: Path | SourceFile,
    facts: TrackFacts | None = None,
    *,
    limits: DecodeLimits | None = None,
    mood_model: str = "",
) -> TrackFacts:
    """Analyse one file; a file that cannot be used comes back as rejected with its reason.

    Args:
        path: The file.
        facts: What is known of it already (path, hash, size and time), taken over unchanged.
        limits: Bounds on decoding.
        mood_model: The learned model that is asked as well, from `learned_mood`; '' for none.
    """
    facts = facts or TrackFacts(path.name)
    report, meter, spectrum = DecodeReport(), LoudnessMeter(), SpectrumMeter()
    mood = MoodMeter() if mood_model else None
    try:
        for block in decode(path, limits=limits, report=report):
            meter.add(block)
            spectrum.add(block)
            if mood:
                mood.add(block)
    except MusicError as problem:
        return replace(facts, reason=problem.reason)
    spectra = spectrum.spectra()
    facts = replace(
        facts,
        title=_title(report.tags.get("title", "")) or one_line(path.stem),
        artist=report.tags.get("artist", ""),
        genre=report.tags.get("genre", ""),
        seconds=spectra.seconds,
        loudness=meter.integrated,
        true_peak=meter.true_peak,
    )
    problem = _unusable(facts, report)
    if problem:
        return replace(facts, reason=problem)
    if mood:
        energy, valence = mood.mood()
        facts = replace(facts, mood_model=mood_model, learned_energy=energy, learned_valence=valence)
    return _heard(facts, report, spectra, meter)


def _title(tag: str) -> str:
    """The title in a tag; '' where there is none, or several, of which no one knows which is meant.

    FFmpeg joins tags of one name by a semicolon without a space.
    """
    return "" if re.search(r";\S", tag) else tag


def _unusable(facts: TrackFacts, report: DecodeReport) -> str:
    """Why decoded sound cannot be used; empty if it can."""
    if facts.seconds == 0:
        return "no sound in it"
    if report.damage:
        return report.damage
    if facts.seconds < SHORTEST:
        return f"too short ({facts.seconds:.2f} s)"
    if not facts.loudness > QUIET:
        return "silent"
    return ""


def _heard(facts: TrackFacts, report: DecodeReport, spectra: Spectra, meter: LoudnessMeter) -> TrackFacts:
    """The facts of a track that can be decoded; rejected where next to nothing sounds in it."""
    start, end, full_from, full_until = _extent(meter, facts.seconds)
    if end - start < SHORTEST:
        return replace(facts, reason=f"too short ({end - start:.1f} s of sound in {facts.seconds:.1f} s)")
    rhythm, tonality = rhythm_of(spectra), tonality_of(spectra.chroma)
    facts = replace(
        facts,
        outcome="used",
        reason=_special(report),
        tempo=rhythm.tempo,
        other_tempo=rhythm.other_tempo,
        beat_clarity=rhythm.clarity,
        beat_times=[round(float(beat), 4) for beat in rhythm.beat_times],
        bar=rhythm.bar,
        downbeat=rhythm.downbeat,
        onset_rate=rhythm.onset_rate,
        flux=rhythm.flux,
        centroid=spectra.centroid,
        fullness=spectra.fullness,
        tonic=tonality.tonic,
        mode=tonality.mode,
        mode_score=tonality.score,
        start=start,
        end=end,
        full_from=full_from,
        full_until=full_until,
        loudness_curve=[round(float(step), 1) for step in meter.sliding(1.0)[::10]],
    )
    emotion = music_emotion(asdict(facts))
    return replace(facts, valence=emotion.valence, arousal=emotion.arousal, mood=emotion.mood)


def _special(report: DecodeReport) -> str:
    """What is special about the decoding of a track that is used; empty if nothing is."""
    if report.cut:
        return "only its beginning is used: it is too long"
    if report.bad_packets:
        return f"left out what does not decode: {report.bad_packets} of {report.packets} packets"
    return ""


def _extent(meter: LoudnessMeter, seconds: float) -> tuple[float, float, float, float]:
    """Start, end, full_from and full_until of a track, in seconds."""
    steps, momentary = meter.sliding(0.1), meter.sliding(0.4)
    audible = np.flatnonzero(steps > max(float(np.percentile(momentary, 95)) - AUDIBLE, SILENCE))
    strong = np.flatnonzero(momentary > meter.integrated - STRONG)
    passage = max(min(PASSAGE, seconds / 4), 0.4)
    full = np.flatnonzero(meter.sliding(passage) > meter.integrated - FULL)
    if not audible.size or not strong.size:
        return 0.0, seconds, 0.0, seconds
    start, end = audible[0] / 10, (audible[-1] + 1) / 10
    # the last step is not measured where it is not whole
    end = seconds if audible[-1] == steps.size - 1 else end
    if full.size:
        inside = strong[(strong >= full[0]) & (strong <= full[-1] + round(10 * passage) - 4)]
        strong = inside if inside.size else strong
    # a block of 400 ms is loud as soon as its last 100 ms are
    full_from = strong[0] / 10 + 0.3 if strong[0] > 0 else 0.0
    full_until = strong[-1] / 10 + 0.4
    return float(start), float(end), float(max(full_from, start)), float(min(full_until, end))
