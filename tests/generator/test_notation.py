"""MIDI and MusicXML: nothing is lost on the way to a file and back, and other programs can read it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from xml.etree import ElementTree as ET

import mido
import music21
import pytest
import symusic
import verovio
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.brief import Key
from generator.edit import shape
from generator.errors import NotationError
from generator.notation.exact import write_exact
from generator.notation.files import READERS, read_score
from generator.notation.midi import DRUM_CHANNEL, played, write_midi
from generator.notation.midi_in import read_midi
from generator.notation.musicxml import write_musicxml
from generator.notation.musicxml_in import read_musicxml
from generator.notation.page import written
from generator.notation.symbols import octave_of, spelled
from generator.score import PPQ, Chord, Meter, Note, Part, Section, TempoChange
from tests.generator.scores import band, scale, scores


@settings(deadline=None)
@given(score=scores())
def test_a_score_survives_midi(tmp_path_factory, score):
    path = tmp_path_factory.mktemp("midi") / "piece.mid"
    write_midi(score, path)
    assert read_midi(path) == played(score)


@settings(deadline=None, max_examples=60)
@given(score=scores())
def test_a_score_survives_musicxml(tmp_path_factory, score):
    path = tmp_path_factory.mktemp("xml") / "piece.musicxml"
    write_musicxml(score, path)
    page = written(score)
    assert read_musicxml(path) == page
    assert written(page) == page, "what stands on the page stays as it is"


@settings(deadline=None, max_examples=50)
@given(score=scores())
def test_a_score_survives_json_to_the_last_tick(tmp_path_factory, score):
    path = tmp_path_factory.mktemp("exact") / "score.json"
    late = tuple(replace(part, notes=tuple(replace(n, micro=n.pitch - 60) for n in part.notes)) for part in score.parts)
    write_exact(replace(score, parts=late), path)
    assert read_score(path) == replace(score, parts=late)


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


# ---- other programs open what we write --------------------------------------------------------------------------


def test_symusic_finds_every_part_chord_section_and_syllable(tmp_path):
    score = band()
    write_midi(score, tmp_path / "band.mid")
    read = symusic.Score(str(tmp_path / "band.mid"))
    assert {track.name for track in read.tracks} == {part.name for part in score.parts}
    for part in score.parts:
        found = [track for track in read.tracks if track.name == part.name and track.note_num()]
        assert [(track.note_num(), track.is_drum) for track in found] == [(len(part.notes), part.role == "drums")]
    texts = [marker.text for marker in read.markers]
    assert [text for text in texts if text.startswith("chord")] == [
        "chord Cm7", "chord Abmaj7/C", "chord Fm9", "chord G7/B",
    ]  # fmt: skip
    assert [text for text in texts if not text.startswith("chord")] == [
        "intro (A, 1 bars, energy 0.3)", "A (A, 3 bars, energy 0.7)",
    ]  # fmt: skip
    assert [lyric.text for track in read.tracks for lyric in track.lyrics] == ["Ev-", "ery", "day"]
    assert [round(tempo.qpm, 1) for tempo in read.tempos] == [96.0, 80.0]
    assert (read.time_signatures[0].numerator, read.key_signatures[0].key) == (4, -3)


def test_music21_finds_every_part_chord_section_and_syllable(tmp_path):
    score = band()
    write_musicxml(score, tmp_path / "band.musicxml")
    read = music21.converter.parse(tmp_path / "band.musicxml", format="musicxml", forceSource=True)
    assert len(read.parts) == len(score.parts)
    symbols = list(read.recurse().getElementsByClass(music21.harmony.ChordSymbol))
    assert [symbol.root().pitchClass for symbol in symbols] == [chord.root for chord in score.chords]
    assert [symbol.bass().pitchClass for symbol in symbols] == [
        chord.root if chord.bass is None else chord.bass for chord in score.chords
    ]
    marks = [mark.content for mark in read.recurse().getElementsByClass(music21.expressions.RehearsalMark)]
    assert marks == [section.name for section in score.sections]
    sung = [(lyric.text, lyric.syllabic) for note in read.parts[0].recurse().notes for lyric in note.lyrics]
    assert sung == [("Ev", "begin"), ("ery", "end"), ("day", "single")]
    tempos = [mark.number for mark in read.recurse().getElementsByClass(music21.tempo.MetronomeMark)]
    assert tempos == [96, 80]


def test_verovio_engraves_every_part_chord_section_and_syllable(tmp_path):
    score = band()
    write_musicxml(score, tmp_path / "band.musicxml")
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    assert toolkit.loadFile(str(tmp_path / "band.musicxml"))
    mei = toolkit.getMEI()
    assert mei.count("<staffDef ") == len(score.parts)
    assert mei.count("<harm ") == len(score.chords)
    assert mei.count("<reh ") == len(score.sections)
    assert mei.count("<syl ") == 3
    assert "<svg" in toolkit.renderToSVG(1)


@pytest.mark.filterwarnings("ignore:.*does not map to a valid instrument")  # music21 has no name for some drums
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


@settings(deadline=None, max_examples=50)
@given(score=scores())
def test_whoever_reads_the_page_plays_the_right_notes(tmp_path_factory, score):
    """Key signature and accidentals on the page, as a musician reads them, say what the pitches are."""
    path = tmp_path_factory.mktemp("xml") / "piece.musicxml"
    write_musicxml(score, path)
    fifths, letters = score.key.fifths, "FCGDAEB"
    usual = {letter: (place < fifths) - (place >= 7 + fifths) for place, letter in enumerate(letters)}
    for measure in ET.parse(path).iter("measure"):
        in_force = {}
        for note in measure.iter("note"):
            if (pitch := note.find("pitch")) is None or note.find("tie[@type='stop']") is not None:
                continue
            place = letter, _ = pitch.findtext("step"), pitch.findtext("octave")
            if (shown := note.findtext("accidental")) is not None:
                in_force[place] = {"sharp": 1, "flat": -1, "natural": 0}[shown]
            assert in_force.get(place, usual[letter]) == int(pitch.findtext("alter", "0"))


def test_a_lead_sheet_shows_its_accidentals(tmp_path):
    tune = [Note(place * PPQ, PPQ, pitch) for place, pitch in enumerate((70, 71, 70, 70, 70, 66, 65, 60))]
    score = scale()
    score = replace(score, parts=(replace(score.parts[0], notes=tuple(tune)),))
    write_musicxml(score, tmp_path / "tune.musicxml")
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    assert toolkit.loadFile(str(tmp_path / "tune.musicxml"))
    shown = re.findall(r'<note [^>]*pname="(\w)"[^>]*?(?: accid="(\w)")?[^>]*?(?:/>|>\s*(?:<accid [^>]*accid="(\w)")?)',
                       toolkit.getMEI())  # fmt: skip
    assert [name + (sign or inner) for name, sign, inner in shown[:8]] == ["bf", "bn", "bf", "b", "bf", "fs", "fn", "c"]


def test_a_page_slows_down_in_one_word_and_loses_no_step(tmp_path):
    steps = (TempoChange(0, 90.4), *(TempoChange((4 + beat) * PPQ, 88.25 - 3 * beat) for beat in range(4)))
    write_musicxml(replace(scale(), tempos=steps), tmp_path / "slow.musicxml")
    page = (tmp_path / "slow.musicxml").read_text()
    assert re.findall(r"<per-minute>(.*)<|<words.*>(.*)<", page) == [("90", ""), ("", "rit.")]
    assert read_musicxml(tmp_path / "slow.musicxml").tempos == steps


# ---- we open what others write ----------------------------------------------------------------------------------


def test_a_type_0_file_of_any_resolution_becomes_parts(tmp_path):
    """Ninety-six ticks, running status, a pedal, three channels in one track."""
    track = [
        mido.MetaMessage("track_name", name="Evening"),
        mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(90)),
        mido.MetaMessage("time_signature", numerator=3, denominator=4),
        mido.MetaMessage("key_signature", key="Bm"),
        mido.MetaMessage("marker", text="Verse 1"),
        mido.Message("program_change", channel=0, program=74),
        mido.Message("program_change", channel=1, program=33),
        mido.Message("note_on", channel=0, note=74, velocity=90),
        mido.Message("note_on", channel=1, note=35, velocity=70),
        mido.Message("note_on", channel=9, note=36, velocity=100),
        mido.Message("control_change", channel=1, control=64, value=127),
        mido.Message("note_on", channel=9, note=36, velocity=0, time=24),
        mido.Message("note_off", channel=0, note=74, time=72),
        mido.Message("note_off", channel=1, note=35),
        mido.Message("control_change", channel=1, control=64, value=0, time=192),
    ]
    mido.MidiFile(type=0, ticks_per_beat=96, tracks=[mido.MidiTrack(track)]).save(tmp_path / "a.mid")
    score = read_score(tmp_path / "a.mid")
    assert (score.bars, score.meter, score.key, score.tempo_bpm) == (1, Meter(3, 4), Key(11, "minor"), 90.0)
    assert [(part.role, part.instrument) for part in score.parts] == [
        ("melody", "flute"), ("bass", "electric_bass"), ("drums", "drum_kit"),
    ]  # fmt: skip
    assert [part.notes for part in score.parts] == [
        (Note(0, PPQ, 74, 90),), (Note(0, 3 * PPQ, 35, 70),), (Note(0, PPQ // 4, 36, 100),),
    ]  # fmt: skip
    assert score.sections == (Section("Verse 1", 0, 1, 0.6, "Verse"),)


MUSESCORE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">
<movement-title>Two staves and a clarinet</movement-title>
<part-list>
 <score-part id="P1"><part-name>B♭ Clarinet</part-name><midi-instrument id="P1-I1"><midi-channel>1</midi-channel>
  <midi-program>72</midi-program></midi-instrument></score-part>
 <score-part id="P2"><part-name>Piano</part-name></score-part>
</part-list>
<part id="P1">
 <measure number="0" implicit="yes"><attributes><divisions>2</divisions><key><fifths>2</fifths></key>
  <time><beats>3</beats><beat-type>4</beat-type></time><transpose><diatonic>-1</diatonic><chromatic>-2</chromatic>
  </transpose></attributes>
  <note><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration></note></measure>
 <measure number="1"><barline location="left"><repeat direction="forward"/></barline>
  <harmony><root><root-step>D</root-step></root><kind text="7alt">dominant</kind></harmony>
  <direction><sound tempo="72" dynamics="100"/></direction>
  <note><pitch><step>E</step><octave>5</octave></pitch><duration>6</duration><tie type="start"/></note></measure>
 <measure number="2"><barline location="left"><ending number="1" type="start"/></barline>
  <note><pitch><step>E</step><octave>5</octave></pitch><duration>6</duration><tie type="stop"/></note>
  <barline location="right"><ending number="1" type="stop"/><repeat direction="backward"/></barline></measure>
 <measure number="3"><barline location="left"><ending number="2" type="start"/></barline>
  <note><grace/><pitch><step>G</step><octave>5</octave></pitch></note>
  <note><pitch><step>D</step><octave>5</octave></pitch><duration>4</duration></note>
  <barline location="right"><ending number="2" type="discontinue"/></barline></measure>
</part>
<part id="P2">
 <measure number="0" implicit="yes"><attributes><divisions>1</divisions><key><fifths>0</fifths></key>
  <time><beats>3</beats><beat-type>4</beat-type></time><staves>2</staves></attributes><note><rest/><duration>1</duration></note></measure>
 <measure number="1">
  <note><pitch><step>C</step><octave>4</octave></pitch><duration>3</duration><voice>1</voice><staff>1</staff></note>
  <note><chord/><pitch><step>E</step><octave>4</octave></pitch><duration>3</duration><voice>1</voice></note>
  <backup><duration>2</duration></backup>
  <note><pitch><step>G</step><octave>4</octave></pitch><duration>1</duration><voice>2</voice></note>
  <backup><duration>2</duration></backup>
  <note><pitch><step>C</step><octave>2</octave></pitch><duration>3</duration><voice>5</voice><staff>2</staff></note>
 </measure>
 <measure number="2"><note><rest measure="yes"/><duration>3</duration></note></measure>
 <measure number="3"><note><rest measure="yes"/><duration>2</duration></note></measure>
</part></score-partwise>
"""


