"""A Score as a Standard MIDI File and back. The MIDI is what is heard: microtiming is in the note times.

Sections are markers, chord symbols are text events, so that nothing of the score but the split of a note's time
into grid and microtiming is lost.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import mido

from generator.brief import Key
from generator.errors import GeneratorError
from generator.render.instruments import INSTRUMENTS
from generator.score import (
    CHORD_TONES,
    FLAT_NAMES,
    PPQ,
    SHARP_NAMES,
    Chord,
    Meter,
    Note,
    Part,
    Score,
    Section,
    TempoChange,
)

DRUM_CHANNEL = 9
# The nearest General MIDI programme of instruments that exist only as synthesiser voices.
_SYNTH_PROGRAMS = {
    "fm_piano": 5, "synth_bass": 38, "sub_bass": 39, "warm_pad": 89, "glass_pad": 92, "drift_pad": 95, "saw_lead": 81,
    "soft_lead": 80, "pluck": 45, "bell": 14, "lofi_kit": 0, "electronic_kit": 25, "vinyl": 122,
}  # fmt: skip
_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
_SECTION = re.compile(r"(?P<name>\S+) \((?P<material>\S+), (?P<bars>\d+) bars, energy (?P<energy>[\d.]+)\)")
_CHORD = re.compile(r"chord (?P<root>[A-G][#b]?)(?P<quality>[^/]*)(/(?P<bass>[A-G][#b]?))?")
_PITCH_CLASS = {name: index for names in (SHARP_NAMES, FLAT_NAMES) for index, name in enumerate(names)}


class MidiError(GeneratorError):
    """Raised when a MIDI file is not one that `write_midi` wrote."""


def played(score: Score) -> Score:
    """The score with microtiming moved into the onsets, as a MIDI file keeps it."""
    parts = []
    for part in score.parts:
        moved = [replace(note, onset=max(0, note.onset + note.micro), micro=0) for note in part.notes]
        ordered = {
            (note.onset, note.pitch): note for note in sorted(moved, key=lambda n: (n.onset, n.pitch, n.velocity))
        }
        parts.append(replace(part, notes=_cut_repeats(list(ordered.values()))))
    return replace(score, parts=tuple(parts))


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
    """Type 1, 480 ticks to the quarter, a conductor track and one track for each part."""
    midi = mido.MidiFile(type=1, ticks_per_beat=PPQ)
    midi.tracks.append(_track(_conductor_events(score), score.end_tick))
    channels = iter(_MELODIC_CHANNELS * (len(score.parts) // len(_MELODIC_CHANNELS) + 1))
    for part in played(score).parts:
        channel = DRUM_CHANNEL if part.role == "drums" else next(channels)
        midi.tracks.append(_track(_part_events(part, channel), score.end_tick))
    midi.save(path)


def gm_program(instrument: str) -> int:
    """General MIDI programme number, 0 … 127."""
    program = INSTRUMENTS[instrument].program
    return _SYNTH_PROGRAMS[instrument] if program is None else program


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
        text = f"{section.name} ({section.material}, {section.bars} bars, energy {section.energy:g})"
        events.append((section.start_bar * score.meter.bar_ticks, 1, mido.MetaMessage("marker", text=text)))
    for chord in score.chords:
        events.append((chord.onset, 2, mido.MetaMessage("text", text=f"chord {chord.symbol(score.key)}")))
    return events


def _part_events(part: Part, channel: int) -> list[_Event]:
    events: list[_Event] = [
        (0, 0, mido.MetaMessage("track_name", name=part.name)),
        (0, 0, mido.MetaMessage("instrument_name", name=part.instrument)),
        (0, 0, mido.MetaMessage("text", text=f"role {part.role}")),
        (0, 0, mido.Message("program_change", channel=channel, program=gm_program(part.instrument))),
    ]
    for note in part.notes:
        events.append(
            (note.onset, 2, mido.Message("note_on", channel=channel, note=note.pitch, velocity=note.velocity))
        )
        events.append((note.end, 1, mido.Message("note_off", channel=channel, note=note.pitch, velocity=0)))
    return events


def _track(events: list[_Event], end: int) -> mido.MidiTrack:
    track = mido.MidiTrack()
    tick = 0
    for at, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=at - tick))
        tick = at
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - tick)))
    return track


def _signature(key: Key) -> str:
    name, _, mode = str(key).partition(" ")
    return name + ("m" if mode == "minor" else "")


def read_midi(path: Path) -> Score:
    """Read a file of `write_midi` back: equal to `played(score)`. Raises MidiError for other files."""
    try:
        midi = mido.MidiFile(path)
        conductor, *tracks = midi.tracks
        return _read_score(conductor, tracks)
    except (OSError, EOFError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise MidiError(f"{path.name} is not a MIDI file written by Tunesmith: {error}.") from error


def _read_score(conductor: mido.MidiTrack, tracks: list[mido.MidiTrack]) -> Score:
    title, meter, key = "", Meter(4, 4), Key(0, "major")
    tempos: list[TempoChange] = []
    sections: list[Section] = []
    starts: list[tuple[int, str]] = []
    tick = 0
    for message in conductor:
        tick += message.time
        match message.type:
            case "track_name":
                title = message.name
            case "time_signature":
                meter = Meter(message.numerator, message.denominator)
            case "set_tempo":
                tempos.append(TempoChange(tick, round(60e6 / message.tempo, 2)))
            case "text" if message.text.startswith("key "):
                key = Key.parse(message.text.removeprefix("key "))
            case "text":
                starts.append((tick, message.text))
            case "marker":
                found = _SECTION.fullmatch(message.text)
                if found is None:
                    raise ValueError(f"unknown marker {message.text}")
                sections.append(
                    Section(
                        found["name"],
                        tick // meter.bar_ticks,
                        int(found["bars"]),
                        float(found["energy"]),
                        found["material"],
                    )
                )
    bars = tick // meter.bar_ticks
    chords = tuple(
        _read_chord(text, onset, following - onset)
        for (onset, text), following in zip(starts, [*(t for t, _ in starts[1:]), tick], strict=False)
    )
    parts = tuple(_read_part(track) for track in tracks)
    return Score(title, key, meter, bars, tuple(tempos), chords, tuple(sections), parts)


def _read_chord(text: str, onset: int, duration: int) -> Chord:
    found = _CHORD.fullmatch(text)
    if found is None or found["quality"] not in CHORD_TONES:
        raise ValueError(f"unknown chord text {text}")
    bass = _PITCH_CLASS[found["bass"]] if found["bass"] else None
    return Chord(onset, duration, _PITCH_CLASS[found["root"]], found["quality"], bass)


def _read_part(track: mido.MidiTrack) -> Part:
    name = instrument = role = ""
    notes: list[Note] = []
    sounding: dict[int, tuple[int, int]] = {}
    tick = 0
    for message in track:
        tick += message.time
        match message.type:
            case "track_name":
                name = message.name
            case "instrument_name":
                instrument = message.name
            case "text":
                role = message.text.removeprefix("role ")
            case "note_on":
                sounding[message.note] = (tick, message.velocity)
            case "note_off":
                onset, velocity = sounding.pop(message.note)
                notes.append(Note(onset, tick - onset, message.note, velocity))
    return Part(name, role, instrument, tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))))
