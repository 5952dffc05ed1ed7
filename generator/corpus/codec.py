"""A Piece as one line of JSON and back: notes as flat runs of integers, empty parts left out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from generator.brief import Key
from generator.corpus.piece import DRUMS, Bar, GridChord, GridNote, Hit, Piece, Syllable
from generator.score import CHORD_TONES, Meter

_QUALITIES = tuple(CHORD_TONES)
_QUALITY = {name: index for index, name in enumerate(_QUALITIES)}
_DRUM = {name: index for index, name in enumerate(DRUMS)}
_NOTE_PARTS = ("melody", "bass", "accompaniment", "voices")


def encode(piece: Piece) -> bytes:
    """One line, UTF-8, with its newline."""
    data = {
        "source": piece.source, "kind": piece.kind, "path": piece.path, "licence": piece.licence,
        "sha256": piece.sha256, "title": piece.title, "key": [piece.key.tonic, piece.key.mode],
        "meter": str(piece.meter), "composer": piece.composer, "year": piece.year, "genres": piece.genres,
        "styles": piece.styles, "tempo_bpm": piece.tempo_bpm, "phrase_offset": piece.phrase_offset,
        "chords_inferred": piece.chords_inferred, "bars": [_encode_bar(bar) for bar in piece.bars],
    }  # fmt: skip
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Piece:
    """Raises KeyError, ValueError or TypeError for what `encode` did not write."""
    data = json.loads(line)
    data["key"] = Key(*data["key"])
    data["meter"] = Meter.parse(data["meter"])
    data["bars"] = tuple(_decode_bar(bar) for bar in data["bars"])
    data["genres"], data["styles"] = tuple(data["genres"]), tuple(data["styles"])
    return Piece(**data)


def _encode_bar(bar: Bar) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if bar.chords:
        data["chords"] = [n for chord in bar.chords for n in (chord.pos, chord.root, _QUALITY[chord.quality])]
    for part in _NOTE_PARTS:
        if notes := getattr(bar, part):
            data[part] = [n for note in notes for n in (note.pos, note.dur, note.pitch)]
    if bar.drums:
        data["drums"] = [n for hit in bar.drums for n in (hit.pos, _DRUM[hit.drum], hit.velocity, hit.shift_ticks)]
    if bar.lyrics:
        data["lyrics"] = [[s.pos, s.text, int(s.inner) + 2 * int(s.line_end)] for s in bar.lyrics]
    if bar.section:
        data["section"] = bar.section
    return data


def _decode_bar(data: dict[str, Any]) -> Bar:
    fields: dict[str, Any] = {part: tuple(_notes(data[part])) for part in _NOTE_PARTS if part in data}
    if "chords" in data:
        run = data["chords"]
        fields["chords"] = tuple(GridChord(run[i], run[i + 1], _QUALITIES[run[i + 2]]) for i in range(0, len(run), 3))
    if "drums" in data:
        run = data["drums"]
        fields["drums"] = tuple(Hit(run[i], DRUMS[run[i + 1]], run[i + 2], run[i + 3]) for i in range(0, len(run), 4))
    if "lyrics" in data:
        fields["lyrics"] = tuple(
            Syllable(p, text, bool(flags & 1), bool(flags & 2)) for p, text, flags in data["lyrics"]
        )
    return Bar(section=data.get("section", ""), **fields)


def _notes(run: list[int]) -> Iterable[GridNote]:
    return (GridNote(run[i], run[i + 1], run[i + 2]) for i in range(0, len(run), 3))
