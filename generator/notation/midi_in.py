"""Standard MIDI Files as a Score: ours exactly, other programs' as well as they can be told.

Types 0 and 1, any resolution, running status, sustain pedal (released notes ring until it is lifted), pitch bend in its
own range, modulation, volume, pan and expression. Every channel of
a track becomes a part; its programme at the first note chooses the instrument, channel 10 is drums. Markers are
sections. One metre and the first key hold for the piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mido

from generator.brief import BriefError, Key
from generator.errors import NotationError
from generator.measure.pitch import key_of
from generator.notation.cast import Player, cast
from generator.notation.midi import CONTROL_NUMBERS, DRUM_CHANNEL, WHOLE_BEND
from generator.notation.symbols import (
    NO_CHORD,
    Description,
    Symbol,
    chords_from,
    place_sections,
    read_section,
    read_symbol,
    refuse_chord,
)
from generator.notation.tidy import (
    MAX_CONTROLS,
    MAX_NOTES,
    check_bars,
    check_meter,
    check_tempo,
    plain_controls,
    plain_title,
)
from generator.score import CONTROLLERS, PPQ, Control, Meter, Note, Part, Score, Section, TempoChange

MAX_BYTES = 2_000_000
_PEDAL = 64
_PARAMETER_HIGH, _PARAMETER_LOW, _PARAMETER_VALUE = 101, 100, 6
_FIRST_TICKS = PPQ // 2
"""A note that rings this far into a new bar does not make it one more bar."""


@dataclass(slots=True)
class _Whole:
    """What holds for all tracks, wherever it stands; times in ticks of ours."""

    titles: list[str] = field(default_factory=list)
    meter: Meter | None = None
    key: Key | None = None
    signature: Key | None = None
    tempos: dict[int, float] = field(default_factory=dict)
    chords: list[tuple[int, str]] = field(default_factory=list)
    markers: list[tuple[int, str]] = field(default_factory=list)
    end: int = 0


@dataclass(slots=True)
class _Line:
    """One channel of one track."""

    player: Player
    sounding: dict[int, tuple[int, int, str]] = field(default_factory=dict)  # pitch -> onset, velocity, lyric
    held: set[int] = field(default_factory=set)  # released under the pedal
    pedal: bool = False

    def strike(self, tick: int, pitch: int, velocity: int, lyric: str) -> None:
        self.release(tick, pitch)
        self.sounding[pitch] = (tick, velocity, lyric)

    def release(self, tick: int, pitch: int) -> None:
        self.held.discard(pitch)
        if pitch in self.sounding:
            onset, velocity, lyric = self.sounding.pop(pitch)
            self.player.notes.append(Note(onset, max(1, tick - onset), pitch, velocity, lyric=lyric))

    def press(self, tick: int, *, down: bool) -> None:
        """Move the pedal; lifted, it lets go of what rang on."""
        self.pedal = down
        for pitch in () if down else sorted(self.held):
            self.release(tick, pitch)


@dataclass(slots=True)
class _Wheels:
    """The controllers of one channel; the bend's range is what registered parameter 0 says, else two semitones."""

    moves: list[Control] = field(default_factory=list)
    parameter: tuple[int, int] = (127, 127)
    semitones: int = 2

    def turn(self, message: Any, tick: int) -> None:
        if message.type == "pitchwheel":
            low, high = CONTROLLERS["bend"]
            cents = round(message.pitch / WHOLE_BEND * 100 * self.semitones)
            self.moves.append(Control(tick, "bend", min(max(cents, low), high)))
        elif message.control in CONTROL_NUMBERS:
            self.moves.append(Control(tick, CONTROL_NUMBERS[message.control], message.value))
        elif message.control == _PARAMETER_HIGH:
            self.parameter = (message.value, self.parameter[1])
        elif message.control == _PARAMETER_LOW:
            self.parameter = (self.parameter[0], message.value)
        elif message.control == _PARAMETER_VALUE and self.parameter == (0, 0):
            self.semitones = message.value


