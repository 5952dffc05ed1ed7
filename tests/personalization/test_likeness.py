"""Something like this: a real sound file, decoded in its own process, becomes wishes; files that are none are told."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from personalization import likeness
from personalization.likeness import LikenessError, liken
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import Request

RATE = 22050


def clicks_and_chord(bpm: float, midi: tuple[int, ...], seconds: float = 16.0) -> np.ndarray:
    """A drum on every beat over a held chord with overtones."""
    time = np.arange(int(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * k * time) / k for note in midi for k in (1, 2, 3))
    sound = 0.05 * np.asarray(sound)
    rng = np.random.default_rng(1)
    for beat in np.arange(0, seconds - 0.1, 60 / bpm):
        start = int(beat * RATE)
        sound[start : start + 800] += 0.5 * rng.normal(size=800) * np.exp(-np.arange(800) / 120)
    return sound.astype(np.float32)


async def test_tempo_key_and_light_are_heard_and_asked_for(tmp_path):
    file = tmp_path / "mine.flac"
    soundfile.write(file, clicks_and_chord(120, (57, 60, 64, 69)), RATE)
    found = await liken(file)
    assert found.tempo_bpm == pytest.approx(120, rel=0.04)
    assert found.key == "A minor"
    assert found.heard_s == pytest.approx(16, abs=0.2)
    assert "A minor" in found.sentence
    brief = propose(Request("something like this", **found.wishes()), Profile("a"), seed=1).brief
    assert brief.tempo_bpm == pytest.approx(found.tempo_bpm)
    assert brief.key == "A minor"
    assert brief.brightness == pytest.approx(found.brightness)


async def test_what_is_no_sound_is_told_in_a_sentence(tmp_path, monkeypatch):
    text, short, silent = tmp_path / "a.mp3", tmp_path / "b.wav", tmp_path / "c.wav"
    text.write_text("no music here" * 50)
    soundfile.write(short, np.ones(RATE) * 0.1, RATE)
    soundfile.write(silent, np.zeros(10 * RATE), RATE)
    for file, said in ((text, "no sound file"), (short, "too short"), (silent, "silent"), (tmp_path / "d", "read")):
        with pytest.raises(LikenessError, match=said):
            await liken(file)
    monkeypatch.setattr(likeness, "MAX_BYTES", 1000)
    with pytest.raises(LikenessError, match="at most"):
        await liken(silent)


async def test_a_file_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    file = tmp_path / "long.wav"
    soundfile.write(file, clicks_and_chord(100, (60, 64, 67), 8.0), RATE)
    monkeypatch.setattr(likeness, "TIMEOUT_S", 0.01)
    with pytest.raises(LikenessError, match="too long"):
        await liken(file)
