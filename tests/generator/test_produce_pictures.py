"""The pictures of a piece."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import torch
from PIL import Image

from generator.brief import STYLES
from generator.errors import EncodeError
from generator.notation.beams import beams
from generator.notation.musicxml import write_musicxml
from generator.notation.page import Slice
from generator.produce.leadsheet import _lead, _svg
from generator.produce.pictures import cover, leadsheet, piano_roll, waveform
from generator.score import Meter, Note
from tests.generator.making_audio import brief, score

PIECE = score(bars=8)


def painted(path, style="lofi", piece=PIECE, **wishes):
    cover(piece, brief(style, **wishes), path)
    with Image.open(path) as image:
        assert image.size == (1024, 1024)
        return np.asarray(image.convert("RGB"), np.float32)


def difference(first, second):
    return float(np.abs(first - second).mean())


def small(image):
    return np.asarray(Image.fromarray(image.astype(np.uint8)).resize((64, 64), Image.Resampling.LANCZOS), np.float32)


def test_every_style_looks_different_even_small(tmp_path):
    pictures = {style: small(painted(tmp_path / f"{style}.png", style)) for style in STYLES}
    names = sorted(pictures)
    for at, one in enumerate(names):
        assert pictures[one].std() > 20, f"{one} is flat at 64 px"
        for other in names[at + 1 :]:
            assert difference(pictures[one], pictures[other]) > 12, f"{one} looks like {other}"


@pytest.mark.parametrize("style", ["lofi", "ambient", "jazz", "classical"])
def test_seed_mood_and_notes_change_the_picture_and_nothing_else_does(tmp_path, style):
    first = painted(tmp_path / "a.png", style)
    assert np.array_equal(first, painted(tmp_path / "b.png", style))
    assert difference(first, painted(tmp_path / "c.png", style, seed=8)) > 2
    assert difference(first, painted(tmp_path / "d.png", style, valence=0.9, arousal=0.9)) > 2
    tunes = replace(PIECE, parts=score(bars=8, key="F major").parts[::-1], chords=score(bars=8, key="F# major").chords)
    assert difference(first, painted(tmp_path / "e.png", style, tunes)) > 0.5


def test_a_piece_without_notes_still_has_a_cover(tmp_path):
    bare = replace(PIECE, parts=(), chords=(), sections=())
    for style in ("ambient", "classical", "synthwave", "funk"):
        assert painted(tmp_path / "x.png", style, bare).std() > 10


def test_the_piano_roll_shows_notes_in_their_colours(tmp_path):
    piano_roll(PIECE, tmp_path / "roll.png")
    piano_roll(replace(PIECE, parts=()), tmp_path / "empty.png")
    with Image.open(tmp_path / "roll.png") as roll:
        assert roll.width == 1600
        colours = {colour for count, colour in roll.convert("RGB").getcolors(1 << 20) if count > 200}
    assert len(colours) > 8


def test_an_unwritable_folder_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EncodeError, match="cannot be written"):
        cover(PIECE, brief(), tmp_path / "file" / "cover.png")


def ink(image):
    """Share of dark pixels."""
    return float((np.asarray(image.convert("L"), np.float32) < 100).mean())


def with_words(piece):
    part = piece.part("melody")
    words = ("Morn-", "ing", "light")
    notes = tuple(replace(note, lyric=words[at % 3]) for at, note in enumerate(part.notes))
    return replace(piece, parts=tuple(replace(one, notes=notes) if one is part else one for one in piece.parts))


def test_the_lead_sheet_shows_tune_chords_and_words(tmp_path):
    sheets = {
        "whole": with_words(PIECE), "wordless": PIECE, "chordless": replace(PIECE, chords=()),
        "bare": replace(PIECE, parts=(), chords=(), sections=()),
    }  # fmt: skip
    seen = {}
    for name, piece in sheets.items():
        leadsheet(piece, tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as sheet:
            assert sheet.width == 1600
            seen[name] = ink(sheet) * sheet.height
    assert seen["whole"] > seen["wordless"] > seen["chordless"] > seen["bare"]


def test_flats_of_chord_names_are_no_empty_boxes():
    svg = _svg(score(bars=4, key="Eb major"))
    assert "♭" in svg
    shown = re.sub(r"<[^>]*>", "", svg)
    assert not [letter for letter in shown if 0xE000 <= ord(letter) <= 0xF8FF], "no font of text has these"


def test_the_kind_of_a_chord_is_written_once():
    piece = score(bars=2)
    svg = _svg(replace(piece, chords=(replace(piece.chords[0], quality="add9"),)))
    assert svg.count("add9") == 1


def test_drawing_is_loaded_only_when_a_sheet_is_drawn():
    command = "import sys, generator.publish; print({'verovio', 'resvg_py'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_waveform_is_as_high_as_the_sound_is_loud_and_coloured_by_section(tmp_path):
    seconds = PIECE.length_s
    fading = torch.rand(2, int(8000 * seconds), generator=torch.Generator().manual_seed(1)) * 2 - 1
    waveform(fading * torch.linspace(1, 0.05, fading.shape[1]), 8000, PIECE, tmp_path / "w.png")
    with Image.open(tmp_path / "w.png") as picture:
        assert picture.size == (1600, 400)
        rows = np.asarray(picture.convert("RGB"), np.int32)[70:350]
    painted = np.abs(rows - np.asarray((250, 247, 240))).sum(2) > 120
    heights = painted.sum(0)
    assert heights[60:200].mean() > 3 * heights[1400:1550].mean() > 0
    middle = rows[140]
    assert tuple(middle[60]) != tuple(middle[1500]), "intro and verse have colours of their own"


def test_a_waveform_of_silence_is_a_line(tmp_path):
    for audio in (torch.zeros(2, 8000), torch.zeros(2, 0)):
        waveform(audio, 8000, PIECE, tmp_path / "w.png")
        with Image.open(tmp_path / "w.png") as picture:
            assert picture.size == (1600, 400)


def test_a_tune_played_short_is_written_without_rests_and_with_beams(tmp_path):
    short = tuple(Note(at, 150, 72, 80) for at in range(0, 1920, 240))
    piece = score({"melody": "flute"}, bars=2)
    lead = _lead([replace(piece.parts[0], notes=short)])
    assert [note.duration for note in lead[0].notes] == [240] * 7 + [150]
    write_musicxml(replace(piece, parts=lead), tmp_path / "lead.musicxml")
    notes = ET.parse(tmp_path / "lead.musicxml").getroot().findall("part/measure[@number='1']/note")
    assert [note.findtext("beam[@number='1']") for note in notes[:8]] == ["begin", "end"] * 4


def test_a_tune_that_rings_on_is_written_in_one_voice():
    ringing = tuple(Note(at, 528, 72 + at // 480, 80) for at in range(0, 1920, 480))
    piece = score({"melody": "flute"}, bars=2)
    lead = _lead([replace(piece.parts[0], notes=ringing)])
    assert [note.duration for note in lead[0].notes] == [480] * 3 + [528]
    held = (Note(0, 1920, 60, 80), Note(480, 480, 72, 80))
    assert _lead([replace(piece.parts[0], notes=held)])[0].notes == held


@pytest.mark.parametrize(
    ("meter", "lengths", "wanted"),
    [
        ("4/4", [6, 3, 3, 12], [("begin",), ("continue", "begin"), ("end", "end"), ()]),
        ("4/4", [9, 3, 12], [("begin",), ("end", "backward hook"), ()]),
        ("6/8", [6, 6, 6, 18], [("begin",), ("continue",), ("end",), ()]),
        ("4/4", [6, 12, 6], [(), (), ()]),
    ],
)
def test_notes_of_a_beat_hang_on_one_beam(meter, lengths, wanted):
    starts = [sum(lengths[:index]) for index in range(len(lengths))]
    pieces = [
        Slice(48 + at, 48 + at + length, {60: Note(0, 1, 60)}, frozenset())
        for at, length in zip(starts, lengths, strict=True)
    ]
    assert beams(pieces, 48, Meter.parse(meter)) == wanted
