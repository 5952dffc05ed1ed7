"""Measurements against sounds whose answer is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from generator.brief import Key
from generator.measure.loudness import (
    SILENCE_LUFS,
    integrated_lufs,
    loudness_range,
    nearly_lufs,
    peak_envelope,
    true_peak_dbtp,
)
from generator.measure.pitch import chroma_rotation, key_of, related
from generator.measure.report import longest_silence, measure
from generator.measure.spectrum import FLOOR_DB, spectral_balance
from generator.measure.tempo import _magnitude, measure_tempo
from generator.produce.deliver import deliver_mp3
from generator.produce.master import master
from generator.produce.mix import mix
from generator.produce.settings import Channel, Master
from generator.produce.tags import Tags
from generator.render.render import render
from generator.render.timing import SAMPLE_RATE
from generator.score import Note, TempoChange
from tests.generator.making_audio import CPU, brief, score


def sine(hertz, seconds, level_db=0.0, phase=0.0):
    times = torch.arange(int(seconds * SAMPLE_RATE), dtype=torch.float64) / SAMPLE_RATE
    wave = 10 ** (level_db / 20) * torch.sin(2 * math.pi * hertz * times + phase)
    return wave.float().expand(2, -1).clone()


def levels(stems):
    return {name: integrated_lufs(stem, SAMPLE_RATE) for name, stem in stems.items()}


def clicks(bpm, seconds, seed=0):
    """Noise bursts on the beat, softer ones on the eighths."""
    sound = torch.zeros(2, int(seconds * SAMPLE_RATE))
    noise = torch.from_numpy(np.random.default_rng(seed).standard_normal(2000).astype(np.float32))
    burst = noise * torch.exp(-torch.arange(2000) / 300)
    for number in range(int(seconds * bpm / 30)):
        at = int(number * 30 / bpm * SAMPLE_RATE)
        room = sound[:, at : at + 2000]
        room += burst[: room.shape[1]] * (0.5 if number % 2 == 0 else 0.2)
    return sound


def test_loudness_of_a_known_tone():
    assert integrated_lufs(sine(997, 5, -23), SAMPLE_RATE) == pytest.approx(-23.0, abs=0.1)
    assert integrated_lufs(torch.zeros(2, SAMPLE_RATE), SAMPLE_RATE) == SILENCE_LUFS
    assert integrated_lufs(sine(997, 0.1, -20), SAMPLE_RATE) < -20


def test_the_loudness_of_a_stem_is_near_that_of_the_standard():
    """Loud and soft, rests, low notes, strokes; whole and broken tenths of a second."""
    low = sine(45, 3.0, -12)
    rests = torch.cat([sine(440, 2.03, -20), torch.zeros(2, 2 * SAMPLE_RATE), sine(3000, 1.0, -30)], 1)
    for sound, off in ((sine(997, 5, -23), 0.02), (rests, 0.05), (clicks(120, 7.77), 0.1), (low, 0.3)):
        assert nearly_lufs(sound, SAMPLE_RATE) == pytest.approx(integrated_lufs(sound, SAMPLE_RATE), abs=off)
    assert nearly_lufs(torch.zeros(2, SAMPLE_RATE), SAMPLE_RATE) == SILENCE_LUFS
    assert nearly_lufs(sine(997, 0.1, -20)[0], SAMPLE_RATE) < -20


def test_loudness_range_of_a_soft_and_a_loud_half():
    both = torch.cat([sine(997, 20, -36), sine(997, 20, -20)], 1)
    assert loudness_range(both, SAMPLE_RATE) == pytest.approx(16, abs=1.5)
    assert loudness_range(sine(997, 20, -20), SAMPLE_RATE) == pytest.approx(0, abs=0.2)
    assert loudness_range(sine(997, 2, -20), SAMPLE_RATE) == 0.0


def test_true_peak_sees_between_the_samples():
    hidden = sine(SAMPLE_RATE / 4, 1, 0.0, math.pi / 4)  # every sample lies at -3 dB
    middle = hidden[:, 1000:-1000]
    assert 20 * math.log10(float(middle.abs().max())) == pytest.approx(-3.01, abs=0.01)
    faded = hidden * torch.hann_window(hidden.shape[1])
    assert true_peak_dbtp(faded) == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("above", [0.3, 0.9, 5.0])
def test_peaks_are_exact_where_they_matter(above):
    noise = torch.from_numpy(np.random.default_rng(5).standard_normal((2, 70001)).astype(np.float32))
    sound = noise * torch.linspace(0.0, 0.5, 70001) ** 2
    every, some = peak_envelope(sound, 16), peak_envelope(sound, 16, above=above)
    assert torch.equal(some[every > above], every[every > above])
    assert bool((some <= every).all())
    assert peak_envelope(torch.zeros(2, 100), 16, above=above).tolist() == [0.0] * 7


@pytest.mark.parametrize(("bpm", "requested"), [(100, 100), (141.5, 140), (72, 72), (172, 170), (63, 60)])
def test_tempo_near_the_request(bpm, requested):
    found = measure_tempo(clicks(bpm, 20), SAMPLE_RATE, requested)
    assert found.bpm == pytest.approx(bpm, rel=0.003)
    assert found.clarity > 3


def test_tempo_is_given_at_the_level_that_was_asked_for():
    assert measure_tempo(clicks(70, 20), SAMPLE_RATE, 140).bpm == pytest.approx(140, rel=0.003)
    assert measure_tempo(clicks(140, 20), SAMPLE_RATE, 70).bpm == pytest.approx(70, rel=0.003)


def test_the_sum_at_many_frequencies_is_that_of_its_terms():
    strength = torch.from_numpy(np.random.default_rng(4).standard_normal(1000))
    hertz = 0.013 + 0.00007 * torch.arange(300, dtype=torch.float64)
    angle = -2 * math.pi * hertz[:, None] * torch.arange(1000, dtype=torch.float64)
    plain = torch.hypot(torch.cos(angle) @ strength, torch.sin(angle) @ strength)
    assert torch.allclose(_magnitude(strength, 0.013, 0.00007, 300), plain, rtol=1e-9, atol=1e-9)


def test_noise_has_no_clear_tempo():
    noise = torch.from_numpy(np.random.default_rng(3).standard_normal((2, 20 * SAMPLE_RATE)).astype(np.float32))
    assert measure_tempo(noise, SAMPLE_RATE, 100).clarity < 3


@pytest.mark.parametrize("speed", [1.0, 1.04, 0.93])
def test_a_few_slow_notes_still_have_a_tempo(speed):
    slow = score({"bass": "upright_bass"}, bars=4, bpm=50)
    notes = slow.parts[0].notes[:3] + slow.parts[0].notes[4:6]
    sparse = replace(slow, parts=(replace(slow.parts[0], notes=notes),))
    played = render(replace(sparse, tempos=(TempoChange(0, 50 * speed),)), None, seed=1, device=CPU)["bass"]
    found = measure(played, SAMPLE_RATE, sparse, brief(tempo_bpm=50, length_s=sparse.length_s), {"bass": -14.0})
    assert found.tempo_source == "onsets"
    assert found.tempo_bpm == pytest.approx(50 * speed, rel=0.005)
    assert ("tempo" in found.failed) == (speed != 1.0)


def test_a_vamp_that_fits_two_keys_is_in_the_written_one():
    """Eb and Ab alone lean to Ab by a hair, which is no proof against Eb."""
    piece = score(key="Eb major", bars=4)
    notes = tuple(Note(index * 480, 480, 63 if index % 2 == 0 else 68) for index in range(9))
    vamp = replace(piece, chords=(), parts=(replace(piece.part("chords"), notes=notes),))
    assert key_of(vamp) == Key.parse("Eb major")
    assert key_of(replace(vamp, key=Key.parse("Ab major"))) == Key.parse("Ab major")
    assert key_of(replace(vamp, key=Key.parse("E major"))) != Key.parse("E major")


def transposed(piece, semitones):
    parts = tuple(
        part
        if part.role == "drums"
        else replace(part, notes=tuple(replace(note, pitch=note.pitch + semitones) for note in part.notes))
        for part in piece.parts
    )
    return replace(piece, parts=parts)


@pytest.mark.parametrize("semitones", [0, 1, -3, 5])
def test_a_wrong_transposition_is_heard(semitones):
    written = score({"melody": "vibraphone", "chords": "organ", "bass": "synth_bass"}, bars=4)
    stems = render(transposed(written, semitones), None, seed=1, device=CPU)
    found = chroma_rotation(sum(stems.values()), SAMPLE_RATE, written)
    assert found.semitones == semitones
    assert found.correlation > found.runner_up + 0.1


@pytest.mark.parametrize("key", ["A minor", "C major", "F# minor", "Eb major", "D minor"])
def test_key_of_the_notes(key):
    assert key_of(score(key=key, bars=8)) == Key.parse(key)


def test_relative_keys_are_related_and_others_are_not():
    assert related(Key.parse("A minor"), Key.parse("C major"))
    assert not related(Key.parse("A minor"), Key.parse("A major"))
    assert not related(Key.parse("C major"), Key.parse("G major"))


def test_longest_silence():
    gap = torch.cat([sine(440, 1), torch.zeros(2, 3 * SAMPLE_RATE), sine(440, 1)], 1)
    assert longest_silence(gap, SAMPLE_RATE) == pytest.approx(3.0, abs=0.05)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole piece, from the score to the decoded MP3, with synthesised instruments only."""
    piece = score(
        {"melody": "vibraphone", "chords": "fm_piano", "pad": "warm_pad", "bass": "upright_bass", "drums": "lofi_kit"},
        bars=6,
    )
    stems = render(piece, None, seed=3, device=CPU)
    channels = {"melody": Channel(level_lufs=-20, delay=0.2), "pad": Channel(level_lufs=-27, sidechain=0.5)}
    settings = Master(crackle=0.3, wow=0.2)
    roles = {part.name: part.role for part in piece.parts}
    mixed = mix(stems, roles, channels, settings, seed=3, tempo_bpm=100)
    path = tmp_path_factory.mktemp("piece") / "t.mp3"
    delivered = deliver_mp3(master(mixed.bus, settings), path, Tags("t", "lo-fi", "x"), None, settings)
    return piece, mixed, delivered