def test_musescores_repeats_ties_voices_and_transposition_sound_as_meant(tmp_path):
    (tmp_path / "a.musicxml").write_text(MUSESCORE, encoding="utf-8")
    score = read_score(tmp_path / "a.musicxml")
    bar = 3 * PPQ
    clarinet, piano = score.parts
    assert (score.title, score.key, score.bars, score.tempo_bpm) == (
        "Two staves and a clarinet", Key(0, "major"), 5, 72.0,
    )  # fmt: skip
    assert [(note.onset, note.duration, note.pitch) for note in clarinet.notes] == [
        (2 * PPQ, PPQ, 72), (bar, 2 * bar, 74), (3 * bar, bar, 74), (4 * bar, 2 * PPQ, 72),
    ]  # fmt: skip
    assert clarinet.notes[1].velocity == 90
    assert clarinet.instrument == "clarinet"
    assert [(note.onset - bar, note.pitch) for note in piano.notes if note.onset < 2 * bar] == [
        (0, 36), (0, 60), (0, 64), (PPQ, 67),
    ]  # fmt: skip
    assert [(chord.onset, chord.root, chord.quality) for chord in score.chords] == [(bar, 0, "7"), (3 * bar, 0, "7")]


def test_a_metronome_mark_is_a_tempo_where_no_sound_is_given(tmp_path):
    mark = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>60</per-minute></metronome></direction-type>"
    )
    text = MUSESCORE.replace('<direction><sound tempo="72" dynamics="100"/>', mark)
    (tmp_path / "a.musicxml").write_text(text, encoding="utf-8")
    assert read_score(tmp_path / "a.musicxml").tempo_bpm == 90.0


