"""MIDI and MusicXML: nothing is lost on the way to a file, and other programs can read it."""

from __future__ import annotations

from dataclasses import replace

import mido
import music21
import pytest
from hypothesis import given, settings

from generator.musicxml import write_musicxml
from generator.notation import DRUM_CHANNEL, MidiError, played, read_midi, write_midi
from generator.score import PPQ, Note, Part
from tests.generator.scores import scale, scores


@settings(deadline=None)
@given(score=scores())
def test_a_score_survives_midi(tmp_path_factory, score):
    path = tmp_path_factory.mktemp("midi") / "piece.mid"
    write_midi(score, path)
    assert read_midi(path) == played(score)


def test_midi_plays_what_is_performed(tmp_path):
    score = scale()
    late = tuple(replace(note, micro=30) for note in score.parts[0].notes)
    drums = Part("drums", "drums", "drum_kit", (Note(0, 120, 36, 100),))
    write_midi(replace(score, parts=(replace(score.parts[0], notes=late), drums)), tmp_path / "a.mid")
    midi = mido.MidiFile(tmp_path / "a.mid")
    onsets, tick = [], 0
    for message in midi.tracks[1]:
        tick += message.time
        if message.type == "note_on":
            onsets.append(tick)
    assert onsets == [index * PPQ + 30 for index in range(8)]
    assert {m.channel for m in midi.tracks[2] if m.type == "note_on"} == {DRUM_CHANNEL}
    assert midi.length == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize(
    "content", [b"", b"MThd", b"not a midi file at all", b"MThd\x00\x00\x00\x06\x00\x01\x00\x00\x01\xe0"]
)
def test_foreign_midi_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "foreign.mid"
    path.write_bytes(content)
    with pytest.raises(MidiError, match=r"foreign\.mid"):
        read_midi(path)


@settings(deadline=None, max_examples=25)
@given(score=scores())
def test_every_bar_of_musicxml_adds_up(tmp_path_factory, score):
    path = tmp_path_factory.mktemp("xml") / "piece.musicxml"
    write_musicxml(score, path)
    read = music21.converter.parse(path, format="musicxml", forceSource=True)
    assert len(read.parts) == len(score.parts)
    for part in read.parts:
        measures = list(part.getElementsByClass("Measure"))
        assert len(measures) == score.bars
        for measure in measures:
            assert float(measure.duration.quarterLength) == pytest.approx(score.meter.bar_ticks / PPQ)


def test_musicxml_says_notes_chords_key_tempo_and_sections(tmp_path):
    path = tmp_path / "scale.musicxml"
    write_musicxml(scale(), path)
    read = music21.converter.parse(path, format="musicxml", forceSource=True)
    notes = [note.pitch.midi for note in read.parts[0].recurse().notes if isinstance(note, music21.note.Note)]
    assert notes == [60, 62, 64, 65, 67, 69, 71, 72]
    symbols = list(read.recurse().getElementsByClass(music21.harmony.ChordSymbol))
    assert [[p.pitchClass for p in symbol.pitches] for symbol in symbols] == [[0, 4, 7, 11], [7, 11, 2, 5]]
    assert [mark.content for mark in read.recurse().getElementsByClass(music21.expressions.RehearsalMark)] == ["A"]
    tempo = next(iter(read.recurse().getElementsByClass(music21.tempo.MetronomeMark)))
    assert tempo.number == 120
