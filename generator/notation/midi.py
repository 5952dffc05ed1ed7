"""A Score as a Standard MIDI File. It is what is heard: microtiming is in the note times.

Sections and chord symbols are markers, syllables are lyric events, slides are pitch bends, so that nothing of the score
but the split of a note's time into grid and microtiming is lost. `midi_in` reads it, and other programs' files, back.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np

from generator.brief import Key
from generator.notation.cast import gm_program
from generator.notation.symbols import chord_marks, describe_section
from generator.notation.tidy import plain_controls
from generator.render.bend import slide_left
from generator.score import PPQ, SLIDE_TICKS, Control, Note, Part, Score

DRUM_CHANNEL = 9
CONTROL_NUMBERS = {1: "modulation", 7: "volume", 10: "pan", 11: "expression"}
BEND_RANGE = 24
"""Semitones to either side that a whole pitch bend means in our files."""
WHOLE_BEND = 8192
_SLIDE_STEPS = 12
_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)


def played(score: Score) -> Score:
    """The score with microtiming moved into the onsets and slides into the bend, as a MIDI file keeps it."""
    parts = []
    for part in score.parts:
        moved = [replace(note, onset=max(0, note.onset + note.micro), micro=0, slide=0) for note in part.notes]
        ordered = {
            (note.onset, note.pitch): note for note in sorted(moved, key=lambda n: (n.onset, n.pitch, n.velocity))
        }
        controls = plain_controls([*part.controls, *_slides(part, score.end_tick)])
        parts.append(replace(part, notes=_cut_repeats(list(ordered.values())), controls=controls))
    return replace(score, parts=tuple(parts))


def _slides(part: Part, end: int) -> list[Control]:
    """The slides of a part as moves of its bend: down from the first pitch, slowly at both ends."""
    slide = slide_left(np.linspace(0.0, 1.0, _SLIDE_STEPS + 1)).tolist()
    moves = []
    for note in part.notes if part.role != "drums" else ():
        for step, left in enumerate(slide) if note.slide else ():
            tick = max(0, note.onset + note.micro) + step * SLIDE_TICKS // _SLIDE_STEPS
            if tick <= end:
                moves.append(Control(tick, "bend", round(100 * note.slide * left)))
    return moves


def _cut_repeats(notes: list[Note]) -> tuple[Note, ...]:
    """A repeated pitch ends its predecessor; MIDI cannot say otherwise."""
    following: dict[int, int] = {}
    cut = []
    for note in reversed(notes):
        end = min(note.end, following.get(note.pitch, note.end))
        cut.append(replace(note, duration=max(1, end - note.onset)))
        following[note.pitch] = note.onset
    return tuple(reversed(cut))


def write_midi(score: Score, path: Path) -> None:
    """Type 1, 480 ticks to the quarter, a conductor track and one track for each part; texts are UTF-8."""
    midi = mido.MidiFile(type=1, ticks_per_beat=PPQ, charset="utf-8")
    midi.tracks.append(_track(_conductor_events(score), score.end_tick))
    channels = iter(_MELODIC_CHANNELS * (len(score.parts) // len(_MELODIC_CHANNELS) + 1))
    for part in played(score).parts:
        channel = DRUM_CHANNEL if part.role == "drums" else next(channels)
        midi.tracks.append(_track(_part_events(part, channel), score.end_tick))
    midi.save(path)


_Event = tuple[int, int, mido.Message | mido.MetaMessage]
"""(tick, order among events of the same tick, message)."""


def _conductor_events(score: Score) -> list[_Event]:
    events: list[_Event] = [
        (0, 0, mido.MetaMessage("track_name", name=score.title)),
        (0, 0, mido.MetaMessage("time_signature", numerator=score.meter.beats, denominator=score.meter.beat_unit)),
        (0, 0, mido.MetaMessage("key_signature", key=_signature(score.key))),
        (0, 0, mido.MetaMessage("text", text=f"key {score.key}")),
    ]
    events += [(t.tick, 0, mido.MetaMessage("set_tempo", tempo=round(60e6 / t.bpm))) for t in score.tempos]
    for section in score.sections:
        tick = section.start_bar * score.meter.bar_ticks
        events.append((tick, 1, mido.MetaMessage("marker", text=describe_section(section))))
    for tick, symbol in chord_marks(score.chords, score.end_tick, score.key):
        events.append((tick, 2, mido.MetaMessage("marker", text=f"chord {symbol}")))
    return events


def _part_events(part: Part, channel: int) -> list[_Event]:
    events: list[_Event] = [
        (0, 0, mido.MetaMessage("track_name", name=part.name)),
        (0, 0, mido.MetaMessage("instrument_name", name=part.instrument)),
        (0, 0, mido.MetaMessage("text", text=f"role {part.role}")),
        (0, 0, mido.Message("program_change", channel=channel, program=gm_program(part.instrument))),
    ]
    if any(control.kind == "bend" for control in part.controls):
        # Registered parameter 0: how far a whole bend goes.
        for number, value in ((101, 0), (100, 0), (6, BEND_RANGE), (38, 0)):
            events.append((0, 0, mido.Message("control_change", channel=channel, control=number, value=value)))
    events += [(control.tick, 1, _move(control, channel)) for control in part.controls]
    for note in part.notes:
        if note.lyric:
            events.append((note.onset, 2, mido.MetaMessage("lyrics", text=note.lyric)))
        events.append(
            (note.onset, 2, mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity))
        )
        events.append((note.end, 1, mido.Message("note_off", channel=channel, note=note.pitch, velocity=0)))
    return events


def _move(control: Control, channel: int) -> mido.Message:
    if control.kind == "bend":
        wheel = round(control.value / (100 * BEND_RANGE) * WHOLE_BEND)
        return mido.Message("pitchwheel", channel=channel, pitch=min(wheel, WHOLE_BEND - 1))
    number = next(number for number, kind in CONTROL_NUMBERS.items() if kind == control.kind)
    return mido.Message("control_change", channel=channel, control=number, value=control.value)


def _track(events: list[_Event], end: int) -> mido.MidiTrack:
    track = mido.MidiTrack()
    tick = 0
    for at, _, message in sorted(events, key=lambda event: event[:2]):
        message.time = at - tick
        track.append(message)
        tick = at
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - tick)))
    return track


def _signature(key: Key) -> str:
    name, _, mode = str(key).partition(" ")
    return name + ("m" if mode == "minor" else "")