def test_a_zipped_score_is_opened(tmp_path):
    write_musicxml(band(), tmp_path / "band.musicxml")
    with zipfile.ZipFile(tmp_path / "band.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.write(tmp_path / "band.musicxml", "score.xml")
    assert read_score(tmp_path / "band.mxl") == written(band())


# ---- what cannot be read is refused in a sentence ---------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"MThd", b"not a midi file at all", b"MThd\x00\x00\x00\x06\x00\x01\x00\x00\x01\xe0"]
)
def test_foreign_midi_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "foreign.mid"
    path.write_bytes(content)
    with pytest.raises(NotationError, match=r"foreign\.mid"):
        read_midi(path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("<beats>3</beats>", "<beats>99</beats>", "metre that cannot be played"),
        ('number="3"><barline', 'number="3"><attributes><time><beats>2</beats><beat-type>4</beat-type></time></attributes><barline', "keeps one metre"),  # noqa: E501
        ("<duration>6</duration><tie", "<duration>60</duration><tie", "longer than its metre"),
        ('<sound tempo="72"', '<sound dalsegno="yes" tempo="72"', "D.S."),
        ('<sound tempo="72"', '<sound tempo="7200"', "beats per minute"),
        ('text="7alt">dominant', 'text="what">strange', "“what” in bar 2"),
        ("score-partwise", "score-timewise", "partwise"),
        ("</part-list>", "", "broken XML"),
        ("<!DOCTYPE", '<!DOCTYPE a [<!ENTITY a "b">]><!--', "entities"),
    ],
)  # fmt: skip
def test_musicxml_that_cannot_be_played_is_refused_in_a_sentence(tmp_path, old, new, sentence):
    (tmp_path / "a.musicxml").write_text(MUSESCORE.replace(old, new), encoding="utf-8")
    with pytest.raises(NotationError, match=sentence):
        read_score(tmp_path / "a.musicxml")


