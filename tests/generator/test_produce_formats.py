"""Opus, FLAC and WAV as players find them; a smaller file for a small place; a disk that fills."""

from __future__ import annotations

import io
import json
import math
import resource
import struct
import subprocess
from contextlib import contextmanager

import pytest
import torch
from PIL import Image

from generator.errors import EncodeError, SoundError
from generator.measure.loudness import integrated_lufs, true_peak_dbtp
from generator.produce.deliver import deliver_as
from generator.produce.encode import decode, encode_flac, encode_mp3
from generator.produce.ffmpeg import find_ffmpeg
from generator.produce.fit import choices, fit
from generator.produce.formats import FORMATS, encode_as
from generator.produce.master import master
from generator.produce.settings import Master
from generator.produce.tags import Tags
from generator.render.timing import SAMPLE_RATE
from tests.generator.making_audio import level_db

TAGS = Tags(
    "Morgenlicht – 朝", "Lo-fi; late", "AI-generated. Seed 7 = #7.", provenance=json.dumps({"seed": 7, "a": "b\\"})
)


def music(seconds=6.0):
    """A chord that beats, with a soft noise above it."""
    times = torch.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    since = times % 0.5
    tones = sum(torch.sin(2 * math.pi * hertz * since) for hertz in (220.0, 277.18, 329.63)) * torch.exp(-3 * since)
    noise = torch.randn(2, len(times), generator=torch.Generator().manual_seed(1)) * torch.exp(-12 * since)
    return 0.2 * tones + 0.03 * noise


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "cover.png"
    Image.effect_noise((1024, 1024), 90).convert("RGB").save(path)  # as large as a picture gets
    return path


