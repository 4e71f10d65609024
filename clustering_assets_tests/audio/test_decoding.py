"""Decoding: everything that plays comes out as 48 kHz stereo, everything else is refused with a reason."""

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from clustering_assets.audio.decoding import RATE, DecodeLimits, DecodeReport, MusicError, decode, holds_audio
from clustering_assets_tests.sounds import sine, write_sound


def whole(path: Path, **options) -> np.ndarray:
    return np.concatenate([np.zeros((2, 0), np.float32), *decode(path, **options)], axis=1)


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3", ".m4a", ".opus", ".aiff", ".mka"])
def test_common_formats_decode_to_stereo_at_48_khz(tmp_path, ending):
    rate = 48_000 if ending in (".opus", ".ogg", ".mka") else 44_100
    path = write_sound(tmp_path / f"tone{ending}", sine(2.0, rate=rate), rate)
    sound = whole(path)
    assert sound.shape[1] == pytest.approx(2 * RATE, abs=0.06 * RATE)
    middle = sound[0, RATE // 2 : RATE // 2 + RATE]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == 440
    assert np.array_equal(sound[0], sound[1])


@pytest.mark.parametrize(("channels", "rate"), [(1, 8_000), (2, 96_000), (6, 48_000)])
def test_unusual_rates_and_layouts_decode(tmp_path, channels, rate):
    path = write_sound(tmp_path / "tone.flac", np.tile(sine(1.0, rate=rate), (channels, 1)), rate)
    sound = whole(path)
    assert sound.shape == (2, RATE)
    assert np.argmax(np.abs(np.fft.rfft(sound[0]))) == 440


@pytest.mark.parametrize("channels", [6, 8])
def test_speakers_that_all_play_the_same_do_not_clip(tmp_path, channels):
    path = tmp_path / "loud.wav"
    samples = np.tile(32_000 * sine(1.0, level=1.0, rate=RATE), (channels, 1))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.ascontiguousarray(samples.T).astype("<i2").tobytes())
    report = DecodeReport()
    assert np.abs(whole(path, report=report)).max() <= 1
    assert not report.wild_samples


@pytest.mark.parametrize("rate", [7, 570_469_444])
def test_a_rate_that_nothing_has_is_damage(tmp_path, rate):
    path = write_sound(tmp_path / "tone.wav", sine(1.0))
    data = bytearray(path.read_bytes())
    data[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(MusicError, match=r"samples a second|not readable"):
        whole(path)


def test_of_chained_streams_with_another_layout_the_first_is_used(tmp_path):
    first = write_sound(tmp_path / "first.ogg", np.tile(sine(2.0, rate=RATE), (2, 1)), RATE)
    second = write_sound(tmp_path / "second.ogg", sine(2.0, rate=RATE), RATE)
    path = tmp_path / "chained.ogg"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    assert whole(path).shape[1] >= 1.9 * RATE


def test_the_ending_does_not_matter(tmp_path):
    path = write_sound(tmp_path / "tone.flac", sine(1.0))
    path = path.rename(tmp_path / "tone.mp3")
    assert whole(path).shape == (2, RATE)


def test_only_the_audio_of_a_video_is_read(tmp_path):
    import av

    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        audio = file.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for _ in range(25):
            file.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(video.encode(None))
        samples = (sine(1.0, rate=48_000) * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48_000
        for piece in av.AudioResampler("s16", "mono", 48_000, frame_size=4096).resample(frame):
            file.mux(audio.encode(piece))
        file.mux(audio.encode(None))
    assert whole(path).shape[1] > 0.8 * RATE


def test_a_part_is_the_same_as_in_the_whole(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 4 * 48_000))
    path = write_sound(tmp_path / "noise.ogg", noise, 48_000)
    part = whole(path, begin=1.25, end=3.5)
    assert np.array_equal(part, whole(path)[:, round(1.25 * RATE) : round(3.5 * RATE)])


def test_a_long_track_is_cut_and_says_so(tmp_path):
    path = write_sound(tmp_path / "tone.flac", sine(3.0))
    report = DecodeReport()
    sound = whole(path, limits=DecodeLimits(seconds=2.0), report=report)
    assert sound.shape[1] == 2 * RATE
    assert report.cut


def test_tags_come_with_the_report(tmp_path):
    path = write_sound(tmp_path / "tone.flac", sine(0.5), title="Still  Lake", genre="Ambient")
    report = DecodeReport()
    whole(path, report=report)
    assert report.tags["title"] == "Still Lake"
    assert report.tags["genre"] == "Ambient"


def test_tags_in_another_encoding_lose_only_what_cannot_be_read(tmp_path):
    path = write_sound(tmp_path / "tone.wav", sine(1.0))
    words = b"Caf\xe9 bleu\0"
    info = b"INFOINAM" + len(words).to_bytes(4, "little") + words
    chunk = b"LIST" + len(info).to_bytes(4, "little") + info
    content = path.read_bytes() + chunk
    path.write_bytes(content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:])
    report = DecodeReport()
    whole(path, report=report)
    assert report.tags["title"] == "Caf bleu"