def test_a_file_of_another_kind_or_none_is_refused(tmp_path):
    with pytest.raises(NotationError, match="not a music file I can read"):
        read_score(tmp_path / "a.wav")
    with pytest.raises(NotationError, match="no file"):
        read_score(tmp_path / "a.mid")


def test_a_bomb_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", b" " * 40_000_000)
    with pytest.raises(NotationError, match="larger than 20 MB"):
        read_score(tmp_path / "bomb.mxl")


@settings(deadline=None, max_examples=150)
@given(data=st.data(), suffix=st.sampled_from([".mid", ".musicxml", ".mxl", ".abc", ".json"]))
def test_a_mangled_file_gives_a_piece_or_a_sentence(tmp_path_factory, originals, data, suffix):
    """Bytes changed, cut out or doubled."""
    content = bytearray(originals[suffix])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        size = data.draw(st.integers(0, 40))
        match data.draw(st.sampled_from(["change", "cut", "double"])):
            case "change":
                content[at] = data.draw(st.integers(0, 255))
            case "cut":
                del content[at : at + size]
            case "double":
                content[at:at] = content[at : at + size]
        content = content or bytearray(b"x")
    path = tmp_path_factory.mktemp("mangled") / f"piece{suffix}"
    path.write_bytes(content)
    try:
        score = read_score(path)
    except NotationError as error:
        assert "\n" not in str(error).strip()
        assert str(error).endswith(".")
    else:
        assert score.bars >= 1
        assert score.tempos[0].tick == 0
        write_midi(score, path.with_suffix(".out.mid"))
        assert written(written(score)) == written(score)
        shape.transpose(score, 1)


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """A small piece as a file of each kind."""
    from generator.notation.abc import write_abc

    folder = tmp_path_factory.mktemp("originals")
    writers = {".mid": write_midi, ".musicxml": write_musicxml, ".abc": write_abc, ".json": write_exact}
    for suffix, write in writers.items():
        write(band(), folder / f"a{suffix}")
    with zipfile.ZipFile(folder / "a.mxl", "w") as archive:
        archive.write(folder / "a.musicxml", "score.xml")
    assert set(READERS) >= {*writers, ".mxl"}
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


