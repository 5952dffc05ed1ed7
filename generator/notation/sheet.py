"""Sheet music as MusicXML and ABC write it, before it is played: measures, repeats, ties, marks.

`to_score` plays it out: repeats and endings are expanded, tied notes joined, pickup bars filled up with silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from generator.brief import Key
from generator.errors import NotationError
from generator.measure.pitch import key_of
from generator.notation.cast import Player, cast
from generator.notation.symbols import Symbol, chords_from, place_sections
from generator.notation.tidy import MAX_NOTES, check_bars, plain_title
from generator.score import PPQ, Meter, Note, Score, Section, TempoChange

_SLACK = PPQ // 12
"""Rounding of tuplets may make a measure this much too long."""


@dataclass(frozen=True, slots=True)
class Written:
    """A note in its measure; `tied` goes on with the note before, `ties` is gone on with by the next one."""

    onset: int
    duration: int
    pitch: int
    velocity: int = 80
    lyric: str = ""
    tied: bool = False
    ties: bool = False


@dataclass(slots=True)
class Measure:
    """What all parts share of a measure. `length` is what is written; `again` how often the stretch that ends here
    is played (1 = no repeat); `endings` the times through in which the measure is played, empty for all.
    """

    length: int = 0
    forward: bool = False
    again: int = 1
    endings: tuple[int, ...] = ()
    tempos: dict[int, float] = field(default_factory=dict)
    chords: dict[int, Symbol | None] = field(default_factory=dict)
    section: str = ""


@dataclass(slots=True)
class Staff:
    """One part of the sheet: its player, and its notes by measure."""

    player: Player
    notes: dict[int, list[Written]] = field(default_factory=dict)

    def add(self, measure: int, note: Written) -> None:
        self.notes.setdefault(measure, []).append(note)


@dataclass(slots=True)
class Sheet:
    """`signature` is the sounding major key of the key signature, `mode` what the file says beside it, if anything;
    `sections` is what a file of ours says of its marks."""

    source: str
    title: str = ""
    meter: Meter | None = None
    signature: Key | None = None
    mode: str = ""
    measures: list[Measure] = field(default_factory=list)
    staves: list[Staff] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def set_meter(self, meter: Meter) -> None:
        if self.meter is not None and meter != self.meter:
            raise NotationError(f"{self.source} changes from {self.meter} to {meter}; a piece here keeps one metre.")
        self.meter = meter

    def measure(self, index: int) -> Measure:
        """The measure, made when it is new."""
        while len(self.measures) <= index:
            self.measures.append(Measure())
        return self.measures[index]


def to_score(sheet: Sheet) -> Score:
    """Raises NotationError: no notes, a measure longer than the metre, more than can be played."""
    if not sheet.measures or not sheet.staves:
        raise NotationError(f"{sheet.source} has no notes.")
    meter = sheet.meter or Meter(4, 4)
    order = play_order(sheet)
    starts, bars = _starts(sheet, order, meter.bar_ticks)
    check_bars(bars, sheet.source)
    if sum(len(staff.notes.get(index, ())) for staff in sheet.staves for index in order) > MAX_NOTES:
        raise NotationError(f"{sheet.source} has more than {MAX_NOTES} notes; that is more than a piece holds.")
    for staff in sheet.staves:
        staff.player.notes = _join(staff, order, starts)
    end = bars * meter.bar_ticks
    chords = [(start + at, symbol) for index, start in _both(order, starts)
              for at, symbol in sheet.measures[index].chords.items()]  # fmt: skip
    marks = [(start // meter.bar_ticks, sheet.measures[index].section) for index, start in _both(order, starts)
             if sheet.measures[index].section]  # fmt: skip
    score = Score(
        plain_title(sheet.title), Key(0, "major"), meter, bars, _tempos(sheet, order, starts), chords_from(chords, end),
        place_sections(marks, sheet.sections, bars), cast([staff.player for staff in sheet.staves]),
    )  # fmt: skip
    return replace(score, key=_key(sheet, score))


def sounding_key(fifths: int, transpose: int = 0) -> Key:
    """The major key of a signature (sharps positive) on an instrument that sounds `transpose` semitones higher."""
    return Key((fifths * 7 + transpose) % 12, "major")


def _key(sheet: Sheet, score: Score) -> Key:
    """The signature's major or relative minor: as the file says, else as it is heard."""
    if sheet.signature is None:
        return key_of(score)
    minor = Key((sheet.signature.tonic + 9) % 12, "minor")
    if sheet.mode in {"major", "minor"}:
        return minor if sheet.mode == "minor" else sheet.signature
    return minor if key_of(replace(score, key=sheet.signature)) == minor else sheet.signature


