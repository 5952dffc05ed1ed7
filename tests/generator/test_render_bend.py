"""Pitch bends, slides, vibrato, faders and pan as they are heard, on a soundfont and on synthesised voices."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from generator.notation.midi import played, write_midi
from generator.notation.midi_in import read_midi
from generator.render.render import render
from generator.render.timing import SAMPLE_RATE
from generator.score import PPQ, Control, Note
from tests.generator.making_audio import CPU, MODE, centroid_hz, level_db, loop, pitch_cents, score, soundfont

PITCH, HERTZ = 69, 440.0
VIOLIN = 40


@pytest.fixture(params=["soundfont", "voice"])
def font(request, tmp_path):
    """The violin of a soundfont that is a looped sine, or none: the synthesised one plays."""
    if request.param == "voice":
        return None
    sine = (loop(), 100, 300, 69)  # 441 Hz where the font says 440
    return soundfont(tmp_path / "f.sf2", [sine], [{"gens": {MODE: 1}}], program=VIOLIN)


def heard(font, *controls, seconds=4, instrument="violin", **note):
    """One note of some seconds at 60 bpm: a quarter is a second. -> [2, n]"""
    whole = score({"melody": instrument}, bars=4, bpm=60.0)
    long = Note(0, seconds * PPQ, PITCH, 100, **note)
    (part,) = (part for part in whole.parts if part.role == "melody")
    part = replace(part, notes=(long,), controls=tuple(controls))
    return render(replace(whole, parts=(part,)), font, seed=1, device=CPU)[part.name]


def between(sound, begin_s, end_s):
    return sound[:, int(begin_s * SAMPLE_RATE) : int(end_s * SAMPLE_RATE)]


def test_a_bend_moves_the_pitch_and_stays(font):
    straight = heard(font)
    bent = heard(font, Control(PPQ, "bend", 200), Control(3 * PPQ, "bend", -100))
    at = pitch_cents(between(straight, 1.2, 2.8), HERTZ)
    for begin, end, semitones in ((0.1, 0.9, 0), (1.2, 2.8, 2), (3.2, 3.9, -1)):
        expected = HERTZ * 2 ** (semitones / 12)
        assert pitch_cents(between(bent, begin, end), expected) == pytest.approx(at, abs=4), semitones
    assert level_db(between(bent, 1.2, 2.8)) == pytest.approx(level_db(between(straight, 1.2, 2.8)), abs=1.5)


def test_a_bent_note_ends_when_it_should(font):
    straight, bent = (heard(font, *moves, seconds=2) for moves in ((), (Control(0, "bend", 1200),)))
    for sound in (straight, bent):
        assert level_db(between(sound, 1.7, 1.9)) > -60
        assert level_db(between(sound, 2.9, 3.2)) < -60


def test_a_slide_comes_from_the_octave(font):
    sound, straight = heard(font, slide=12), heard(font)
    later = pitch_cents(between(sound, 1.0, 3.0), HERTZ)
    assert later == pytest.approx(pitch_cents(between(straight, 1.0, 3.0), HERTZ), abs=2)
    assert centroid_hz(between(sound, 0.0, 0.08)) > 1.4 * centroid_hz(between(straight, 0.0, 0.08))


def test_modulation_is_a_vibrato(font):
    plain, moved = heard(font), heard(font, Control(0, "modulation", 127))
    wide, narrow = (spread(between(sound, 1.0, 3.0)) for sound in (moved, plain))
    assert wide > narrow + 10


def spread(sound):
    """How far the energy around the note lies from it, in cents."""
    mono = sound.double().mean(0)
    power = torch.fft.rfft(mono * torch.hann_window(len(mono), dtype=torch.float64), n=1 << 19).abs() ** 2
    hertz = torch.fft.rfftfreq(1 << 19, 1 / SAMPLE_RATE).double().clamp(min=1.0)
    cents = 1200 * torch.log2(hertz / HERTZ)
    near = cents.abs() < 90
    middle = (cents[near] * power[near]).sum() / power[near].sum()
    return float((((cents[near] - middle) ** 2 * power[near]).sum() / power[near].sum()).sqrt())


@pytest.mark.parametrize("kind", ["volume", "expression"])
def test_faders_follow_general_midi(font, kind):
    plain, soft = heard(font), heard(font, Control(2 * PPQ, kind, 40))
    assert level_db(between(soft, 0.5, 1.9)) == pytest.approx(level_db(between(plain, 0.5, 1.9)), abs=0.01)
    fallen = level_db(between(plain, 2.2, 3.8)) - level_db(between(soft, 2.2, 3.8))
    assert fallen == pytest.approx(20.07, abs=0.1)  # 40 log10(127 / 40)
    assert float(soft.diff(dim=1).abs().max()) <= 1.05 * float(plain.diff(dim=1).abs().max()), "it clicks"


def test_pan_keeps_the_power(font):
    middle, left = heard(font), heard(font, Control(0, "pan", 0))
    assert float(between(left, 0.5, 4)[1].abs().max()) < 1e-4
    assert level_db(between(left, 0.5, 4)) == pytest.approx(level_db(between(middle, 0.5, 4)), abs=1.0)


def test_what_is_bent_sounds_the_same_from_its_midi_file(font, tmp_path):
    whole = score({"melody": "violin"}, bars=2, bpm=60.0)
    (part,) = (part for part in whole.parts if part.role == "melody")
    notes = (Note(0, 2 * PPQ, PITCH, 100, slide=5), Note(3 * PPQ, 3 * PPQ, PITCH - 2, 90))
    moves = (Control(4 * PPQ, "bend", 150), Control(5 * PPQ, "expression", 60))
    ours = replace(whole, parts=(replace(part, notes=notes, controls=moves),))
    write_midi(ours, tmp_path / "a.mid")
    again = read_midi(tmp_path / "a.mid")
    assert again == played(ours)
    first, second = (render(one, font, seed=1, device=CPU)[part.name] for one in (ours, again))
    # The file moves the slide in twelve steps.
    assert centroid_hz(between(first, 0, 0.1)) == pytest.approx(centroid_hz(between(second, 0, 0.1)), rel=0.03)
    for begin, end in ((0.5, 1.9), (4.2, 4.9), (5.2, 5.9)):
        assert level_db(between(first, begin, end)) == pytest.approx(level_db(between(second, begin, end)), abs=0.3)