def test_samples_that_are_no_numbers_become_silence(tmp_path):
    sound = sine(1.0, rate=48_000)
    sound[100:200] = np.nan
    sound[300:310] = 1e9
    path = write_sound(tmp_path / "tone.wav", sound, 48_000, codec="pcm_f32le")
    report = DecodeReport()
    decoded = whole(path, report=report)
    assert np.isfinite(decoded).all()
    assert np.abs(decoded).max() <= 0.31
    assert report.wild_samples > 200
    assert "damaged" in report.damage


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp3", b""),
        ("text.mp3", b"This is no music.\n" * 200),
        ("list.mp3", b"#EXTM3U\nfile:///etc/hostname\n"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MusicError, match=name):
        whole(path)
    assert not holds_audio(path)


def test_a_playlist_opens_no_other_file(tmp_path):
    write_sound(tmp_path / "secret.wav", sine(1.0))
    path = tmp_path / "list.mp3"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n")
    with pytest.raises(MusicError):
        whole(path)


def test_a_missing_file_is_a_music_error(tmp_path):
    with pytest.raises(MusicError, match="cannot be read"):
        whole(tmp_path / "gone.mp3")


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp3")
    with pytest.raises(MusicError, match="not a regular file"):
        whole(tmp_path / "pipe.mp3")


def test_protected_audio_is_refused(tmp_path):
    path = write_sound(tmp_path / "song.m4a", sine(1.0))
    data = path.read_bytes()
    at = data.index(b"mp4a", data.index(b"stsd"))
    path.write_bytes(data[:at] + b"drms" + data[at + 4 :])
    with pytest.raises(MusicError, match="protected"):
        whole(path)


def test_a_file_cut_short_gives_what_is_there(tmp_path):
    path = write_sound(tmp_path / "tone.mp3", sine(4.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert whole(path).shape[1] == pytest.approx(2 * RATE, abs=0.15 * RATE)


def test_flipped_bits_are_noticed(tmp_path):
    rng = np.random.default_rng(1)
    path = write_sound(tmp_path / "noise.mp3", 0.2 * rng.standard_normal((2, 8 * 44_100)))
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    at = rng.integers(500, data.size, data.size // 100)
    data[at] ^= (1 << rng.integers(0, 8, at.size)).astype(np.uint8)
    path.write_bytes(data.tobytes())
    report = DecodeReport()
    sound = whole(path, report=report)
    assert np.abs(sound).max() <= 1.5
    assert report.wild_samples + report.bad_packets > 0


@pytest.mark.parametrize(
    ("bad", "packets", "words"),
    [
        (1, 1, "damaged: its only packet does not decode"),
        (1, 3, "damaged: 1 of 3 packets does not decode"),
        (2, 3, "damaged: 2 of 3 packets do not decode"),
        (1, 30, ""),
    ],
)
def test_damage_is_counted_in_plain_english(bad, packets, words):
    assert DecodeReport(samples=1, bad_packets=bad, packets=packets).damage == words


@pytest.mark.parametrize(
    ("codec", "container"),
    [("flac", "flac"), ("aac", "adts"), ("tta", "tta"), ("ac3", "ac3"), ("libmp3lame", "mp3")],
)
@pytest.mark.parametrize("tags", [1, 2])
def test_sound_is_found_behind_tags_with_a_large_cover(tmp_path, codec, container, tags):
    path = write_sound(tmp_path / f"tone.{container}", sine(2.0, rate=48_000), 48_000, codec=codec)
    frames = b"TIT2\x00\x00\x00\x04\x00\x00\x00Sea" + bytes(3_000_000)
    length = bytes(len(frames) >> shift & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(tags * (b"ID3\x03\x00\x00" + length + frames) + path.read_bytes())
    assert holds_audio(path)
    report = DecodeReport()
    assert whole(path, report=report).shape[1] == pytest.approx(2 * RATE, abs=0.15 * RATE)
    if codec in ("aac", "libmp3lame"):  # FFmpeg takes no ID3 tags of the others
        assert report.tags["title"] == "Sea"


@pytest.mark.parametrize("level", [2.0, 8.0, 100.0])
@pytest.mark.parametrize("codec", ["pcm_f32le", "pcm_f64le"])
def test_floating_point_sound_beyond_full_scale_is_loud_and_not_damaged(tmp_path, level, codec):
    tone = np.tile(sine(1.0, level=level, rate=48_000), (2, 1))
    path = write_sound(tmp_path / "loud.wav", tone, 48_000, codec=codec)
    report = DecodeReport()
    assert np.abs(whole(path, report=report)).max() == pytest.approx(level, rel=0.01)
    assert report.damage == ""


def test_words_in_tags_are_one_line_that_no_terminal_obeys(tmp_path):
    path = write_sound(tmp_path / "tone.mp3", sine(1.0), title="\x1b[31mred\x07 bell\nand\r more")
    report = DecodeReport()
    whole(path, report=report)
    assert report.tags["title"] == "[31mred bell and more"
