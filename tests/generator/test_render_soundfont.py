"""The sampler on a soundfont made here: every zone feature as it is heard."""

from __future__ import annotations

import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.errors import SoundError
from generator.render import waves
from generator.render.render import notices, render
from generator.render.sampler import play
from generator.render.sf2 import MAX_SAMPLES, open_soundfont
from generator.render.timing import MOST_VOICES, SAMPLE_RATE, TAIL_S, Event, events
from generator.score import Note
from tests.generator.making_audio import (
    ATTENUATION,
    CLASS,
    COARSE,
    CPU,
    DECAY,
    DECAY_MOD_ENV,
    FILTER_FC,
    FINE,
    FREQ_MOD_LFO,
    HOLD,
    HOLD_MOD_ENV,
    KEY_TO_MOD_DECAY,
    KEY_TO_MOD_HOLD,
    KEY_TO_VOL_DECAY,
    KEY_TO_VOL_HOLD,
    MOD_ENV_TO_FILTER,
    MOD_ENV_TO_PITCH,
    MOD_LFO_TO_FILTER,
    MODE,
    PAN,
    RELEASE,
    SCALE,
    SUSTAIN,
    SUSTAIN_MOD_ENV,
    centroid_hz,
    level_db,
    loop,
    pitch_cents,
    score,
    soundfont,
    tone,
)  # fmt: skip

SINE_441 = (loop(), 100, 300, 69)  # 441 Hz where the font says 440: nothing here depends on it being exact
BASE_HZ = 441.0


def sound(font, *played, bank=0, seconds=2.0, kit=False):
    """Play (start s, length s, pitch, velocity) notes; -> [2, n]"""
    notes = [Event(int(at * SAMPLE_RATE), int(length * SAMPLE_RATE), pitch, loud) for at, length, pitch, loud in played]
    return play(open_soundfont(font), bank, 0, notes, int(seconds * SAMPLE_RATE), kit=kit, device=CPU)


def looped(tmp_path, **gens):
    named = {"filter_fc": FILTER_FC, "coarse": COARSE, "fine": FINE, "scale": SCALE, "pan": PAN, "decay": DECAY,
             "sustain": SUSTAIN, "release": RELEASE, "attenuation": ATTENUATION}  # fmt: skip
    amounts = {MODE: 1} | {named[name]: amount for name, amount in gens.items()}
    return soundfont(tmp_path / "f.sf2", [SINE_441], [{"gens": amounts}])


@pytest.mark.parametrize(("pitch", "gens", "semitones"), [
    (69, {}, 0), (76, {}, 7), (52, {}, -17), (69, {"coarse": 3}, 3), (69, {"fine": 50}, 0.5), (81, {"scale": 50}, 6),
])  # fmt: skip
def test_a_note_has_its_pitch_to_a_cent(tmp_path, pitch, gens, semitones):
    heard = sound(looped(tmp_path, **gens), (0, 2, pitch, 100))
    assert abs(pitch_cents(heard, BASE_HZ * 2 ** (semitones / 12))) < 0.5


def test_velocity_40_is_19_to_21_db_under_120(tmp_path):
    font = looped(tmp_path)
    difference = level_db(sound(font, (0, 1, 69, 120))) - level_db(sound(font, (0, 1, 69, 40)))
    assert 19 <= difference <= 21


def test_a_loop_holds_the_note_and_release_ends_it(tmp_path):
    heard = sound(looped(tmp_path, release=-3600), (0, 1.0, 69, 100))  # 2 ** -3 = 125 ms for 96 dB
    assert level_db(heard[:, 40000:43000]) == pytest.approx(level_db(heard[:, 10000:13000]), abs=0.1)
    released = int(1.0 * SAMPLE_RATE)
    half_way = heard[:, released + 2700 : released + 2800]  # 62 ms: half of 96 dB
    assert level_db(half_way) - level_db(heard[:, 20000:30000]) == pytest.approx(-48, abs=3)
    assert float(heard[:, released + 6000 :].abs().max()) == 0.0


