"""Who plays what: instruments of the catalogue on General MIDI and back, and the roles of parts that others wrote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from generator.arrange.style import ROLES
from generator.notation.symbols import Description
from generator.render.instruments import INSTRUMENTS
from generator.score import Control, Note, Part

# The nearest General MIDI programme of instruments that exist only as synthesiser voices.
_SYNTH_PROGRAMS = {
    "fm_piano": 5, "synth_bass": 38, "sub_bass": 39, "warm_pad": 89, "glass_pad": 92, "drift_pad": 95, "saw_lead": 81,
    "soft_lead": 80, "pluck": 45, "bell": 14, "lofi_kit": 0, "electronic_kit": 25, "vinyl": 122,
}  # fmt: skip
_FAMILY_PROGRAMS = {
    "keys": 5, "mallets": 11, "guitar": 27, "bass": 38, "strings": 50, "voices": 54, "winds": 73, "brass": 62,
    "pads": 88, "leads": 80, "drums": 0, "texture": 122,
}  # fmt: skip
# For the sixteen groups of eight programmes; within a group the nearest programme that we have counts.
_OF_GROUP = (
    "grand_piano", "vibraphone", "organ", "nylon_guitar", "electric_bass", "strings", "strings", "trumpet", "clarinet",
    "flute", "saw_lead", "warm_pad", "glass_pad", "nylon_guitar", "marimba", "warm_pad",
)  # fmt: skip
_TUNE = re.compile(r"melod|vocal|voice|vox|lead|solo|sing|tune|soprano", re.IGNORECASE)
_BASS = re.compile(r"\bbass", re.IGNORECASE)
_PADS = range(88, 96)
_BASSES = range(32, 40)


@dataclass(slots=True)
class Player:
    """A part as a file gives it. `program` is General MIDI from 0; `known` is what our own files say of it."""

    label: str
    program: int | None = None
    drums: bool = False
    notes: list[Note] = field(default_factory=list)
    controls: tuple[Control, ...] = ()
    known: Description | None = None


def gm_program(instrument: str) -> int:
    """General MIDI programme number, 0 … 127."""
    entry = INSTRUMENTS[instrument]
    if entry.program is not None:
        return entry.program
    return _SYNTH_PROGRAMS.get(instrument, _FAMILY_PROGRAMS[entry.family])


def instrument_for(program: int | None, *, drums: bool = False) -> str:
    """The catalogue's instrument for a programme: that one, else the nearest in its group of eight."""
    program = 0 if program is None else program
    if drums:
        kits = {entry.program: name for name, entry in INSTRUMENTS.items() if entry.kit and entry.program}
        return kits.get(program, "electronic_kit" if 24 <= program < 32 else "drum_kit")
    near = {
        name: abs(gm_program(name) - program)
        for name, entry in INSTRUMENTS.items()
        if not entry.kit and entry.family != "texture" and gm_program(name) // 8 == program // 8
    }
    usual = _OF_GROUP[program // 8]
    return min([usual, *near], key=lambda name: near.get(name, 8))


def cast(players: Sequence[Player]) -> tuple[Part, ...]:
    """Parts with unique names that are safe as file names, roles and instruments of the catalogue."""
    lead = _lead(players)
    taken: Counter[str] = Counter()
    parts = []
    for player in players:
        known = player.known if _usable(player.known) else None
        role = known.role if known else _role(player, lead=player is lead)
        instrument = known.instrument if known else instrument_for(player.program, drums=player.drums)
        name = _plain(known.name if known else player.label or instrument)
        taken[name] += 1
        while taken[name] > 1:
            name = f"{name}_{taken[name]}"
            taken[name] += 1
        notes = tuple(sorted(player.notes, key=lambda note: (note.onset, note.pitch)))
        parts.append(Part(name, role, instrument, notes, player.controls))
    return tuple(parts)


def _usable(known: Description | None) -> bool:
    return known is not None and known.role in ROLES and known.instrument in INSTRUMENTS


def _plain(label: str) -> str:
    return re.sub(r"\W+", "_", label.lower()).strip("_")[:40] or "part"


def _role(player: Player, *, lead: bool) -> str:
    if player.drums:
        return "drums"
    if _is_bass(player):
        return "bass"
    if lead:
        return "melody"
    if player.program in _PADS:
        return "pad"
    return "counter" if _single(player) > 0.9 else "chords"


def _is_bass(player: Player) -> bool:
    return player.program in _BASSES or (_BASS.search(player.label) is not None and _mean_pitch(player) < 55)


def _lead(players: Sequence[Player]) -> Player | None:
    """The tune: what is called so or sung, else the line that is most alone and highest. None when ours say."""
    if any(player.known and player.known.role == "melody" for player in players):
        return None
    pitched = [player for player in players if player.notes and not player.drums and not _is_bass(player)]
    return max(pitched, key=_lead_score, default=None)


def _lead_score(player: Player) -> float:
    sung = sum(bool(note.lyric) for note in player.notes) / len(player.notes)
    named = 1.0 if _TUNE.search(player.label) else 0.0
    return 3.0 * sung + 2.0 * named + 2.0 * _single(player) + _mean_pitch(player) / 24


def _single(player: Player) -> float:
    """Share of onsets with one note."""
    onsets = Counter(note.onset for note in player.notes)
    return sum(count == 1 for count in onsets.values()) / max(1, len(onsets))


def _mean_pitch(player: Player) -> float:
    return sum(note.pitch for note in player.notes) / max(1, len(player.notes))