def test_a_whole_piece_is_verified(finished):
    piece, mixed, delivered = finished
    wish = brief(length_s=piece.length_s + 2)
    found = measure(delivered.audio, delivered.rate, piece, wish, levels(mixed.stems))
    assert found.failed == ()
    assert found.verified
    told = found.to_dict()
    assert list(told)[:7] == ["tempo_bpm", "key", "length_s", "integrated_lufs", "true_peak_dbtp", "lra", "parts"]
    assert json.loads(json.dumps(told)) == told
    assert told["tempo_bpm"] == pytest.approx(100, rel=0.005)
    assert told["parts"] == [part.name for part in piece.parts]
    assert told["bands_db"]["bass"] > told["bands_db"]["air"]
    assert told["part_lufs"]["melody"] == pytest.approx(-20.0, abs=3.0)
    assert set(told["part_lufs"]) >= set(told["parts"])


@pytest.mark.parametrize(("spoil", "gate"), [
    (lambda a: a * 0.5, "loudness"), (lambda a: a * 1.3, "true_peak"), (lambda a: (a * 9).clamp(-1, 1), "clipping"),
    (lambda a: a + 0.01, "dc"), (lambda a: torch.cat([a, a * 0], 1), "silence"),
    (lambda a: a[:, : SAMPLE_RATE * 6], "ending"), (lambda a: torch.stack([a[0], -a[1]]), "stereo"),
    (lambda a: a[:, : SAMPLE_RATE * 3], "length"),
])  # fmt: skip
def test_each_fault_trips_its_gate(finished, spoil, gate):
    piece, mixed, delivered = finished
    found = measure(
        spoil(delivered.audio), delivered.rate, piece, brief(length_s=piece.length_s + 2), levels(mixed.stems)
    )
    assert gate in found.failed


