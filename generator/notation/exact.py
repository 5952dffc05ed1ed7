"""A Score as JSON, to the last tick: what MIDI and MusicXML each keep one half of, grid and microtiming, is kept whole.

Notes are rows of onset, duration, pitch, velocity, micro and, where there are, syllable and slide.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from generator.arrange.style import ROLES
from generator.brief import Key
from generator.errors import NotationError
from generator.notation.tidy import MAX_CONTROLS, MAX_NOTES, check_bars, check_meter, check_tempo
from generator.render.instruments import INSTRUMENTS
from generator.score import (
    CHORD_TONES,
    CONTROLLERS,
    MOST_SLIDE,
    PPQ,
    Chord,
    Control,
    Meter,
    Note,
    Part,
    Score,
    Section,
    TempoChange,
)

VERSION = 1
MAX_BYTES = 20_000_000


def write_exact(score: Score, path: Path) -> None:
    data = asdict(replace(score, parts=())) | {"version": VERSION, "parts": [_part_row(part) for part in score.parts]}
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def _part_row(part: Part) -> dict[str, Any]:
    rows = [[n.onset, n.duration, n.pitch, n.velocity, n.micro, *_more(n)] for n in part.notes]
    row = {"name": part.name, "role": part.role, "instrument": part.instrument, "notes": rows}
    moves = [[control.tick, control.kind, control.value] for control in part.controls]
    return row | ({"controls": moves} if moves else {})


def _more(note: Note) -> list[str | int]:
    if note.slide:
        return [note.lyric, note.slide]
    return [note.lyric] if note.lyric else []


def read_exact(path: Path) -> Score:
    """Equal to what `write_exact` was given. Raises NotationError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise NotationError(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB; that is more than one piece.")
        score = _score(json.loads(path.read_text(encoding="utf-8")))
        check_meter(score.meter.beats, score.meter.beat_unit, path.name)
        check_bars(score.bars, path.name)
        for change in score.tempos:
            check_tempo(change.bpm, path.name)
        _check(score)
    except OSError as error:
        raise NotationError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise NotationError(f"{path.name} is not a score that Tunesmith wrote: {error}.") from error
    return score


def _score(data: dict[str, Any]) -> Score:
    if data.pop("version") != VERSION:
        raise ValueError("it is of another version")
    return Score(
        **{name: data[name] for name in ("title", "bars")}, key=Key(**data["key"]), meter=Meter(**data["meter"]),
        tempos=tuple(TempoChange(**change) for change in data["tempos"]),
        chords=tuple(Chord(**chord) for chord in data["chords"]),
        sections=tuple(Section(**section) for section in data["sections"]),
        parts=tuple(_part(row) for row in data["parts"]),
    )  # fmt: skip


def _part(row: dict[str, Any]) -> Part:
    notes = tuple(Note(*note) for note in row["notes"])
    return Part(row["name"], row["role"], row["instrument"], notes, tuple(Control(*c) for c in row.get("controls", [])))


def _check(score: Score) -> None:
    """Raises ValueError for what no score of ours holds."""
    bars, ticks = range(score.bars + 1), range(score.end_tick + 1)
    if score.bars < 1 or not score.tempos or score.tempos[0].tick != 0 or not isinstance(score.title, str):
        raise ValueError("its title, bars or tempos are damaged")
    if score.key.tonic not in range(12) or score.key.mode not in {"major", "minor"}:
        raise ValueError("its key is damaged")
    if any(change.tick not in ticks for change in score.tempos):
        raise ValueError("a tempo change is out of place")
    if any(s.start_bar not in bars or s.bars not in bars or not 0.0 <= s.energy <= 1.0 for s in score.sections):
        raise ValueError("a section is damaged")
    if not all(_is_chord(chord, ticks) for chord in score.chords):
        raise ValueError("a chord is damaged")
    for part in score.parts:
        _check_part(part, ticks)
    if sum(len(part.notes) for part in score.parts) > MAX_NOTES:
        raise ValueError(f"it has more than {MAX_NOTES} notes")
    if sum(len(part.controls) for part in score.parts) > MAX_CONTROLS:
        raise ValueError(f"it moves controllers more than {MAX_CONTROLS} times")


def _check_part(part: Part, ticks: range) -> None:
    if part.instrument not in INSTRUMENTS or part.role not in ROLES or part.name != Path(part.name).name:
        raise ValueError(f"the part “{part.name}” is damaged")
    if not all(_is_note(note, ticks) for note in part.notes):
        raise ValueError(f"a note of {part.name} is damaged")
    if not all(_is_control(control, ticks) for control in part.controls):
        raise ValueError(f"a controller of {part.name} is damaged")


def _is_chord(chord: Chord, ticks: range) -> bool:
    known = chord.quality in CHORD_TONES and chord.root in range(12) and chord.bass in {None, *range(12)}
    return known and chord.onset in ticks and chord.end in ticks and chord.duration >= 1


def _is_note(note: Note, ticks: range) -> bool:
    in_time = note.onset in ticks and note.duration in range(1, len(ticks) + 1) and abs(note.micro) <= PPQ
    sound = note.pitch in range(128) and note.velocity in range(1, 128) and abs(note.slide) <= MOST_SLIDE
    return in_time and sound and isinstance(note.lyric, str) and isinstance(note.slide, int)


def _is_control(control: Control, ticks: range) -> bool:
    low, high = CONTROLLERS[control.kind]
    return control.tick in ticks and control.value in range(low, high + 1)