def test_tempo_changes_keep_their_place(tmp_path):
    score = replace(scale(), tempos=(TempoChange(0, 120.0), TempoChange(4 * PPQ, 90.5)))
    write_midi(score, tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid").length_s == pytest.approx(score.length_s, abs=0.01)


@pytest.mark.parametrize(
    ("key", "root", "name"),
    [("C major", 10, "Bb"), ("C major", 6, "F#"), ("A minor", 8, "G#"), ("E major", 2, "D"), ("Eb major", 1, "Db"),
     ("F minor", 11, "B"), ("D major", 10, "Bb"), ("Gb major", 11, "B")],
)  # fmt: skip
def test_chords_are_named_as_the_key_would_have_it(key, root, name):
    assert Chord(0, 480, root, "m7").symbol(Key.parse(key)) == f"{name}m7"


def test_a_diminished_chord_that_leads_is_raised():
    assert Chord(0, 480, 1, "dim7").symbol(Key.parse("C major")) == "C#dim7"
    assert Chord(0, 480, 1, "maj7").symbol(Key.parse("C major")) == "Dbmaj7"


@pytest.mark.parametrize(
    ("key", "pitch", "name"),
    [("C major", 70, "Bb4"), ("C major", 66, "F#4"), ("A minor", 68, "G#4"), ("F# major", 65, "E#4"),
     ("Db major", 66, "Gb4"), ("D minor", 61, "C#4"), ("E major", 63, "D#4"), ("B minor", 70, "A#4")],
)  # fmt: skip
def test_notes_are_named_as_the_key_would_have_it(key, pitch, name):
    called = spelled(pitch, Key.parse(key))
    assert f"{called}{octave_of(pitch, called)}" == name
