"""From ticks to pieces: metres, bar lines, the grid, keys, roles, words, features and twins."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.brief import STYLES, Key
from generator.corpus import features
from generator.corpus.assemble import About, assemble
from generator.corpus.barlines import find_shift
from generator.corpus.codec import decode, encode
from generator.corpus.drums import hits_by_bar
from generator.corpus.grid import PLACES, TICKS, by_bar, skyline, snap, snap_notes
from generator.corpus.keys import find_key
from generator.corpus.licences import is_allowed, spdx
from generator.corpus.lyrics import mark_lines, mark_verse
from generator.corpus.meters import fill_measures, restate, stretches
from generator.corpus.music import LeftOut, MeterChange, Music, RawNote, Track, Unusable, Word
from generator.corpus.piece import GRID, Bar, GridChord, GridNote, Hit, Piece
from generator.corpus.roles import kind_of, with_roles
from generator.corpus.styles import styles_of
from generator.corpus.twins import find_twins, fingerprint, split_of
from generator.model import tokens
from generator.score import PPQ, Meter
from tests.generator.scores import pieces

ABOUT = About("test", "song", "a.mid", "CC0-1.0", "0" * 64, "A")
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)
TUNE = (60, 64, 67, 65, 62, 71, 69, 60, 72, 67, 64, 62, 65, 69, 60, 59, 60, 62, 67, 60, 65, 64, 62, 60)
LENGTHS = (2, 1, 1, 3, 1, 2, 2, 4)


def line(*pitches: int, length: int = PPQ, start: int = 0) -> tuple[RawNote, ...]:
    return tuple(RawNote(start + i * length, length, pitch) for i, pitch in enumerate(pitches))


def track(*pitches: int, name: str = "", program: int | None = None, role: str = "") -> Track:
    return Track(name, line(*pitches), program, role=role)


def piece(bars: list[Bar], key: str = "C major", meter: str = "4/4", tempo_bpm: float | None = None) -> Piece:
    return Piece(
        "test", "song", "a.mid", "CC0-1.0", "0" * 64, "", Key.parse(key), Meter.parse(meter), tuple(bars),
        tempo_bpm=tempo_bpm,
    )  # fmt: skip


def tune(up: int = 0, pitches: tuple[int, ...] = TUNE, **fields: str) -> Piece:
    """A melody of eighths and longer notes, transposed."""
    found, time = [], 0
    for index, pitch in enumerate(pitches):
        length = 6 * LENGTHS[index % len(LENGTHS)]
        found.append(RawNote(time, length, pitch + up))
        time += length
    melodies = by_bar(found, 48, time // 48 + 1)
    return replace(piece([Bar(melody=notes) for notes in melodies]), **fields)


# ---- metres and bar lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "ours"),
    [((2, 2), "4/4"), ((4, 2), "4/4"), ((3, 2), "3/4"), ((6, 4), "3/4"), ((6, 16), "6/8"), ((12, 8), "12/8")],
)
def test_metres_are_restated(written, ours):
    meter, scale = restate(*written)
    assert str(meter) == ours
    measure = written[0] * 4 * PPQ // written[1] * scale
    assert measure % meter.bar_ticks == 0  # a whole number of our bars


def test_a_metre_we_have_none_for_is_not_restated():
    assert restate(11, 8) is None


def test_the_longest_stretches_of_one_metre_become_pieces():
    meters = (MeterChange(0, 3, 4), MeterChange(3 * 20 * PPQ, 11, 8), MeterChange(71 * PPQ, 2, 2))
    music = Music((track(*SCALE * 25, role="melody"),), meters, barred=True)
    found = list(assemble(music, ABOUT))
    assert [(p.path, str(p.meter), len(p.bars)) for p in found] == [("a.mid", "3/4", 20), ("a.mid#2", "4/4", 33)]
    assert [str(stretch.meter) for stretch in stretches(music)] == ["3/4", "4/4"]


def test_a_silent_stretch_does_not_cost_the_others():
    meters = (MeterChange(0, 4, 4), MeterChange(20 * 4 * PPQ, 3, 4))
    music = Music((Track("", line(*SCALE * 8, start=80 * PPQ + 60 * PPQ), role="melody"),), meters, barred=True)
    (found,) = assemble(music, ABOUT)
    assert (found.path, str(found.meter)) == ("a.mid#2", "3/4")


def test_a_file_that_never_ends_is_unusable():
    music = Music(
        (track(60, role="melody"), Track("", (RawNote(10**9, PPQ, 60),), role="bass")), (MeterChange(0, 4, 4),)
    )
    with pytest.raises(Unusable, match="longer than"):
        list(assemble(music, ABOUT))


def test_long_note_values_are_restated_in_shorter_ones():
    music = Music((Track("", line(*SCALE, length=4 * PPQ), role="melody"),), (MeterChange(0, 4, 2),), barred=True)
    (found,) = assemble(replace(music, tempos=((0, 120.0),)), ABOUT)
    assert [n.dur for bar in found.bars for n in bar.melody] == [2 * GRID] * 8
    assert found.tempo_bpm == 60.0


def test_what_has_no_four_bars_is_left_out_and_what_has_no_notes_is_unusable():
    with pytest.raises(LeftOut, match="four bars"):
        list(assemble(Music((track(60, 62, role="melody"),), (MeterChange(0, 4, 4),)), ABOUT))
    with pytest.raises(Unusable, match="no notes"):
        list(assemble(Music((), (MeterChange(0, 4, 4),)), ABOUT))
    with pytest.raises(Unusable, match="metre"):
        list(assemble(Music((track(*SCALE * 9, role="melody"),), (MeterChange(0, 11, 8),)), ABOUT))


def test_a_pickup_a_split_bar_and_a_short_bar_keep_the_bar_lines_regular():
    full = 4 * PPQ
    starts, pickup = fill_measures([PPQ, full, 3 * PPQ, PPQ, 2 * PPQ, full], [full] * 6)
    assert starts == [3 * PPQ, full, 2 * full, 2 * full + 3 * PPQ, 3 * full, 4 * full]
    assert pickup == 3 * PPQ


def test_a_pickup_is_found_where_long_notes_and_new_harmony_fall():
    chords = ((60, 64, 67), (65, 69, 72), (67, 71, 74), (60, 64, 67))
    bars = [RawNote(PPQ + i * 3 * PPQ, 3 * PPQ, pitch - 12) for i in range(16) for pitch in chords[i % 4]]
    moving = [RawNote(i * PPQ, PPQ, chords[max(0, i - 1) // 3 % 4][i % 3] + 12) for i in range(49)]
    assert find_shift(sorted([*bars, *moving]), 3 * PPQ) == 2 * PPQ
    assert find_shift(sorted(note._replace(onset=note.onset + 2 * PPQ) for note in bars), 3 * PPQ) == 0
    assert find_shift((), 3 * PPQ) == 0


# ---- the grid ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 40_000), st.sampled_from(tokens.METERS).map(Meter.parse))
def test_every_tick_snaps_to_a_place_the_model_can_say(tick, meter):
    steps = meter.bar_ticks // TICKS
    step = snap(tick, steps)
    assert step % steps % GRID in PLACES
    assert step % steps in tokens.POSITIONS
    assert abs(step * TICKS - tick) <= 1.5 * TICKS


def test_of_a_run_too_fast_for_the_grid_the_nearest_notes_stay():
    notes = [RawNote(i * 60, 60, 60 + i) for i in range(8)]  # thirty-seconds
    assert [(n.onset, n.pitch) for n in snap_notes(notes, 48)] == [(0, 60), (3, 62), (6, 64), (9, 66)]


def test_a_strummed_chord_stays_one_chord():
    notes = [RawNote(20, 400, 60), RawNote(38, 400, 64), RawNote(50, 400, 67), RawNote(500, 300, 72)]
    assert [(n.onset, n.pitch) for n in snap_notes(notes, 48)] == [(0, 60), (0, 64), (0, 67), (12, 72)]


def test_the_skyline_leaves_inner_voices_below():
    notes = [RawNote(0, 24, 72), RawNote(0, 12, 60), RawNote(12, 12, 55), RawNote(24, 12, 71), RawNote(24, 12, 59)]
    assert [(n.onset, n.duration, n.pitch) for n in skyline(notes)] == [(0, 24, 72), (24, 12, 71)]


def test_drums_keep_how_far_the_player_was_off_the_grid():
    notes = [RawNote(10, 50, 36, 90), RawNote(470, 50, 38, 100), RawNote(474, 9, 38, 20), RawNote(1910, 9, 22, 60)]
    first, second = hits_by_bar(notes, 48, 2)
    assert first == (Hit(0, "kick", 90, 10), Hit(12, "snare", 100, -10))
    assert second == (Hit(0, "hat", 60, -10),)


@given(pieces())
def test_a_piece_survives_its_shard(found):
    assert decode(encode(found)) == found


# ---- keys, roles, words, labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tonic", range(12))
def test_the_key_of_a_scale_with_its_cadence(tonic):
    notes = line(*(pitch + tonic for pitch in (*SCALE, 67, 60)))
    assert find_key(notes) == Key(tonic, "major")
    minor = line(*(pitch + tonic for pitch in (60, 62, 63, 65, 67, 68, 71, 72, 67, 60)))
    assert find_key(minor) == Key(tonic, "minor")


def test_a_signature_and_a_mode_bind_the_key():
    assert find_key(line(69, 60, 64, 69), fifths=0) == Key(9, "minor")
    assert find_key(line(69, 60, 64, 69), fifths=0, mode="major") == Key(0, "major")


def roles(kind: str, *tracks: Track) -> list[str]:
    return [found.role for found in with_roles(Music(tracks, ()), kind).tracks]


def test_roles_in_a_choir_a_song_a_quartet_a_piano_piece_and_a_band():
    high, mid, low = (track(*(p + up for p in SCALE)) for up in (12, 0, -12))
    assert roles("choral", low, high, mid) == ["voices", "melody", "voices"]
    sung = replace(mid, words=(Word(0, "la"),))
    assert roles("lied", sung, high, low) == ["melody", "accompaniment", "accompaniment"]
    quartet = [replace(t, program=p) for t, p in ((mid, 40), (high, 40), (mid, 41), (low, 42))]
    assert roles("chamber", *quartet) == ["melody", "voices", "voices", "voices"]
    assert roles("piano", low, high) == ["accompaniment", "keyboard"]
    drums = replace(mid, drums=True)
    band = roles("band", replace(low, program=33), replace(high, program=30), replace(mid, program=120), drums)
    assert band == ["bass", "melody", "drums"]


@pytest.mark.parametrize(
    ("instruments", "kind"),
    [
        ("1 alto 1 bass 1 soprn 1 tenor", "choral"), ("1 piano 1 vox", "lied"), ("Voice (SATB) and Piano", "choral"),
        ("2 piano", "piano"), ("Classical Guitar", "piano"), ("Flute and Harpsichord", "chamber"), ("1 bass", "choral"),
        ("1 cello 1 viola 2 violn", "chamber"), ("Orchestra: Flute, Tenor Trombone", "chamber"),
    ],
)  # fmt: skip
def test_the_kind_follows_the_instruments(instruments, kind):
    assert kind_of(Music((track(*SCALE),), ()), instruments) == kind


def sung(text: str) -> list[Word]:
    return [Word(i * PPQ, word.strip("-"), word.startswith("-")) for i, word in enumerate(text.split())]


def lines(words: tuple[Word, ...]) -> str:
    return " ".join(word.text + (" /" if word.line_end else "") for word in words)


def test_verse_lines_end_at_punctuation_long_waits_and_new_lines():
    text = "O, how the gen -tle riv -er goes, down to the sea; I fol -low"
    assert lines(mark_lines(sung(text))) == "O, how the gen tle riv er goes, / down to the sea; / I fol low /"
    waiting = [
        word._replace(onset=word.onset + (8 * PPQ if i > 4 else 0)) for i, word in enumerate(sung("a b c d e f g"))
    ]
    assert lines(mark_lines(waiting)) == "a b c d e / f g /"


def test_verse_lines_of_known_length_are_taken_as_given():
    words = sung("Lord of all hope -ful -ness Lord of all joy")
    assert lines(mark_verse(words, [6, 4])) == "Lord of all hope ful ness / Lord of all joy /"
    assert lines(mark_verse(words, [9, 9])) == lines(mark_lines(words))


def test_labels_become_our_styles_and_licences_our_names():
    assert styles_of(["Big Band", "Pop"]) == ("jazz", "pop")
    assert styles_of(["funk/groove1"]) == ("funk",)
    assert styles_of(["afrocuban/calypso"]) == ()
    assert all(
        style in STYLES
        for label in ("hymn", "Baroque", "hiphop", "rock", "latin/samba")
        for style in styles_of([label])
    )
    assert is_allowed(spdx("Creative Commons Attribution 4.0"))
    assert not is_allowed(spdx("Creative Commons Attribution-ShareAlike 4.0"))


# ---- features and twins ------------------------------------------------------------------------------------------


def test_features_of_a_piece_with_known_figures():
    held = Bar(chords=(GridChord(0, 0, ""),), melody=(GridNote(0, 12, 60), GridNote(18, 18, 72)))
    outside = Bar(chords=(GridChord(0, 1, "7"),), melody=(GridNote(0, 48, 66),), accompaniment=(GridNote(0, 48, 48),))
    found = features.piece_features(piece([held, outside, Bar()], tempo_bpm=100.0))
    assert found.density == pytest.approx(3 / 8)  # the empty bar does not count
    assert found.range_semitones == 12
    assert found.syncopation == pytest.approx(1 / 3)
    assert found.complexity == pytest.approx(0.5)  # one chord of two is rich and outside
    assert found.polyphony == pytest.approx((12 + 18 + 48 + 48) / 96)
    assert (found.mode, found.tempo_bpm) == ("major", 100.0)


def test_fast_major_music_is_happier_and_livelier_than_slow_minor_music():
    notes = Bar(melody=tuple(GridNote(p, 6, 72) for p in range(0, 48, 6)))
    happy = features.piece_features(piece([notes] * 4, tempo_bpm=150.0))
    sad = features.piece_features(piece([Bar(melody=(GridNote(0, 48, 55),))] * 4, "A minor", tempo_bpm=50.0))
    assert happy.valence > 0.4 > -0.4 > sad.valence
    assert happy.arousal > 0.4 > -0.4 > sad.arousal


def test_drums_alone_say_nothing_of_valence():
    bar = Bar(drums=tuple(Hit(p, "hat", 80) for p in range(0, 48, 4)))
    assert features.piece_features(piece([bar] * 4)).valence == pytest.approx(0.1, abs=0.1)


@given(pieces())
def test_features_stay_in_their_ranges(found):
    whole = features.piece_features(found)
    assert -1 <= whole.valence <= 1
    assert -1 <= whole.arousal <= 1
    assert 0 <= whole.complexity <= 1
    assert 0 <= whole.syncopation <= 1
    energies = features.energies(found)
    assert len(energies) == len(found.bars) == len(features.bar_features(found))
    assert all(0 <= energy <= 1 for energy in energies)


def test_the_busiest_bar_has_the_most_energy():
    quiet, busy = Bar(melody=(GridNote(0, 48, 60),)), Bar(melody=tuple(GridNote(p, 6, 72) for p in range(0, 48, 6)))
    energies = features.energies(piece([quiet, Bar(), busy, quiet]))
    assert energies[2] == 1.0
    assert energies[1] == 0.0
    assert energies[0] == energies[3]


@given(st.integers(-11, 11))
def test_a_transposed_melody_is_a_twin_in_the_same_split(up):
    one, other = fingerprint(tune()), fingerprint(tune(up))
    assert find_twins([one, fingerprint(tune(pitches=TUNE[::-1])), other]) == [0, 1, 0]
    assert split_of(one) == split_of(other)


def test_an_edition_with_a_few_other_notes_is_still_a_twin():
    changed = (*TUNE[:22], 66, 60)
    assert find_twins([fingerprint(tune()), fingerprint(tune(pitches=changed))]) == [0, 0]


def test_about_a_tenth_is_for_validation():
    prints = [fingerprint(tune(pitches=tuple((p * i * 7) % 24 + 60 for p in TUNE))) for i in range(1, 24)]
    splits = [split_of(found) for found in prints * 1]
    assert set(splits) <= {"train", "valid"}
    many = [
        split_of(fingerprint(tune(pitches=tuple(60 + (i * k * k + k) % 19 for k in range(1, 25))))) for i in range(400)
    ]
    assert 0.02 < many.count("valid") / len(many) < 0.25
