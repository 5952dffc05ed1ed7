"""Readers: what stands in a file arrives as music, and what is no file of the format says so in one reason."""

from __future__ import annotations

import zipfile
from pathlib import Path

import mido
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.corpus.chords import quality_of
from generator.corpus.formats.abc import parse_abc
from generator.corpus.formats.charts import Chart
from generator.corpus.formats.midi import read_midi
from generator.corpus.formats.musicxml import read_musicxml
from generator.corpus.formats.progressions import parse_symbol, read_progression
from generator.corpus.music import Unusable
from generator.score import CHORD_TONES, PPQ

SCORE = """<?xml version="1.0"?>
<score-partwise version="4.0">
 <part-list><score-part id="P1"><part-name>Voice</part-name></score-part></part-list>
 <part id="P1">
  <measure number="0">
   <attributes><divisions>2</divisions><key><fifths>-1</fifths></key>
    <time><beats>3</beats><beat-type>4</beat-type></time></attributes>
   <note><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration>
    <lyric number="1"><syllabic>begin</syllabic><text>Mor</text></lyric>
    <lyric number="2"><text>Eve</text></lyric></note>
  </measure>
  <measure number="1">
   <direction><sound tempo="96"/></direction>
   <harmony><root><root-step>B</root-step><root-alter>-1</root-alter></root><kind text="7">dominant</kind></harmony>
   <note><grace/><pitch><step>G</step><octave>5</octave></pitch></note>
   <note><pitch><step>F</step><octave>5</octave></pitch><duration>6</duration><tie type="start"/>
    <lyric number="1"><syllabic>end</syllabic><text>ning</text></lyric></note>
  </measure>
  <measure number="2">
   <note><pitch><step>F</step><octave>5</octave></pitch><duration>2</duration><tie type="stop"/></note>
   <note><rest/><duration>4</duration></note>
  </measure>
 </part>
</score-partwise>"""

TUNE = """X: 1
T: A tune
M: 4/4
L: 1/4
K: D
[V: S] [Q:1/4=90] A | d c/ B/ A2- | A (3F/G/A/ !fermata!F2 |]
w: 1.~Lord of all * * hope- ful-ness * *
w: 2.~Not this one at all
[V: B] D | D, ^E, _B,2 | [DF]4 |]
"""

CHART = """# title: A song
# artist: Somebody
# metre: 4/4
# tonic: Bb

0.0\tsilence
0.1\tA, intro, | Bb:maj | F:7/3 . . G:min | x2
9.1\tB, verse, | Eb:maj7(9) | N | &pause Bb:maj |
# metre: 3/4
12.0\tC, chorus, | Bb:maj |
13.0\tend
"""


def write_midi(path: Path, *tracks: list[mido.Message | mido.MetaMessage], ppq: int = 96) -> Path:
    midi = mido.MidiFile(ticks_per_beat=ppq)
    midi.tracks.extend(mido.MidiTrack(track) for track in tracks)
    midi.save(path)
    return path


def notes(*pitches: int, length: int = 96, channel: int = 0) -> list[mido.Message]:
    """One after the other."""
    return [
        mido.Message(kind, note=pitch, velocity=70, time=time, channel=channel)
        for pitch in pitches
        for kind, time in (("note_on", 0), ("note_off", length))
    ]


def test_a_midi_file_gives_its_tracks_metre_key_and_main_tempo(tmp_path):
    head = [
        mido.MetaMessage("time_signature", numerator=3, denominator=4),
        mido.MetaMessage("key_signature", key="Gm"),
        mido.MetaMessage("set_tempo", tempo=500_000),
        mido.MetaMessage("set_tempo", tempo=750_000, time=96),
    ]
    name = mido.MetaMessage("track_name", name="Lead")
    path = write_midi(
        tmp_path / "a.mid", head, [name, mido.Message("program_change", program=56), *notes(60, 62, 64, 65)],
        notes(36, channel=9),
    )  # fmt: skip
    music = read_midi(path)
    lead, drums = music.tracks
    assert (lead.name, lead.program, lead.drums, drums.drums) == ("Lead", 56, False, True)
    assert [(n.onset, n.duration, n.pitch, n.velocity) for n in lead.notes][:2] == [
        (0, PPQ, 60, 70),
        (PPQ, PPQ, 62, 70),
    ]
    assert music.meters == ((0, 3, 4),)
    assert music.keys == ((0, -2, "minor"),)
    assert music.tempo_bpm == pytest.approx(80)


def test_a_midi_file_without_a_metre_is_in_common_time(tmp_path):
    assert read_midi(write_midi(tmp_path / "a.mid", notes(60))).meters == ((0, 4, 4),)


