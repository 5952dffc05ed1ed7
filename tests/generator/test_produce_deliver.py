"""Mastering and the delivered MP3, always measured on what a listener decodes."""

from __future__ import annotations

import math
import subprocess

import numpy as np
import pytest
import torch
from PIL import Image

from generator.errors import EncodeError
from generator.measure.loudness import integrated_lufs, true_peak_dbtp
from generator.produce import encode
from generator.produce.deliver import deliver_mp3
from generator.produce.encode import decode, encode_flac, encode_mp3
from generator.produce.master import master
from generator.produce.settings import Master
from generator.produce.tags import Tags
from generator.render.timing import SAMPLE_RATE
from tests.generator.making_audio import level_db

TAGS = Tags(title="Morgenlicht – 朝", genre="Lo-fi", comment="AI-generated. Seed 7.")
N = 6 * SAMPLE_RATE


def times():
    return torch.arange(N) / SAMPLE_RATE


def quiet():
    """A few soft notes with much air between them."""
    since = times() % 1.5
    return (0.02 * torch.sin(2 * math.pi * 440 * since) * torch.exp(-3 * since)).expand(2, -1).clone()


def dense():
    noise = torch.from_numpy(np.random.default_rng(1).standard_normal((2, N)).astype(np.float32))
    return 0.3 * noise.cumsum(1).sub(noise.cumsum(1).mean()) / 60 + 0.25 * noise


def bass_heavy():
    since = times() % 0.5
    kick = torch.sin(2 * math.pi * (50 * since + 8 * (1 - torch.exp(-since * 40)))) * torch.exp(-since * 6)
    hat = torch.from_numpy(np.random.default_rng(2).standard_normal(N).astype(np.float32))
    return torch.stack([kick, kick]) + 0.05 * hat * torch.exp(-30 * (times() % 0.25))


def offset_and_square():
    return torch.sign(torch.sin(2 * math.pi * 110 * times())).expand(2, -1) * 0.9 + 0.08


MATERIAL = {"quiet": quiet, "dense": dense, "bass-heavy": bass_heavy, "square with an offset": offset_and_square}


@pytest.mark.parametrize("name", sorted(MATERIAL))
def test_the_decoded_file_is_at_its_target_and_under_its_ceiling(tmp_path, name):
    path = tmp_path / "t.mp3"
    finished = deliver_mp3(master(MATERIAL[name](), Master()), path, TAGS, None, Master())
    heard, rate = decode(path)
    assert torch.equal(heard, finished.audio)
    assert integrated_lufs(heard, rate) == pytest.approx(-14.0, abs=0.5)
    assert true_peak_dbtp(heard) <= -1.0
    assert float(heard.mean(1).abs().max()) < 1e-3
    assert heard.shape[1] == N


def test_another_target_is_met_too(tmp_path):
    settings = Master(target_lufs=-18.0)
    finished = deliver_mp3(master(dense(), settings), tmp_path / "t.mp3", TAGS, None, settings)
    assert finished.loudness.integrated_lufs == pytest.approx(-18.0, abs=0.5)


def test_silence_passes_through(tmp_path):
    finished = deliver_mp3(master(torch.zeros(2, N), Master()), tmp_path / "t.mp3", TAGS, None, Master())
    assert level_db(finished.audio) < -90


def test_tilt_darkens_and_brightens():
    def top(tilt):
        sound = master(dense(), Master(tilt_db=tilt, glue=0, drive=0))
        power = torch.fft.rfft(sound.mean(0)).abs() ** 2
        hertz = torch.fft.rfftfreq(N, 1 / SAMPLE_RATE)
        return float(power[hertz > 4000].sum() / power[hertz < 400].sum())

    assert top(-6) < 0.6 * top(0) < 0.36 * top(6)


def test_the_limiter_keeps_what_lies_between_samples():
    sharp = torch.sin(2 * math.pi * SAMPLE_RATE / 4 * times() + math.pi / 4).expand(2, -1)  # 3 dB between samples
    assert true_peak_dbtp(master(sharp * 0.7, Master(target_lufs=-9.0))) <= -1.5


def test_tags_and_cover_are_in_the_file(tmp_path):
    picture = tmp_path / "cover.png"
    Image.new("RGB", (1024, 1024), (200, 80, 40)).save(picture)
    path = tmp_path / "t.mp3"
    encode_mp3(quiet(), path, TAGS, picture)
    shown = subprocess.run(
        [encode.find_ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, text=True, check=False
    ).stderr
    for wanted in (TAGS.title, "Tunesmith", "Lo-fi", "AI-generated. Seed 7.", "mjpeg", "192 kb/s"):
        assert wanted in shown
    assert path.read_bytes()[:4] == b"ID3\x03"


def test_the_same_samples_give_the_same_bytes(tmp_path):
    for name in ("a.mp3", "b.mp3"):
        encode_mp3(dense(), tmp_path / name, TAGS)
    assert (tmp_path / "a.mp3").read_bytes() == (tmp_path / "b.mp3").read_bytes()


def test_flac_keeps_24_bits(tmp_path):
    sound = 0.5 * dense().clamp(-1, 1)
    encode_flac(sound, tmp_path / "s.flac")
    heard, rate = decode(tmp_path / "s.flac")
    assert rate == SAMPLE_RATE
    assert float((heard - sound).abs().max()) < 2**-22


def test_without_ffmpeg_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    import imageio_ffmpeg

    def none():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(EncodeError, match="install it"):
        encode_mp3(quiet(), tmp_path / "t.mp3", TAGS)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_ffmpeg_leaves_nothing_behind(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(encode, "find_ffmpeg", lambda: str(program))
    out = tmp_path / "out"
    with pytest.raises(EncodeError, match=r"could not write t\.mp3"):
        encode_mp3(quiet(), out / "t.mp3", TAGS)
    assert list(out.iterdir()) == []


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for write in (lambda p: encode_mp3(quiet(), p, TAGS), lambda p: encode_flac(quiet(), p)):
        with pytest.raises(EncodeError, match="cannot be written"):
            write(tmp_path / "file" / "t.mp3")


def test_a_file_that_is_no_audio_is_refused(tmp_path):
    (tmp_path / "x.mp3").write_text("words")
    with pytest.raises(EncodeError, match=r"x\.mp3"):
        decode(tmp_path / "x.mp3")
