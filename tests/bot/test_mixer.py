"""How a radio turns from one piece to the next: without a gap, without a click, as loud as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bot.radio.mixer import FRAME_BYTES, FRAME_S, RATE, SILENCE, Mixer, decode
from tests.fakes.composer import tone_mp3


def tone(path: Path, hz: float, seconds: float, level: float = 0.25) -> Path:
    wave = level * np.sin(2 * np.pi * hz * np.arange(int(RATE * seconds)) / RATE)
    path.write_bytes(np.repeat(np.round(wave * 32767).astype("<i2"), 2).tobytes())
    return path


def read(mixer: Mixer, seconds: float) -> np.ndarray:
    frames = [mixer.read() for _ in range(round(seconds / FRAME_S))]
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    return np.frombuffer(b"".join(frames), "<i2").reshape(-1, 2)[:, 0] / 32768


def level_of(sound: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(sound**2) + 1e-12))


def share_of(sound: np.ndarray, hz: float) -> float:
    """The amplitude of one tone in a sound."""
    return abs(2 * np.mean(sound * np.exp(-2j * np.pi * hz * np.arange(len(sound)) / RATE)))


def test_two_pieces_cross_with_equal_power(tmp_path: Path) -> None:
    begun: list[str] = []
    mixer = Mixer(fade_s=2.0, changed=begun.append)
    mixer.follow("a", tone(tmp_path / "a", 440, 5))
    mixer.read()
    mixer.follow("b", tone(tmp_path / "b", 1000, 6))
    sound = np.concatenate([np.zeros(960), read(mixer, 9 - FRAME_S)])
    assert begun == ["a", "b"]
    alone = level_of(sound[RATE : 2 * RATE])
    for at in np.arange(3.0, 5.0, 0.25):  # the two seconds in which both are heard
        assert level_of(sound[int(at * RATE) : int((at + 0.25) * RATE)]) == pytest.approx(alone, abs=0.3)
    middle = sound[int(3.9 * RATE) : int(4.1 * RATE)]
    assert share_of(middle, 440) == pytest.approx(0.25 * np.sqrt(0.5), rel=0.05)
    assert share_of(middle, 1000) == pytest.approx(0.25 * np.sqrt(0.5), rel=0.05)
    assert share_of(sound[int(5.5 * RATE) : int(6.5 * RATE)], 440) < 0.001
    steps = np.abs(np.diff(sound[2 * RATE : 8 * RATE]))
    assert steps.max() < 0.25 * 2 * np.pi * 1000 / RATE * 1.5  # no click: no steeper than the tones themselves
    assert mixer.read() == SILENCE
    mixer.close()


def test_a_skip_leaves_at_once_for_what_follows_or_for_silence(tmp_path: Path) -> None:
    mixer = Mixer(fade_s=2.0)
    mixer.follow("a", tone(tmp_path / "a", 440, 60))
    read(mixer, 0.5)
    mixer.follow("b", tone(tmp_path / "b", 1000, 60))
    assert mixer.waiting == "b"
    mixer.skip()
    read(mixer, 2.0)
    assert mixer.waiting is None
    assert share_of(read(mixer, 1.0), 1000) == pytest.approx(0.25, rel=0.02)
    assert mixer.left_s == pytest.approx(60 - 3.0, abs=0.1)
    mixer.skip()
    read(mixer, 2.0)
    assert mixer.read() == SILENCE
    assert mixer.left_s == 0
    mixer.follow("c", tone(tmp_path / "c", 600, 60))
    assert share_of(read(mixer, 1.0), 600) == pytest.approx(0.25, rel=0.02)
    mixer.close()
    assert mixer.read() == SILENCE
    mixer.follow("d", tone(tmp_path / "d", 600, 60))  # it was being decoded when the radio was switched off
    assert mixer.read() == SILENCE


@pytest.mark.parametrize("samples", [1, 959, 960, 961, 3000])
def test_short_and_odd_pieces_end_and_the_next_begins(tmp_path: Path, samples: int) -> None:
    mixer = Mixer(fade_s=4.0)
    for name in ("a", "b", "c"):
        mixer.follow(name, tone(tmp_path / name, 440, samples / RATE))
        read(mixer, 0.2)
        assert mixer.waiting is None
    assert mixer.read() == SILENCE
    mixer.close()


def test_an_mp3_becomes_what_the_mixer_reads(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(tone_mp3(300, 2.0))
    decode(tmp_path / "a.mp3", tmp_path / "a.pcm")
    mixer = Mixer()
    mixer.follow("a", tmp_path / "a.pcm")
    (tmp_path / "a.pcm").unlink()  # it is open
    sound = read(mixer, 1.5)[RATE // 4 : RATE]
    assert share_of(sound, 300) > 0.9 * np.sqrt(2) * np.sqrt(np.mean(sound**2))  # nothing but the tone
    assert level_of(sound) > -20
    mixer.close()
