"""Standard MIDI files as Music."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mido

from generator.corpus.music import KeyChange, MeterChange, Music, RawNote, Track, Unusable
from generator.score import PPQ

MAX_BYTES = 4_000_000
"""The largest file we open; a whole opera act has a tenth of it."""
DRUM_CHANNEL = 9

_FIFTHS = {name: index - 7 for index, name in enumerate("Cb Gb Db Ab Eb Bb F C G D A E B F# C#".split())}
_FIFTHS_MINOR = {name + "m": index - 7 for index, name in enumerate("Ab Eb Bb F C G D A E B F# C# G# D# A#".split())}


@dataclass
class _Globals:
    """What stands in any track and holds for all."""

    meters: dict[int, MeterChange] = field(default_factory=dict)
    keys: dict[int, KeyChange] = field(default_factory=dict)
    tempos: list[tuple[int, float]] = field(default_factory=list)


def read_midi(path: Path) -> Music:
    """One Track for each track (and channel in it) that has notes, in file order. Raises Unusable."""
    if path.stat().st_size > MAX_BYTES:
        raise Unusable("file too large")
    try:
        midi = mido.MidiFile(path)
    except mido.KeySignatureError as error:
        raise Unusable("a key signature of more than seven accidentals") from error
    except (OSError, ValueError, EOFError, IndexError, KeyError) as error:
        raise Unusable("not a readable MIDI file") from error
    if not 0 < midi.ticks_per_beat < 0x8000:
        raise Unusable("time code instead of beats")
    shared = _Globals()
    tracks = [found for track in midi.tracks for found in _read_track(track, midi.ticks_per_beat, shared)]
    if not tracks:
        raise Unusable("no notes")
    meters = [shared.meters[tick] for tick in sorted(shared.meters)]
    if not meters or meters[0].tick > 0:
        meters.insert(0, MeterChange(0, 4, 4))  # what the standard says of files that do not say
    return Music(
        tracks=tuple(tracks),
        meters=tuple(meters),
        keys=tuple(shared.keys[tick] for tick in sorted(shared.keys)),
        tempos=tuple(sorted(shared.tempos)),
    )


def _read_track(track: Any, ticks_per_beat: int, shared: _Globals) -> list[Track]:
    name, tick = "", 0
    programs: dict[int, int] = {}
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    notes: dict[int, list[RawNote]] = defaultdict(list)
    for message in track:
        tick += message.time
        kind = message.type
        if kind in {"note_on", "note_off"}:
            now = (tick * PPQ + ticks_per_beat // 2) // ticks_per_beat
            key = (message.channel, message.note)
            if kind == "note_on" and message.velocity > 0:
                sounding[key].append((now, message.velocity))
            elif sounding[key]:
                start, velocity = sounding[key].pop(0)
                notes[message.channel].append(RawNote(start, max(1, now - start), message.note, velocity))
        elif kind == "program_change":
            programs.setdefault(message.channel, message.program)
        elif kind == "track_name":
            name = name or message.name.strip()
        else:
            _read_meta(message, (tick * PPQ + ticks_per_beat // 2) // ticks_per_beat, shared)
    return [
        Track(name, tuple(sorted(found)), programs.get(channel), drums=channel == DRUM_CHANNEL)
        for channel, found in sorted(notes.items())
    ]


def _read_meta(message: Any, tick: int, shared: _Globals) -> None:
    if message.type == "time_signature":
        shared.meters[tick] = MeterChange(tick, message.numerator, message.denominator)
    elif message.type == "key_signature":
        minor = message.key in _FIFTHS_MINOR
        fifths = _FIFTHS_MINOR[message.key] if minor else _FIFTHS[message.key]
        shared.keys.setdefault(tick, KeyChange(tick, fifths, "minor" if minor else "major"))
    elif message.type == "set_tempo" and message.tempo > 0:
        shared.tempos.append((tick, 60e6 / message.tempo))