@pytest.mark.parametrize("content", [b"", b"MThd", b"no music", b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60"])
def test_a_broken_midi_file_is_named_unusable(tmp_path, content):
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(Unusable):
        read_midi(tmp_path / "a.mid")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_no_bytes_after_a_midi_header_get_past_the_reader(tmp_path, data):
    path = tmp_path / "a.mid"
    path.write_bytes(b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60MTrk" + len(data).to_bytes(4, "big") + data)
    try:
        assert read_midi(path).tracks
    except Unusable as reason:
        assert str(reason)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_score_gives_notes_words_chords_and_its_pickup(tmp_path, zipped):
    path = tmp_path / ("a.mxl" if zipped else "a.musicxml")
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("META-INF/container.xml", "<container/>")
            archive.writestr("score.xml", SCORE)
    else:
        path.write_text(SCORE, encoding="utf-8")
    music = read_musicxml(path)
    (voice,) = music.tracks
    # The pickup stands at the end of a whole bar; the tied note is one note; the grace note is gone.
    assert [(n.onset, n.duration, n.pitch) for n in voice.notes] == [(2 * PPQ, PPQ, 72), (3 * PPQ, 4 * PPQ, 77)]
    assert music.pickup == 2 * PPQ
    assert voice.words == ((2 * PPQ, "Mor", False, False), (3 * PPQ, "ning", True, False))
    assert music.chords == ((3 * PPQ, 10, "7"),)
    assert (music.meters, music.keys, music.tempo_bpm) == (((0, 3, 4),), ((0, -1, ""),), 96.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<score-partwise>",
        "<score-timewise/>",
        "<score-partwise/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><score-partwise/>',
    ],
)
def test_a_broken_score_is_named_unusable(tmp_path, text):
    (tmp_path / "a.xml").write_text(text, encoding="utf-8")
    with pytest.raises(Unusable):
        read_musicxml(tmp_path / "a.xml")


def test_an_archive_that_is_none_is_named_unusable(tmp_path):
    (tmp_path / "a.mxl").write_bytes(b"PK not a zip")
    with pytest.raises(Unusable, match="not a readable score"):
        read_musicxml(tmp_path / "a.mxl")


def test_abc_gives_voices_accidentals_ties_tuplets_and_the_first_verse():
    music = parse_abc(TUNE)
    soprano, bass = music.tracks
    assert [(n.onset, n.duration, n.pitch) for n in soprano.notes] == [
        (1440, 480, 69), (1920, 480, 74), (2400, 240, 73), (2640, 240, 71), (2880, 1440, 69),
        (4320, 160, 66), (4480, 160, 67), (4640, 160, 69), (4800, 960, 66),
    ]  # fmt: skip
    assert [n.pitch for n in bass.notes] == [62, 50, 53, 58, 62, 66]
    assert [(word.text, word.inner) for word in soprano.words] == [
        ("Lord", False), ("of", False), ("all", False), ("hope", False), ("ful", True), ("ness", True),
    ]  # fmt: skip
    assert (music.tempo_bpm, music.pickup, music.keys) == (90.0, 3 * PPQ, ((0, 2, ""),))


@given(st.lists(st.tuples(st.integers(48, 84), st.sampled_from([1, 2, 3, 4, 6, 8])), min_size=1, max_size=30))
def test_abc_reads_back_any_melody(melody):
    names = ("C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B")

    def spell(pitch: int, eighths: int) -> str:
        name = names[pitch % 12]
        name = name if name.startswith("^") else f"={name}"
        octave = pitch // 12 - 5
        return name + ("'" * octave if octave >= 0 else "," * -octave) + str(eighths)

    body = " ".join(spell(*note) for note in melody)
    (voice,) = parse_abc(f"X:1\nM:4/4\nL:1/8\nK:C\n{body}\n").tracks
    assert [(n.pitch, n.duration) for n in voice.notes] == [(pitch, eighths * PPQ // 2) for pitch, eighths in melody]


@given(st.text(alphabet="XTMLKQVw:|[]()abcdefgABCz^_=,'/0123456789 -~*\n!\"{}<>", max_size=120))
def test_no_text_gets_past_the_abc_reader(text):
    try:
        assert parse_abc("X:1\nM:4/4\nL:1/4\nK:C\n" + text).tracks
    except Unusable as reason:
        assert str(reason)


def test_a_chart_gives_sections_repeats_and_the_bars_of_its_metre(tmp_path):
    (tmp_path / "1.txt").write_text(CHART, encoding="utf-8")
    chart = Chart(tmp_path / "1.txt")
    assert (chart.title, chart.artist, str(chart.key), str(chart.meter)) == ("A song", "Somebody", "Bb major", "4/4")
    assert [[(c.pos, c.root, c.quality) for c in bar.chords] for bar in chart.bars] == [
        [(0, 10, "")], [(0, 5, "7"), (36, 7, "m")], [(0, 10, "")], [(0, 5, "7"), (36, 7, "m")],
        [(0, 3, "maj7")], [(0, 3, "maj7")], [(0, 10, "")],
    ]  # fmt: skip
    assert [bar.section for bar in chart.bars] == ["intro", "", "", "", "verse", "", ""]


@pytest.mark.parametrize("text", ["", "no chart", "# metre: 4/4\n| C:maj |", "# tonic: C\n| C:maj |"])
def test_a_broken_chart_is_named_unusable(tmp_path, text):
    (tmp_path / "1.txt").write_text(text, encoding="utf-8")
    with pytest.raises(Unusable):
        Chart(tmp_path / "1.txt")


def test_progressions_are_played_until_they_have_four_bars():
    key, bars = read_progression("Dm7 G7", "minor")
    assert str(key) == "C minor"
    assert [(bar.chords[0].root, bar.chords[0].quality) for bar in bars] == [(2, "m7"), (7, "7")] * 2
    with pytest.raises(Unusable, match="Hx"):
        parse_symbol("Hx")


@given(st.text(max_size=8))
def test_every_chord_kind_maps_to_a_quality_we_can_play_or_to_none(kind):
    assert quality_of(kind) in {*CHORD_TONES, None}


@pytest.mark.parametrize(
    ("kind", "quality"),
    [("dominant", "7"), ("min7", "m7"), ("hdim7", "m7b5"), ("maj7(9)", "maj7"), ("M7", "maj7"), ("pedal", None)],
)
def test_foreign_chord_kinds(kind, quality):
    assert quality_of(kind) == quality