def test_a_part_that_is_not_heard_is_named(finished):
    piece, mixed, delivered = finished
    stems = dict(mixed.stems, pad=torch.zeros_like(mixed.bus))
    found = measure(delivered.audio, delivered.rate, piece, brief(length_s=piece.length_s), levels(stems))
    assert found.silent_parts == ("pad",)
    assert "parts" in found.failed


def test_music_without_a_pulse_has_the_tempo_of_its_harmony():
    piece = score({"pad": "drift_pad"}, bars=12, bpm=90)
    bus = render(piece, None, seed=1, device=CPU)["pad"]
    found = measure(bus, SAMPLE_RATE, piece, brief(length_s=piece.length_s), levels({"pad": bus}))
    assert found.tempo_bpm == pytest.approx(90, rel=0.02)


def test_the_balance_says_where_the_energy_lies():
    times = torch.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for hertz, band in ((40, "sub"), (120, "bass"), (400, "low_mid"), (1000, "mid"), (3000, "presence"), (9000, "air")):
        bands = spectral_balance(torch.sin(2 * torch.pi * hertz * times).expand(2, -1), SAMPLE_RATE)
        assert bands[band] > -0.5
        assert sum(10 ** (level / 10) for level in bands.values()) == pytest.approx(1.0, abs=1e-6)
        assert all(level < -20 for name, level in bands.items() if name != band)
    assert set(spectral_balance(torch.zeros(2, 100), SAMPLE_RATE).values()) == {FLOOR_DB}