def _both(order: Sequence[int], starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    return zip(order, starts, strict=True)


def play_order(sheet: Sheet) -> list[int]:
    """Indexes of the measures in the order in which they are played, repeats and endings taken."""
    measures = sheet.measures
    order: list[int] = []
    start, turn = 0, 1  # of the stretch that may be repeated, and which time through it is
    index = 0
    while index < len(measures):
        measure = measures[index]
        if index != start and (measure.forward or _begins_anew(measures, index)):
            start, turn = index, 1
        if not measure.endings or turn in measure.endings:
            order.append(index)
            check_bars(len(order), sheet.source)
            following = measures[index + 1].endings if index + 1 < len(measures) else ()
            if measure.again > 1 and (turn < measure.again or (measure.endings and turn + 1 in following)):
                index, turn = start, turn + 1
                continue
        index += 1
    return order


def _begins_anew(measures: Sequence[Measure], index: int) -> bool:
    """Whether a measure comes after a finished repeat, or after its last ending."""
    before, here = measures[index - 1], measures[index]
    if before.again == 1 and not before.endings:
        return False
    return not here.endings or (1 in here.endings and here.endings != before.endings)


def _starts(sheet: Sheet, order: Sequence[int], bar_ticks: int) -> tuple[list[int], int]:
    """Where each played measure begins, and the bars in all. Two short measures that make one bar share it; a short
    first measure is a pickup at the end of its bar; other short measures are filled up."""
    starts: list[int] = []
    bar, filled = 0, 0
    for turn, index in enumerate(order):
        length = sheet.measures[index].length
        if length > bar_ticks + _SLACK:
            raise NotationError(
                f"Measure {index + 1} of {sheet.source} is longer than its metre {sheet.meter or '4/4'}; write it so "
                "that it fits."
            )
        length = min(length, bar_ticks)
        if turn == 0 and length < bar_ticks and len(order) > 1:
            filled = bar_ticks - length
        elif filled and filled + length > bar_ticks:
            bar, filled = bar + 1, 0
        starts.append(bar * bar_ticks + filled)
        filled += length
        if filled >= bar_ticks - _SLACK or (turn > 0 and length == 0):
            bar, filled = bar + 1, 0
    return starts, max(1, bar + (filled > 0))


def _join(staff: Staff, order: Sequence[int], starts: Sequence[int]) -> list[Note]:
    """The staff's notes in ticks of the piece, tied ones made one."""
    joined: list[Note] = []
    waiting: dict[int, int] = {}  # pitch -> index of the note that is tied over
    for index, start in _both(order, starts):
        for note in sorted(staff.notes.get(index, ()), key=lambda n: (n.onset, n.pitch)):
            onset = start + note.onset
            place = waiting.pop(note.pitch, None)
            if note.tied and place is not None and abs(joined[place].end - onset) <= _SLACK:
                joined[place] = replace(joined[place], duration=onset + note.duration - joined[place].onset)
            else:
                place = len(joined)
                joined.append(Note(onset, note.duration, note.pitch, note.velocity, lyric=note.lyric))
            if note.ties:
                waiting[note.pitch] = place
    unique = {(note.onset, note.pitch): note for note in sorted(joined, key=lambda note: note.duration)}
    return list(unique.values())


def _tempos(sheet: Sheet, order: Sequence[int], starts: Sequence[int]) -> tuple[TempoChange, ...]:
    """The tempo map; the first tempo holds from the start, and 120 where nothing is said."""
    placed = {
        start + at: bpm for index, start in _both(order, starts) for at, bpm in sheet.measures[index].tempos.items()
    }
    placed.setdefault(0, placed[min(placed)] if placed else 120.0)
    return tuple(TempoChange(tick, placed[tick]) for tick in sorted(placed))
