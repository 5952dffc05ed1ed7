"""Synthesised instruments and drums as they are heard."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from generator.errors import SoundError
from generator.render import oscillator
from generator.render.instruments import INSTRUMENTS
from generator.render.render import render
from generator.render.timing import SAMPLE_RATE, TAIL_S, Event, events, total_samples
from generator.render.voices import perform, voices
from generator.score import Note, TempoChange
from tests.generator.making_audio import CPU, centroid_hz, level_db, pitch_cents, score

# Several detuned strings or oscillators beat, and their common pitch swings about the note.
ENSEMBLES = {name for name, voice in voices().items() if any(wave.unison > 1 for wave in getattr(voice, "waves", ()))}


def played(voice, *notes, seconds=3.0, seed=1):
    """Play (start s, length s, pitch, velocity) notes on a voice; -> [2, n]"""
    rate = SAMPLE_RATE
    sounding = [Event(int(at * rate), int(length * rate), pitch, loud) for at, length, pitch, loud in notes]
    return perform(voice, sounding, int(seconds * rate), stream="test", seed=seed, device=CPU)


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_every_instrument_sounds_without_a_soundfont_and_falls_silent_again(name):
    instrument = INSTRUMENTS[name]
    pitch = 38 if instrument.kit else (instrument.low + instrument.high) // 2
    heard = played(instrument.voice, (0.1, 0.5, pitch, 90), seconds=6.0)
    assert bool(torch.isfinite(heard).all())
    assert level_db(heard[:, 4410:26460]) > (-80 if name == "vinyl" else -50)
    assert float(heard[:, :4400].abs().max()) == 0.0
    assert level_db(heard[:, -SAMPLE_RATE:]) < -80


@pytest.mark.parametrize("name", sorted(voices()))
@pytest.mark.parametrize("pitch", [57, 72])
def test_voices_are_in_tune(name, pitch):
    heard = played(name, (0, 6.0, pitch, 80), seconds=6.0)[:, 22050:]
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    assert abs(pitch_cents(heard, hertz)) < (3.5 if name in ENSEMBLES or name == "piano" else 1.0)


def test_a_high_saw_does_not_alias():
    hertz = torch.tensor([2637.02])  # E7, where naive saws whistle
    saw = oscillator.tables("saw", hertz)[:, None]
    wave = oscillator.chorus(saw, [0], hertz[:, None], torch.zeros(1, 1), torch.ones(1, 1), 65536)[0, 0].double()
    power = torch.fft.rfft(wave * torch.blackman_window(65536, dtype=torch.float64)).abs() ** 2
    bins = torch.arange(len(power)) * SAMPLE_RATE / 65536
    off = (bins / 2637.02 - (bins / 2637.02).round()).abs() * 2637.02
    assert float(power[off > 20].max() / power.max()) < 1e-8  # -80 dB


def test_harder_is_louder_and_brighter():
    for name in ("synth_bass", "fm_piano", "nylon_string", "trumpet"):
        soft, hard = played(name, (0, 1, 48, 40)), played(name, (0, 1, 48, 120))
        assert level_db(hard) - level_db(soft) > 8
        assert centroid_hz(hard) > centroid_hz(soft)


def test_the_same_seed_gives_the_same_samples_and_another_seed_does_not():
    piece = score({"pad": "drift_pad", "drums": "electronic_kit", "texture": "vinyl", "melody": "pluck"}, bars=2)
    first, again, other = (render(piece, None, seed=seed, device=CPU) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in ("pad", "drums", "texture"))


def test_drums_are_where_ears_expect_them():
    for kit in ("acoustic_kit", "brush_kit", "lofi_kit", "electronic_kit"):
        kick, snare, hat = (centroid_hz(played(kit, (0, 0.1, pitch, 100))) for pitch in (36, 38, 42))
        assert kick < 160 < snare < hat
        assert hat > 4000


def test_a_closed_hat_chokes_an_open_one():
    alone = played("acoustic_kit", (0, 0.1, 46, 100))
    both = played("acoustic_kit", (0, 0.1, 46, 100), (0.2, 0.1, 42, 1))
    assert level_db(both[:, 15000:25000]) < level_db(alone[:, 15000:25000]) - 20


def test_repeated_strokes_differ_a_little():
    heard = played("acoustic_kit", (0, 0.1, 38, 100), (1, 0.1, 38, 100))
    first, second = heard[:, : SAMPLE_RATE // 4], heard[:, SAMPLE_RATE : SAMPLE_RATE + SAMPLE_RATE // 4]
    assert not torch.equal(first, second)
    assert level_db(first) == pytest.approx(level_db(second), abs=2)


def test_a_piece_that_stops_short_has_no_silent_end():
    whole = score(bars=2)
    cut = replace(
        whole,
        parts=tuple(
            replace(part, notes=tuple(note for note in part.notes if note.end <= whole.meter.bar_ticks))
            for part in whole.parts
        ),
    )
    last = max(note.end + note.micro for part in cut.parts for note in part.notes)
    assert total_samples(cut) == round((cut.seconds_at(last) + TAIL_S) * SAMPLE_RATE) < total_samples(whole)


def test_stems_are_as_long_as_the_score_and_its_tail():
    piece = score(bars=2)
    stems = render(piece, None, seed=1, device=CPU)
    assert list(stems) == [part.name for part in piece.parts]
    assert {stem.shape for stem in stems.values()} == {(2, round((piece.length_s + TAIL_S) * SAMPLE_RATE))}
    assert {stem.dtype for stem in stems.values()} == {torch.float32}


def test_tempo_changes_and_microtiming_move_notes():
    piece = score({"melody": "bell"}, bars=2, bpm=120)
    part = replace(piece.parts[0], notes=(Note(960, 480, 60, 80, 48), Note(1920, 480, 60), Note(0, 480, 60, 80, -99)))
    slower = replace(piece, tempos=(TempoChange(0, 120.0), TempoChange(1440, 60.0)))
    starts = [event.start / SAMPLE_RATE for event in events(slower, part)]
    assert starts == pytest.approx([0.0, 1.05, 2.5], abs=1e-4)


def test_a_part_without_notes_is_silent():
    piece = score({"melody": "bell"}, bars=2)
    stems = render(replace(piece, parts=(replace(piece.parts[0], notes=()),)), None, seed=1, device=CPU)
    assert float(stems["melody"].abs().max()) == 0.0


def test_an_unknown_instrument_is_refused():
    with pytest.raises(SoundError, match="kazoo"):
        render(score({"melody": "kazoo"}, bars=2), None, seed=1, device=CPU)