def test_an_unlooped_sample_plays_once(tmp_path):
    font = soundfont(tmp_path / "f.sf2", [(tone(441, 0.2), 0, 100, 69)], [{}])
    heard = sound(font, (0, 1.5, 69, 100))
    assert level_db(heard[:, :8000]) > -30
    assert float(heard[:, 9000:].abs().max()) == 0.0


def test_mode_3_plays_the_rest_of_the_sample_when_the_key_is_let_go(tmp_path):
    data = torch.cat([torch.from_numpy(loop()), torch.from_numpy(tone(1764, 0.3))]).numpy()
    gens = {MODE: 3, RELEASE: 0}
    font = soundfont(tmp_path / "f.sf2", [(data, 100, 300, 69)], [{"gens": gens}])
    heard = sound(font, (0, 0.8, 69, 100))
    at = int(0.8 * SAMPLE_RATE)
    assert centroid_hz(heard[:, : at - 100]) == pytest.approx(441, rel=0.03)
    assert centroid_hz(heard[:, at + 500 : at + 8000]) == pytest.approx(1764, rel=0.03)


def test_decay_falls_to_the_sustain_level(tmp_path):
    heard = sound(looped(tmp_path, decay=0, sustain=240), (0, 2, 69, 100))  # 96 dB in 1 s, down to -24 dB
    start, later = heard[:, 200:600], heard[:, 30000:60000]
    assert level_db(later) - level_db(start) == pytest.approx(-23.2, abs=0.5)


@pytest.mark.parametrize(("sustain", "held_s", "over_s"), [
    (960, 2.0, 1.0), (960, 0.5, 0.75), (480, 1.0, 1.5), (0, 0.5, 1.5),
])  # fmt: skip
def test_a_note_is_over_when_decay_and_release_have_taken_96_db(tmp_path, sustain, held_s, over_s):
    heard = sound(looped(tmp_path, decay=0, sustain=sustain, release=0), (0, held_s, 69, 100))  # 96 dB a second, both
    last = int(heard.abs().amax(0).nonzero()[-1])
    assert last / SAMPLE_RATE == pytest.approx(over_s, abs=0.005)


@pytest.mark.parametrize("scale", [KEY_TO_VOL_HOLD, KEY_TO_VOL_DECAY])
def test_low_keys_hold_and_decay_longer(tmp_path, scale):
    gens = {MODE: 1, DECAY: 0, SUSTAIN: 960, HOLD: -1200, scale: 100}  # half a second, and 96 dB in the next one
    font = soundfont(tmp_path / "f.sf2", [SINE_441], [{"gens": gens}])

    def fallen(pitch: int) -> float:
        heard = sound(font, (0, 3, pitch, 100), seconds=3.0)
        return level_db(heard[:, 4410:8820]) - level_db(heard[:, 43000:45000])

    at_60 = 96 * 0.5
    assert fallen(60) == pytest.approx(at_60, abs=2)
    assert fallen(48) == pytest.approx(0 if scale == KEY_TO_VOL_HOLD else at_60 / 2, abs=2)
    assert fallen(54) < at_60 - 10