def read_midi(path: Path) -> Score:
    """A file of `write_midi` gives `played(score)`; raises NotationError for what is no music of one metre."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise NotationError(
                f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB; that is no MIDI of one piece."
            )
        midi = _open(path)
    except OSError as error:
        raise NotationError(f"{path.name} cannot be read: {error.strerror or error}.") from error
    if midi.type == 2:
        raise NotationError(f"{path.name} is a MIDI file of type 2, several songs in one; export it as type 1.")
    if not 0 < midi.ticks_per_beat < 0x8000:
        raise NotationError(f"{path.name} counts time in frames, not beats; export it with bars and beats.")
    whole = _Whole()
    if sum(message.type == "note_on" for track in midi.tracks for message in track) > 2 * MAX_NOTES:
        raise NotationError(f"{path.name} has more than {MAX_NOTES} notes; that is more than a piece holds.")
    if (
        sum(message.type in {"control_change", "pitchwheel"} for track in midi.tracks for message in track)
        > MAX_CONTROLS
    ):
        raise NotationError(
            f"{path.name} moves controllers more than {MAX_CONTROLS} times; thin them out and try again."
        )
    readers = [(track, _Track(midi.ticks_per_beat, whole, path.name)) for track in midi.tracks]
    players = [player for track, reader in readers for player in reader.read(track)]
    return _score(whole, players, path.name)


def _open(path: Path) -> Any:
    """Texts are UTF-8, in old files Latin-1."""
    try:
        try:
            return mido.MidiFile(path, charset="utf-8", clip=True)
        except UnicodeDecodeError:
            return mido.MidiFile(path, charset="latin-1", clip=True)
    except (OSError, EOFError, ValueError, LookupError, TypeError, mido.KeySignatureError) as error:
        raise NotationError(
            f"{path.name} is not a MIDI file that can be read: {error or 'it ends too early'}."
        ) from error


@dataclass(slots=True)
class _Track:
    """One track: its channels are lines of their own."""

    ticks_per_beat: int
    whole: _Whole
    source: str
    name: str = ""
    role: str = ""
    instrument: str = ""
    lyric: str = ""
    lines: dict[int, _Line] = field(default_factory=dict)
    programs: dict[int, int] = field(default_factory=dict)
    wheels: dict[int, _Wheels] = field(default_factory=dict)

    def read(self, track: Any) -> list[Player]:
        raw = now = 0
        for message in track:
            raw += message.time
            now = (raw * PPQ + self.ticks_per_beat // 2) // self.ticks_per_beat
            if message.is_meta:
                self._meta(message, now)
            elif message.type in {"note_on", "note_off"}:
                self._note(message, now)
            elif message.type == "program_change":
                self.programs[message.channel] = message.program
            elif message.type in {"control_change", "pitchwheel"}:
                self._control(message, now)
        for channel, line in self.lines.items():
            for pitch in list(line.sounding):
                line.release(now, pitch)
            if channel in self.wheels:
                line.player.controls = plain_controls(self.wheels[channel].moves)
        if not self.lines and not self.role:
            self.whole.titles.append(self.name)
            self.whole.end = max(self.whole.end, now)
        return self._players()

    def _control(self, message: Any, now: int) -> None:
        if message.type == "control_change" and message.control == _PEDAL:
            if message.channel in self.lines:
                self.lines[message.channel].press(now, down=message.value >= _PEDAL)
        else:
            self.wheels.setdefault(message.channel, _Wheels()).turn(message, now)

    def _note(self, message: Any, now: int) -> None:
        channel = message.channel
        if channel not in self.lines:
            player = Player(self.name, self.programs.get(channel), drums=channel == DRUM_CHANNEL)
            self.lines[channel] = _Line(player)
        line = self.lines[channel]
        if message.type == "note_on" and message.velocity > 0:
            line.strike(now, message.note, message.velocity, self.lyric)
            self.lyric = ""
        elif line.pedal:
            line.held.add(message.note)
        else:
            line.release(now, message.note)

    def _meta(self, message: Any, now: int) -> None:
        match message.type:
            case "track_name":
                self.name = self.name or message.name.strip()
            case "instrument_name":
                self.instrument = message.name
            case "text" if message.text.startswith("role "):
                self.role = message.text.removeprefix("role ")
            case "lyrics":
                self.lyric = message.text.strip()
            case _:
                _read_meta(message, now, self.whole, self.source)

    def _players(self) -> list[Player]:
        """One for each channel; a track of ours is a part also when it has no notes."""
        found = [line.player for _, line in sorted(self.lines.items())]
        if self.role and not found:
            found = [Player(self.name)]
        if self.role and len(found) == 1:
            found[0].known = Description(self.name, self.role, self.instrument)
        elif len(found) > 1:
            for player in found:
                player.label = ""  # a track's name says nothing of its channels
        return found


def _read_meta(message: Any, tick: int, whole: _Whole, source: str) -> None:
    match message.type:
        case "time_signature":
            meter = check_meter(message.numerator, message.denominator, source)
            if whole.meter is not None and meter != whole.meter:
                raise NotationError(f"{source} changes from {whole.meter} to {meter}; a piece here keeps one metre.")
            whole.meter = meter
        case "key_signature":
            whole.signature = whole.signature or Key.parse(message.key)
        case "set_tempo":
            whole.tempos[tick] = check_tempo(60e6 / max(1, message.tempo), source)
        case "marker" | "text" if message.text.startswith("chord "):
            whole.chords.append((tick, message.text.removeprefix("chord ")))
        case "marker":
            whole.markers.append((tick, message.text.strip()))
        case "text" if message.text.startswith("key "):
            whole.key = whole.key or _key(message.text.removeprefix("key "))


def _key(text: str) -> Key | None:
    try:
        return Key.parse(text)
    except BriefError:
        return None


def _score(whole: _Whole, players: list[Player], source: str) -> Score:
    if not any(player.notes for player in players) and not any(player.known for player in players):
        raise NotationError(f"{source} has no notes.")
    meter = whole.meter or Meter(4, 4)
    bar_ticks = meter.bar_ticks
    last = max((note.end for player in players for note in player.notes), default=0)
    bars = max(1, -(-(last - _FIRST_TICKS) // bar_ticks), -(-whole.end // bar_ticks))
    check_bars(bars, source)
    tempos = {0: 120.0} | whole.tempos
    descriptions, marks = _sections(whole, bar_ticks)
    score = Score(
        plain_title(next(filter(None, whole.titles), "")), Key(0, "major"), meter, bars,
        tuple(TempoChange(tick, bpm) for tick, bpm in sorted(tempos.items()) if tick < bars * bar_ticks),
        chords_from(_chords(whole, bar_ticks), bars * bar_ticks), place_sections(marks, descriptions, bars),
        _ended(cast(players), bars * bar_ticks),
    )  # fmt: skip
    return replace(score, key=whole.key or whole.signature or key_of(score))


def _ended(parts: Sequence[Part], end: int) -> tuple[Part, ...]:
    """Parts without what their controllers do after the end."""
    return tuple(replace(part, controls=tuple(c for c in part.controls if c.tick <= end)) for part in parts)


def _sections(whole: _Whole, bar_ticks: int) -> tuple[list[Section], list[tuple[int, str]]]:
    descriptions, marks = [], []
    for tick, text in sorted(whole.markers, key=lambda mark: mark[0]):
        bar = round(tick / bar_ticks)
        section = read_section(text, bar)
        if section is not None:
            descriptions.append(section)
        if text:
            marks.append((bar, section.name if section else text[:60]))
    return descriptions, marks


def _chords(whole: _Whole, bar_ticks: int) -> list[tuple[int, Symbol | None]]:
    found: list[tuple[int, Symbol | None]] = []
    for tick, text in whole.chords:
        symbol = read_symbol(text)
        if symbol is None and text != NO_CHORD:
            raise refuse_chord(text, tick // bar_ticks)
        found.append((tick, symbol))
    return found
