"""Rhythm: onsets, tempo, beats and bars of a track.

Onsets are rises of the mel spectrum in decibels, accents are rises of its loudness. The tempo is the best sum over
multiples of the beat in the autocorrelation of the accents, and the beats are traced by dynamic programming (Ellis
2007, "Beat tracking by dynamic programming", J. New Music Research 36).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering_assets.audio.beats import BAR, CLEAR_BEAT
from clustering_assets.audio.decoding import RATE
from clustering_assets.music.spectra import FRAME_RATE, HOP, WINDOW, Spectra

SLOWEST, FASTEST = 48.0, 190.0
"""Range of tempi that are looked for, in beats per minute."""

USUAL_TEMPI = (85.0, 118.0)
"""Centres of the log-normal preference between a tempo, its half and its double, in beats per minute: music
without drums (`DRUMLESS_FLUX` and less) is felt at a slower pulse than music with them (`DRUMMED_FLUX` and more)."""

SHORTEST_RHYTHM = 2.0
"""Seconds of sound below which nothing is said of its rhythm: it may be the pause of a battle, or its drum roll."""

DRUMLESS_FLUX, DRUMMED_FLUX = 0.3, 0.64
"""Values of `Rhythm.flux`, in dB, between which the usual tempo moves."""

USUAL_SPREAD = 0.6
"""Spread of that preference, in octaves."""

HEARD_BEATS = 0.55
"""Onsets for each beat that there must be: with fewer, the beat is the tracker's and not the music's."""

FEWEST_ONSETS = 0.4
"""Onsets per second below which no beat is looked for: slow swells repeat as well."""

LOUDNESS_POWER = 0.25
"""Power of the sound's power on which accents are measured. Decibels (a power near 0) hear the notes of an arpeggio as
strongly as the drums beside it, amplitudes (0.5) little but the bass drum: of 140 generated pieces with known beats 133
get their own tempo at 0.2, 135 at 0.25 and 115 at 0.5, and from 0.3 on some get two beats for three."""

ECHOES = {1: 1.0, 2: 0.7, 3: 0.3, 4: 0.8, 8: 0.4}
"""Weights of the autocorrelation after so many beats: music in bars of four comes again after one bar and after
two, so dotted figures cannot pass for the beat."""

FEWEST_ACCENTS = 0.25
"""Share of the strength of its neighbours that every other beat must have; with less, the tempo is halved."""

PERCUSSIVE_FLUX = 0.48
"""Least `Rhythm.flux`, in dB, of music whose tempo may be doubled: drums say how fast it is, even arpeggios do not."""

MOST_BETWEEN = 0.55
"""Share of the strength of the beats that the halves between them may have in such music; with more, the tempo is
doubled. Hats reach half of a bass drum or a snare on this scale, which are within a fifth of each other."""

OFF_BEAT = 1.6
"""Share from which on it is the halves that are the beats of such music."""

SOME_BETWEEN = 0.5
"""Share from which on the beat may be felt at double speed as well."""

UNEVEN = 0.75
"""Share of the strength of its neighbours below which every other beat is so weak that half the speed may be felt."""

FEWEST_BARRED = 24
"""Beats below which nothing is said of the bars: they are taken to have four."""

TERNARY = 0.1
"""Correlation by which beats must be more like those three, six and nine later than those two, four and eight later for
the bars to have three. Of 46 generated pieces those in 4/4 have at most -0.05 and 27 of 30 others reach it."""

SIX = 0.03
"""Correlation by which they must be more like those six than those three later for the bars to have six. Two bars of
three taken for one do no harm."""

LOW_BANDS = 4
"""Bands that bass notes and bass drums sound in, up to 300 Hz."""

STEADINESS = 680.0
"""How dearly the tracker pays for a beat away from the tempo (Ellis: 680 for log-normalised periods)."""

RISE = 2
"""Frames over which a rise is taken (21 ms): one frame misses soft attacks."""

EARLINESS = 0.004
"""Seconds by which an accent is seen before its onset, as the window reaches ahead: 10 ms too few for drums, 15 too
many for soft attacks; measured on generated music."""

ONSET = 1.4
"""Mean rise over the bands that is an onset, in dB above the quiet fifth of the half second around. The unrest of
steady noise stays below it, soft plucks reach 2, drums 5 to 12."""


@dataclass(frozen=True)
class Rhythm:
    """The rhythm of one track.

    Attributes:
        tempo: Beats per minute; NaN without a clear beat.
        other_tempo: Half or double of it, where the accents allow the beat to be felt at that speed as well; else NaN.
        clarity: How regular the accents are, 0 to 1: the share of the accents that comes again one beat later.
        beat_times: Seconds of the beats; empty without a clear beat.
        bar: Beats in a bar: 4, or 3 or 6 where that is heard.
        downbeat: Index of the first beat of a bar in `beat_times` (a guess: strongest bass).
        onset_rate: Onsets per second; NaN where less than `SHORTEST_RHYTHM` seconds sound.
        flux: Mean rise of the spectrum above its quiet fifth, in dB: how percussive the sound is; NaN likewise.
    """

    tempo: float
    other_tempo: float
    clarity: float
    beat_times: NDArray[np.float64]
    bar: int
    downbeat: int
    onset_rate: float
    flux: float


def rhythm_of(spectra: Spectra) -> Rhythm:
    """The rhythm of a track from its spectra."""
    levels = _levels(spectra.bands)
    heard = np.flatnonzero(levels.max(axis=1, initial=-60) > -45)
    if not heard.size or heard[-1] - heard[0] < SHORTEST_RHYTHM * FRAME_RATE:
        return Rhythm(math.nan, math.nan, 0.0, np.zeros(0), BAR, 0, math.nan, math.nan)
    rises = np.maximum(levels[RISE:] - levels[:-RISE], 0)
    strength = rises.mean(axis=1)
    excess = _excess(strength)
    sounding = slice(max(heard[0] - RISE, 0), heard[-1] + 1)
    flux = float(excess[sounding].mean())
    rate = _onset_rate(excess[sounding])
    by_band = _accents(spectra.bands)
    accents = by_band.sum(axis=1, dtype=np.float64)
    onsets = _onset_curve(accents)
    usual = 2 ** np.interp(flux, (DRUMLESS_FLUX, DRUMMED_FLUX), np.log2(USUAL_TEMPI))
    period, clarity = _period(onsets, float(usual))
    none = Rhythm(math.nan, math.nan, clarity, np.zeros(0), BAR, 0, rate, flux)
    if clarity < CLEAR_BEAT or rate < FEWEST_ONSETS:
        return none
    beats = _trimmed(_trace(onsets, period), onsets)
    if len(beats) < 8 or not _is_steady(beats):
        return none
    if flux >= PERCUSSIVE_FLUX and _shares(accents, beats)[1] > OFF_BEAT:
        beats = _refined(np.round((beats[1:] + beats[:-1]) / 2).astype(int), onsets)
    faster = _octave(accents, beats, flux)
    if faster != 1:
        retraced = _trimmed(_trace(onsets, period / faster), onsets)
        beats = retraced if len(retraced) >= 8 and _is_steady(retraced) else beats
    tempo = _tempo(beats)
    if rate < HEARD_BEATS * tempo / 60:
        return none
    bar, downbeat = _bar(beats, by_band) or (BAR, _downbeat(beats, rises[:, :6].mean(axis=1), strength))
    return Rhythm(
        tempo=tempo,
        other_tempo=_other_tempo(accents, beats),
        clarity=clarity,
        beat_times=seconds_of(beats),
        bar=bar,
        downbeat=downbeat,
        onset_rate=rate,
        flux=flux,
    )


def seconds_of(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times of frames of the onset curve, in seconds."""
    return np.maximum((frames + RISE / 2) * HOP / RATE + WINDOW / 2 / RATE + EARLINESS, 0)