@pytest.mark.parametrize(("scale", "low_key"), [(KEY_TO_MOD_HOLD, 12.0), (KEY_TO_MOD_DECAY, 9.0)])
def test_the_modulation_envelope_goes_with_the_key(tmp_path, scale, low_key):
    gens = {MODE: 1, HOLD_MOD_ENV: -1200, DECAY_MOD_ENV: 0, SUSTAIN_MOD_ENV: 1000, MOD_ENV_TO_PITCH: 1200, scale: 100}
    font = soundfont(tmp_path / "f.sf2", [SINE_441], [{"gens": gens}])
    # After a second an octave has fallen by half; at key 48, twice as slow, by nothing or by a quarter.
    together = sound(font, (0, 1.5, 60, 100), (2, 1.5, 48, 100), seconds=4.0)
    for at, pitch, semitones in ((0, 60, 6.0), (2, 48, low_key)):
        middle = (at + 1) * SAMPLE_RATE
        crossings = int(torch.signbit(together[0, middle - 4000 : middle + 4000]).diff().sum())
        heard = 12 * np.log2(crossings / 2 / (8000 / SAMPLE_RATE) / BASE_HZ)
        assert heard - (pitch - 69) == pytest.approx(semitones, abs=0.5)
    gens |= {MOD_ENV_TO_PITCH: 0, MOD_ENV_TO_FILTER: 7200, FILTER_FC: 6000}
    bright = (loop(100, 4) // 2 + loop(10, 40) // 2, 100, 300, 69)
    font = soundfont(tmp_path / "g.sf2", [bright], [{"gens": gens}])
    low, high = (sound(font, (0, 3, pitch, 127), seconds=3.0)[:, 57000:60000] for pitch in (48, 60))
    assert centroid_hz(low) > 0.7 * centroid_hz(high), "an octave lower, but the filter is still open"


def test_key_and_velocity_ranges_choose_the_sample(tmp_path):
    zones = [
        {"sample": 0, "velocities": (0, 63), "gens": {MODE: 1}},
        {"sample": 1, "velocities": (64, 127), "keys": (0, 80), "gens": {MODE: 1}},
    ]
    font = soundfont(tmp_path / "f.sf2", [SINE_441, (loop(50, 8), 100, 300, 69)], zones)
    assert centroid_hz(sound(font, (0, 1, 69, 50))) == pytest.approx(441, rel=0.02)
    assert centroid_hz(sound(font, (0, 1, 69, 100))) == pytest.approx(882, rel=0.02)
    assert float(sound(font, (0, 1, 90, 100)).abs().max()) == 0.0


def test_stereo_zones_go_to_their_sides(tmp_path):
    zones = [{"sample": 0, "gens": {MODE: 1, PAN: -500}}, {"sample": 1, "gens": {MODE: 1, PAN: 500}}]
    font = soundfont(tmp_path / "f.sf2", [SINE_441, (loop(50, 8), 100, 300, 69)], zones)
    heard = sound(font, (0, 1, 69, 100))
    assert centroid_hz(heard[:1]) == pytest.approx(441, rel=0.02)
    assert centroid_hz(heard[1:]) == pytest.approx(882, rel=0.02)


def test_attenuation_and_the_global_zone(tmp_path):
    plain = sound(looped(tmp_path), (0, 1, 69, 100))
    font = soundfont(tmp_path / "g.sf2", [SINE_441], [{}], shared={MODE: 1, ATTENUATION: 100})
    quieter = sound(font, (0, 1, 69, 100))
    assert level_db(plain) - level_db(quieter) == pytest.approx(4.0, abs=0.1)  # 10 dB written, 4 dB by custom


def test_the_filter_takes_the_top_off(tmp_path):
    bright = (loop(100, 4) // 2 + loop(10, 40) // 2, 100, 300, 69)
    opened = soundfont(tmp_path / "a.sf2", [bright], [{"gens": {MODE: 1}}])
    closed = soundfont(tmp_path / "b.sf2", [bright], [{"gens": {MODE: 1, FILTER_FC: 8500}}])  # 1.1 kHz
    assert centroid_hz(sound(closed, (0, 1, 69, 127))) < 0.3 * centroid_hz(sound(opened, (0, 1, 69, 127)))


def test_soft_notes_are_duller(tmp_path):
    font = soundfont(
        tmp_path / "a.sf2",
        [(loop(100, 4) // 2 + loop(10, 40) // 2, 100, 300, 69)],
        [{"gens": {MODE: 1, FILTER_FC: 11000}}],
    )
    assert centroid_hz(sound(font, (0, 1, 69, 30))) < 0.9 * centroid_hz(sound(font, (0, 1, 69, 127)))


def test_a_kit_rings_out_but_a_closed_hat_chokes_the_open_one(tmp_path):
    zones = [{"keys": (46, 46), "gens": {CLASS: 1}}, {"keys": (42, 42), "gens": {CLASS: 1}}]
    font = soundfont(tmp_path / "k.sf2", [(tone(5000, 1.0), 0, 100, 46)], zones, bank=128)
    alone = sound(font, (0, 0.05, 46, 100), bank=128, kit=True)
    assert level_db(alone[:, 30000:40000]) > -40
    choked = sound(font, (0, 0.05, 46, 100), (0.2, 0.05, 42, 1), bank=128, kit=True)
    assert level_db(choked[:, 20000:40000]) < -60


def test_a_score_plays_the_font_and_falls_back_where_it_has_no_preset(tmp_path):
    font = looped(tmp_path)  # program 0 only
    piece = score({"chords": "grand_piano", "melody": "flute"}, bars=2)
    stems = render(piece, font, seed=1, device=CPU)
    alone = render(piece, None, seed=1, device=CPU)
    assert not torch.equal(stems["chords"], alone["chords"])
    assert torch.equal(stems["melody"], alone["melody"])
    assert level_db(stems["chords"]) > -60


@pytest.mark.parametrize("spoil", [lambda b: b"", lambda b: b"hello", lambda b: b[:200], lambda b: b[: len(b) // 2],
                                   lambda b: b.replace(b"igen", b"xxxx"), lambda b: b[:-30]])  # fmt: skip
def test_damaged_files_are_refused_with_a_sentence(tmp_path, spoil):
    font = looped(tmp_path)
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(spoil(font.read_bytes()))
    with pytest.raises(SoundError, match=r"\w+.*\.$"):
        open_soundfont(broken).zones(0, 0)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SoundError):
        open_soundfont(tmp_path / "none.sf2")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mangled_bytes_never_do_worse_than_a_sound_error(tmp_path, data):
    whole = bytearray(looped(tmp_path, release=-3600).read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(len(whole) // 2, len(whole)))
    broken = tmp_path / "mangled.sf2"
    broken.write_bytes(bytes(whole[:cut]))
    try:
        heard = sound(broken, (0, 0.02, 69, 100), (0.01, 0.01, 40, 20), seconds=0.05)
    except SoundError:
        return
    assert bool(torch.isfinite(heard).all())


def damaged(path, name, size):
    """Say that a chunk of a font is `size` bytes long."""
    data = bytearray(path.read_bytes())
    at = data.index(name) + 4
    data[at : at + 4] = struct.pack("<I", size)
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("name", [b"LIST", b"smpl", b"igen", b"shdr"])
@pytest.mark.parametrize("size", [2**31, 2**32 - 1])
def test_sizes_beyond_the_file_are_refused(tmp_path, name, size):
    with pytest.raises(SoundError, match="cut short"):
        open_soundfont(damaged(looped(tmp_path), name, size))


def huge(path, name, size):
    """A font whose chunk `name` really is that large: a file with a hole in it."""
    with path.open("wb") as file:
        list_size = 4 + 8 + size
        file.write(b"RIFF" + struct.pack("<I", 12 + list_size) + b"sfbk" + b"LIST" + struct.pack("<I", list_size))
        file.write(b"pdta" + name + struct.pack("<I", size))
        file.truncate(file.tell() + size)
    return path


def test_a_huge_table_is_refused_before_it_is_read(tmp_path):
    font = huge(tmp_path / "huge.sf2", b"igen", 2**31)
    tracemalloc.start()
    with pytest.raises(SoundError, match="larger than any real one"):
        open_soundfont(font)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**20


def test_a_list_of_endless_pieces_is_refused(tmp_path):
    font = huge(tmp_path / "many.sf2", b"none", 0)
    with font.open("r+b") as file:
        file.seek(16)
        file.write(struct.pack("<I", 2**24))
        file.truncate(2**24 + 100)
    with pytest.raises(SoundError, match="too many pieces"):
        open_soundfont(font)


def test_a_sample_of_hours_is_refused(tmp_path):
    font = looped(tmp_path)
    data = font.read_bytes()
    at = data.index(b"smpl")
    hole = MAX_SAMPLES * 2 + 4096
    grown = tmp_path / "hours.sf2"
    with grown.open("wb") as file:  # the pool grows by a hole, the sample to all of it
        file.write(data[: at - 8] + struct.pack("<I", 4 + 8 + hole) + data[at - 4 : at + 4] + struct.pack("<I", hole))
        file.seek(at + 8 + hole)
        tables = bytearray(data[data.index(b"pdta") - 8 :])
        header = tables.index(b"shdr") + 8 + 20
        tables[header + 4 : header + 8] = struct.pack("<I", hole // 2)
        file.write(bytes(tables))
    with grown.open("r+b") as file:
        file.seek(4)
        file.write(struct.pack("<I", grown.stat().st_size - 8))
    with pytest.raises(SoundError, match="longer than any instrument"):
        sound(grown, (0, 1, 69, 100))


def test_a_sample_that_lies_beyond_the_pool_is_not_played(tmp_path):
    font = looped(tmp_path)
    data = bytearray(font.read_bytes())
    header = data.index(b"shdr") + 8 + 20
    data[header : header + 8] = struct.pack("<II", 2**31, 2**32 - 1)
    font.write_bytes(bytes(data))
    assert open_soundfont(font).zones(0, 0) == ()
    assert level_db(render(score({"chords": "grand_piano"}, bars=1), font, seed=1, device=CPU)["chords"]) > -60


def test_a_note_far_above_its_sample_reads_a_bounded_stretch(tmp_path, monkeypatch):
    monkeypatch.setattr(waves, "_MOST_READ", 10_000)
    font = soundfont(tmp_path / "f.sf2", [(loop(), 100, 300, 69)], [{"gens": {MODE: 1}}])
    heard = sound(font, (0, 2, 93, 100))  # two octaves up
    first_silent = 10_000 // 4
    assert level_db(heard[:, : first_silent - 100]) > -40
    assert level_db(heard[:, first_silent + 500 :]) < -90


def test_the_nearest_preset_of_the_family_plays_and_is_told(tmp_path):
    font = soundfont(tmp_path / "f.sf2", [SINE_441], [{"gens": {MODE: 1}}], program=74)  # a recorder, for the flute
    piece = score({"melody": "flute", "chords": "grand_piano"}, bars=2)
    heard = render(piece, font, seed=1, device=CPU)
    assert centroid_hz(heard["melody"]) > 0
    assert not torch.equal(heard["melody"], render(piece, None, seed=1, device=CPU)["melody"])
    said = notices(piece, font)
    assert len(said) == 2
    assert "preset 74 in bank 0 plays “melody”" in said[0]
    assert "a synthesised voice plays “chords”" in said[1]
    assert notices(piece, None) == []


def test_a_storm_of_notes_is_held_to_the_voice_limit_and_told(tmp_path):
    piece = score({"chords": "grand_piano"}, bars=2)
    storm = (*(Note(0, 1920, 40 + number % 60, 60) for number in range(20_000)), Note(1920, 480, 60, 60))
    stormy = replace(piece, parts=(replace(piece.parts[0], notes=storm),))
    played = events(stormy, stormy.parts[0])
    assert len(played) == MOST_VOICES + 1
    assert played[-1].start > 0
    assert notices(stormy, looped(tmp_path)) == [
        f"“chords” plays {MOST_VOICES} notes at once at most; {20_000 - MOST_VOICES} were left out."
    ]


@pytest.mark.parametrize("font", [True, False])
def test_notes_of_no_length_and_notes_beyond_the_end_do_no_harm(tmp_path, font):
    piece = score({"chords": "grand_piano"}, bars=2)
    odd = (Note(0, 0, 60, 90), Note(480, 0, 62, 0), Note(-50, 100, 64, 90), Note(40_000, 480, 67, 90))
    oddly = replace(piece, parts=(replace(piece.parts[0], notes=odd),))
    heard = render(oddly, looped(tmp_path) if font else None, seed=1, device=CPU)["chords"]
    assert heard.shape[1] == round((piece.length_s + TAIL_S) * SAMPLE_RATE)
    assert bool(torch.isfinite(heard).all())
    assert level_db(heard[:, :4000]) > -70


@pytest.mark.parametrize("bpm", [float("nan"), float("inf"), 0.0, -120.0])
def test_a_tempo_that_is_none_is_named(bpm):
    with pytest.raises(SoundError, match="tempo"):
        render(score(bpm=bpm), None, seed=1, device=CPU)


def test_the_modulation_oscillator_swells_the_level_in_its_rhythm(tmp_path):
    tremolo = {13: 60, 22: -2400 - 35, 21: -12000}  # 6 dB either way, 2 Hz, at once
    font = soundfont(tmp_path / "t.sf2", [SINE_441], [{"gens": {MODE: 1} | tremolo}])
    plain, moved = sound(looped(tmp_path), (0, 2, 69, 100)), sound(font, (0, 2, 69, 100))
    for at_s, wanted_db in ((0.125, 6.0), (0.25, 0.0), (0.375, -6.0), (0.625, 6.0)):
        window = slice(int(at_s * SAMPLE_RATE) - 300, int(at_s * SAMPLE_RATE) + 300)
        assert level_db(moved[:, window]) - level_db(plain[:, window]) == pytest.approx(wanted_db, abs=0.5)


def test_the_vibrato_oscillator_bends_the_pitch_up_first(tmp_path):
    vibrato = {6: 300, 24: -4800 - 35, 23: -12000}  # three semitones, 0.5 Hz
    font = soundfont(tmp_path / "v.sf2", [SINE_441], [{"gens": {MODE: 1} | vibrato}])
    heard = sound(font, (0, 2, 69, 100))
    top, bottom = heard[:, 20050:24050], heard[:, 64150:68150]  # around 0.5 s and 1.5 s
    assert centroid_hz(top) / centroid_hz(bottom) == pytest.approx(2 ** (5.6 / 12), rel=0.03)


def test_the_modulation_envelope_bends_the_pitch_to_its_sustain(tmp_path):
    bent = {7: 1200, 29: 0, 26: 0}  # an octave, reached in a second
    font = soundfont(tmp_path / "e.sf2", [SINE_441], [{"gens": {MODE: 1} | bent}])
    heard = sound(font, (0, 2, 69, 100))
    assert abs(pitch_cents(heard[:, 50000:], 2 * BASE_HZ)) < 1
    assert centroid_hz(heard[:, :8000]) < 1.2 * BASE_HZ


def test_a_resonant_filter_lifts_its_own_frequency(tmp_path):
    cutoff = 6900 - 32  # cents above 8.176 Hz: 440 Hz at key 69 is 6900
    gens = {MODE: 1, FILTER_FC: cutoff}
    flat = soundfont(tmp_path / "a.sf2", [SINE_441], [{"gens": gens}])
    sharp = soundfont(tmp_path / "b.sf2", [SINE_441], [{"gens": gens | {9: 200}}])  # 20 dB, of which half is taken off
    lifted = level_db(sound(sharp, (0, 1, 69, 127))) - level_db(sound(flat, (0, 1, 69, 127)))
    assert lifted == pytest.approx(10.0, abs=1.5)


def buzz():
    """A looped square of 441 Hz as int16: something for a filter to take."""
    return (np.tile(np.repeat([12000, -12000], 50), 4).astype(np.int16), 100, 300, 69)


def test_the_modulation_envelope_closes_the_filter(tmp_path):
    gens = {MODE: 1, FILTER_FC: 7500, MOD_ENV_TO_FILTER: 4800, DECAY_MOD_ENV: 0, SUSTAIN_MOD_ENV: 1000}  # in a second
    font = soundfont(tmp_path / "f.sf2", [buzz()], [{"gens": gens}])
    heard = sound(font, (0, 2, 69, 127))
    brightness = [centroid_hz(heard[:, at : at + 4410]) for at in (2000, 16000, 30000, 60000)]
    assert brightness == sorted(brightness, reverse=True)
    assert brightness[0] > 1.3 * brightness[-1]


def test_the_modulation_oscillator_moves_the_filter(tmp_path):
    gens = {MODE: 1, FILTER_FC: 9000, MOD_LFO_TO_FILTER: 2400, FREQ_MOD_LFO: -2400}  # 2.04 Hz
    font = soundfont(tmp_path / "f.sf2", [buzz()], [{"gens": gens}])
    heard = sound(font, (0, 2, 69, 127))
    opened, closed, again = (centroid_hz(heard[:, at : at + 2205]) for at in (4410, 15214, 26019))
    assert opened > 1.2 * closed
    assert again == pytest.approx(opened, rel=0.05)