def said_of(path):
    """What ffmpeg reads out of a file."""
    command = [find_ffmpeg(), "-hide_banner", "-i", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_carries_title_notice_provenance_and_cover(tmp_path, picture, kind):
    path = tmp_path / f"track.{kind}"
    encode_as(kind, music(), path, TAGS, picture)
    shown = said_of(path)
    for wanted in (TAGS.title, "Tunesmith", TAGS.genre, TAGS.comment, TAGS.provenance, "mjpeg", "640x640"):
        assert wanted in shown
    heard, rate = decode(path)
    assert abs(heard.shape[1] - music().shape[1]) < 0.05 * rate
    lossless = kind in {"flac", "wav"}
    assert level_db(heard[:, : music().shape[1]] - music()[:, : heard.shape[1]]) < (-130 if lossless else -35)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_samples_give_the_same_bytes(tmp_path, picture, kind):
    for name in ("a", "b"):
        encode_as(kind, music(1), tmp_path / f"{name}.{kind}", TAGS, picture)
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_wav_is_a_whole_riff_file(tmp_path, picture):
    encode_as("wav", music(1), tmp_path / "t.wav", TAGS, picture)
    data = (tmp_path / "t.wav").read_bytes()
    place, names = 12, []
    while place < len(data):
        name, size = struct.unpack("<4sI", data[place : place + 8])
        names.append(name)
        place += 8 + size + size % 2
    assert place == len(data) == 8 + struct.unpack("<I", data[4:8])[0]
    assert {b"fmt ", b"data", b"id3 "} <= set(names)


def test_the_picture_of_an_opus_file_is_a_picture(tmp_path, picture):
    encode_as("opus", music(1), tmp_path / "t.opus", TAGS, picture)
    command = [find_ffmpeg(), "-v", "error", "-i", str(tmp_path / "t.opus"), "-map", "0:v"]
    shown = subprocess.run([*command, "-f", "image2pipe", "-c", "copy", "-"], capture_output=True, check=True).stdout
    with Image.open(io.BytesIO(shown)) as cover:
        assert cover.size == (640, 640)


@pytest.mark.parametrize("kind", ["opus", "flac", "wav"])
def test_what_is_decoded_is_as_loud_as_the_mp3(tmp_path, kind):
    settings = Master(target_lufs=-14.0)
    finished = deliver_as(kind, master(music(), settings), tmp_path / f"t.{kind}", TAGS, None, settings)
    heard, rate = decode(tmp_path / f"t.{kind}")
    assert torch.equal(heard, finished.audio)
    assert integrated_lufs(heard, rate) == pytest.approx(-14.0, abs=0.5)
    assert true_peak_dbtp(heard) <= -1.0


def test_the_best_that_fits_is_chosen_first():
    three_minutes = 180.0
    assert [next(choices(three_minutes, mib * 2**20)).bitrate_kbps for mib in (4, 3, 2.5)] == [160, 128, 96]
    assert (small := next(choices(three_minutes, 2 * 2**20))).codec == "opus"
    assert small.preview_s is None
    preview = next(choices(three_minutes, 2**20))
    assert preview.preview_s == 83
    assert "first 83 seconds" in preview.sentence
    assert not list(choices(three_minutes, 50_000))
    for limit in range(60_000, 6_000_000, 50_000):
        for choice in choices(three_minutes, limit):
            assert choice.bitrate_kbps * 125 * (choice.preview_s or three_minutes) <= limit


@pytest.fixture(scope="module")
def long_mp3(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "track.mp3"
    Image.new("RGB", (1024, 1024), (200, 80, 40)).save(path.with_name("cover.png"))
    encode_mp3(music(40), path, TAGS, path.with_name("cover.png"))
    return path


@pytest.mark.parametrize(
    ("limit", "codec", "seconds"),
    [(2_000_000, None, 40), (750_000, "mp3", 40), (300_000, "opus", 40), (200_000, "mp3", 15), (130_000, "mp3", 10)],
)
def test_a_file_fits_its_place_and_plays(long_mp3, limit, codec, seconds):
    path, how = fit(long_mp3, 40.0, limit)
    assert path.stat().st_size <= limit
    assert (how and how.codec) == codec
    assert (how is None) == (path == long_mp3)
    heard, rate = decode(path)
    assert heard.shape[1] / rate == pytest.approx(seconds, abs=0.6)
    assert level_db(heard) > -40
    if seconds < 40:
        assert level_db(heard[:, -rate // 20 :]) < level_db(heard[:, : 5 * rate]) - 25  # it fades
        assert "preview" in how.sentence
    assert fit(long_mp3, 40.0, limit)[0] == path


def test_what_fits_nowhere_is_a_sentence(long_mp3):
    with pytest.raises(EncodeError, match="larger than this place takes"):
        fit(long_mp3, 40.0, 20_000)


@contextmanager
def full_disk(at_bytes):
    """Every file of this process and of those it starts ends there, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("at_bytes", [20_000, 3_000_000])
def test_a_disk_that_fills_leaves_nothing_half_written(tmp_path, kind, at_bytes):
    with full_disk(at_bytes), pytest.raises(EncodeError, match=f"t\\.{kind}"):
        encode_as(kind, music(40) + 0.05, tmp_path / "out" / f"t.{kind}", TAGS)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_fills_leaves_no_smaller_copy(long_mp3):
    before = sorted(long_mp3.parent.iterdir())
    with full_disk(50_000), pytest.raises(EncodeError):
        fit(long_mp3, 40.0, 400_000)
    assert sorted(long_mp3.parent.iterdir()) == before


@pytest.mark.parametrize("missing", [300_000, 10])
def test_a_disk_that_fills_under_a_stem_leaves_nothing(tmp_path, missing):
    encode_flac(music(40), tmp_path / "whole.flac")
    room = (tmp_path / "whole.flac").stat().st_size - missing
    with full_disk(room), pytest.raises(EncodeError, match=r"bass\.flac"):
        encode_flac(music(40), tmp_path / "stems" / "bass.flac")
    assert list((tmp_path / "stems").iterdir()) == []


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_samples_that_are_no_numbers_are_named_at_their_stage(tmp_path, wrong):
    spoilt = music(2)
    spoilt[1, 3000] = wrong
    with pytest.raises(SoundError, match="The mix"):
        master(spoilt, Master())
    for write in (encode_flac, lambda audio, path: encode_as("mp3", audio, path, TAGS)):
        with pytest.raises(SoundError, match=r"The sound for x\.any"):
            write(spoilt, tmp_path / "x.any")
    assert not list(tmp_path.iterdir())