def _levels(bands: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bands in dB below the loud parts of the track, floored at -60, shape (frames, bands)."""
    from scipy.ndimage import gaussian_filter1d

    if not len(bands):
        return np.zeros((0, bands.shape[1]), dtype=np.float32)
    reference = max(float(np.percentile(bands.max(axis=1), 95)), 1e-12)
    # a little smoothing, as the power of noise jumps from frame to frame
    smooth = gaussian_filter1d(bands, 1.0, axis=0)
    return (10 * np.log10(np.maximum(smooth / reference, 1e-6))).astype(np.float32)


def _excess(strength: NDArray[np.float32]) -> NDArray[np.float32]:
    """Onset strength above the quiet fifth of the half second around."""
    from scipy.ndimage import percentile_filter

    return np.maximum(strength - percentile_filter(strength, 20, size=round(FRAME_RATE / 2) | 1), 0)


def _onset_curve(strength: NDArray[np.floating]) -> NDArray[np.float64]:
    """Onset strength without its slow part (1 s), positive, with unit standard deviation."""
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d

    smooth = gaussian_filter1d(strength.astype(np.float64), 1.0)
    sharp = np.maximum(smooth - uniform_filter1d(smooth, round(FRAME_RATE)), 0)
    # one crash must not outweigh a hundred beats
    return np.minimum(sharp / max(float(sharp.std()), 1e-9), 6.0)


def _onset_rate(excess: NDArray[np.float32]) -> float:
    """Onsets per second: rises of `ONSET` and more that are the highest within 50 ms."""
    from scipy.ndimage import maximum_filter1d

    peaks = (excess == maximum_filter1d(excess, 11)) & (excess > ONSET)
    return float(peaks.sum() / (len(excess) / FRAME_RATE))


def _autocorrelation(curve: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Autocorrelation for 0 ... lags - 1 frames, unbiased, 1 at lag 0."""
    from scipy.fft import irfft, next_fast_len, rfft

    centred = curve - curve.mean()
    size = next_fast_len(2 * centred.size)
    spectrum = np.asarray(rfft(centred, size))
    raw = np.asarray(irfft(np.abs(spectrum) ** 2, size))[:lags]
    raw = raw / (centred.size - np.arange(len(raw)))
    return raw / max(float(raw[0]), 1e-12)


def _period(onsets: NDArray[np.float64], usual_tempo: float) -> tuple[float, float]:
    """Frames from beat to beat, and the clarity of that beat (0 to 1)."""
    longest = 60 * FRAME_RATE / SLOWEST
    correlation = _autocorrelation(onsets, min(len(onsets) - 1, math.ceil(8 * longest) + 2))
    lags = np.arange(math.floor(60 * FRAME_RATE / FASTEST), math.ceil(longest), 0.25)
    lags = lags[2 * lags < len(correlation) - 1]
    if not lags.size:
        return 60 * FRAME_RATE / usual_tempo, 0.0
    at = np.arange(len(correlation))
    echoes = {times: np.interp(lags * times, at, correlation, right=np.nan) for times in ECHOES}
    # where the track is too short for an echo, the others speak for it
    weights = {times: weight * np.isfinite(echoes[times]) for times, weight in ECHOES.items()}
    total = sum(weights.values())
    comb = sum(weights[times] * np.nan_to_num(echoes[times]) for times in ECHOES) / np.maximum(total, 1e-9)
    tempo = 60 * FRAME_RATE / lags
    preference = np.exp(-0.5 * (np.log2(tempo / usual_tempo) / USUAL_SPREAD) ** 2)
    # bars come again whatever they are divided into: beats must as well
    felt = np.clip(echoes[1], 0, 1) / 2 + 0.5
    best = int(np.argmax(np.square(np.maximum(comb, 0)) * felt * preference))
    nearby = slice(max(best - 6, 0), best + 7)
    clarity = max(float(np.nanmax(echoes[1][nearby])), float(comb[nearby].max()))
    return float(lags[best]), min(max(clarity, 0.0), 1.0)


def _trace(onsets: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Frames of the beats: the path of highest onset strength with steps near `period`."""
    from scipy.ndimage import gaussian_filter1d

    # a beat may be a little beside its onset without losing it
    local = gaussian_filter1d(onsets, period / 32)
    local /= max(float(local.std()), 1e-9)
    steps = np.arange(round(2 * period), round(period / 2) - 1, -1)
    cost = -STEADINESS / 7 * np.log2(steps / period) ** 2
    score = local.copy()
    before = np.full(len(local), -1)
    for frame in range(int(steps[-1]), len(local)):
        ways = frame - steps
        start = np.searchsorted(ways, 0)
        total = score[ways[start:]] + cost[start:]
        best = int(np.argmax(total))
        if total[best] > 0:
            score[frame] += total[best]
            before[frame] = ways[start + best]
    last_round = slice(max(len(score) - round(period), 0), len(score))
    frame = int(np.argmax(score[last_round])) + last_round.start
    beats = []
    while frame >= 0:
        beats.append(frame)
        frame = int(before[frame])
    return _refined(np.array(beats[::-1]), onsets)


def _refined(beats: NDArray[np.intp], onsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beats to fractions of a frame, at the top of a parabola through the curve, where there is a peak."""
    inner = np.clip(beats, 1, len(onsets) - 2)
    left, middle, right = onsets[inner - 1], onsets[inner], onsets[inner + 1]
    bend = left - 2 * middle + right
    shift = np.divide(left - right, 2 * bend, out=np.zeros(len(bend)), where=bend < -1e-9)
    return inner.astype(np.float64) + np.clip(shift, -0.5, 0.5)


def _trimmed(beats: NDArray[np.float64], onsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Beats without those before the first and after the last onset that is worth the name."""
    strengths = onsets[np.round(beats).astype(int)]
    worth = np.flatnonzero(strengths > 0.25 * np.median(strengths))
    return beats[worth[0] : worth[-1] + 1] if worth.size else beats[:0]


def _is_steady(beats: NDArray[np.float64]) -> bool:
    """Whether steps between beats mostly stay within 8 % of their neighbours' median."""
    from scipy.ndimage import median_filter

    steps = np.diff(beats)
    smooth = median_filter(steps, size=min(9, len(steps)), mode="nearest")
    return float(np.median(np.abs(steps / smooth - 1))) < 0.08


def _tempo(beats: NDArray[np.float64]) -> float:
    """Beats per minute: the median over stretches of eight beats, which are longer than any jitter."""
    apart = min(8, len(beats) - 1)
    return 60 * FRAME_RATE * apart / float(np.median(beats[apart:] - beats[:-apart]))


def _accents(bands: NDArray[np.float32]) -> NDArray[np.float32]:
    """How hard each frame is struck in each band: the rise of its loudness, shape (frames, bands).

    A hat is as sharp as a bass drum on the scale of decibels that the onsets are counted on, and far weaker here.
    """
    from scipy.ndimage import gaussian_filter1d

    loudness = gaussian_filter1d(bands**LOUDNESS_POWER, 1.0, axis=0)
    return np.maximum(loudness[RISE:] - loudness[:-RISE], 0)


def _shares(accents: NDArray[np.float64], beats: NDArray[np.float64]) -> tuple[float, float]:
    """How strong every other beat is beside its neighbours, and the halves between beats beside the beats."""
    on, between = _struck(accents, beats), _struck(accents, (beats[1:] + beats[:-1]) / 2)
    even, odd, usual = np.median(on[::2]), np.median(on[1::2]), np.median(on)
    return float(min(even, odd) / max(even, odd, 1e-12)), float(np.median(between) / max(usual, 1e-12))


def _struck(accents: NDArray[Any], frames: NDArray[np.float64]) -> NDArray[Any]:
    """The hardest accent within 32 ms of each of `frames`."""
    around = np.round(frames).astype(int)[:, None] + np.arange(-3, 4)
    return accents[np.clip(around, 0, len(accents) - 1)].max(axis=1)


def _octave(accents: NDArray[np.float64], beats: NDArray[np.float64], flux: float) -> float:
    """By how much the tempo is to be multiplied: 1/2, 1 or 2."""
    tempo, (alternate, between) = _tempo(beats), _shares(accents, beats)
    if alternate < FEWEST_ACCENTS and tempo / 2 >= SLOWEST:
        return 0.5
    if between > MOST_BETWEEN and 2 * tempo <= FASTEST and flux >= PERCUSSIVE_FLUX:
        return 2
    return 1


def _other_tempo(accents: NDArray[np.float64], beats: NDArray[np.float64]) -> float:
    """Half or double of the tempo where it can be felt so too; NaN where it cannot."""
    tempo, (alternate, between) = _tempo(beats), _shares(accents, beats)
    if between > SOME_BETWEEN and 2 * tempo <= FASTEST:
        return 2 * tempo
    if alternate < UNEVEN and tempo / 2 >= SLOWEST:
        return tempo / 2
    return math.nan


def _bar(beats: NDArray[np.float64], accents: NDArray[np.float32]) -> tuple[int, int] | None:
    """Beats in a bar and its first beat, for bars of three and six; None for all others.

    There what is struck, in each band, comes again after three beats rather than after two, four or eight, and a bar
    begins where the lowest sounds are struck hardest.
    """
    if len(beats) < FEWEST_BARRED:
        return None
    struck = _struck(accents, beats)
    apart = (struck - struck.mean(axis=0)) / max(float(struck.std()), 1e-9)
    again = {lag: _alike(apart[lag:], apart[:-lag]) for lag in (2, 3, 4, 6, 8, 9)}
    if again[3] + again[6] + again[9] < again[2] + again[4] + again[8] + 3 * TERNARY:
        return None
    bar = 6 if again[6] - again[3] > SIX else 3
    low = struck[:, :LOW_BANDS].sum(axis=1)
    return bar, int(np.argmax([low[phase::bar].mean() for phase in range(bar)]))


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The correlation of two tables whose columns have a mean near 0."""
    return float((one * other).sum() / max(np.sqrt((one**2).sum() * (other**2).sum()), 1e-9))


def _downbeat(beats: NDArray[np.float64], bass: NDArray[np.float32], strength: NDArray[np.float32]) -> int:
    """Which of the first four beats begins a bar: where bass and onsets are strongest."""
    at = np.round(beats).astype(int)
    around = np.stack([np.clip(at + shift, 0, len(bass) - 1) for shift in (-2, -1, 0, 1, 2)])
    weight = bass[around].max(axis=0) + 0.5 * strength[around].max(axis=0)
    return int(np.argmax([weight[phase::BAR].mean() for phase in range(BAR)]))
