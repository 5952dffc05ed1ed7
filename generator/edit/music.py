"""Changes that need new music: the composer writes tune and chords, the style's band plays them.

Each keeps everything outside its bars bit-identical, and is a pure function of score, brief, weights and seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from generator.arrange.arrange import orchestrate
from generator.arrange.blend import style_of
from generator.arrange.fitting import fit_instrument
from generator.arrange.style import Style
from generator.brief import Brief
from generator.compose import painted
from generator.corpus.piece import Bar
from generator.edit.lead import bars_at, bars_of, chords_of, outline_of, plan_of, section_at, tune_of
from generator.edit.shape import open_gap
from generator.errors import EditError
from generator.model import tasks
from generator.model.rules import Rules
from generator.model.tasks import Request, write
from generator.model.tokens import METERS, Controls, frame_of
from generator.model.transformer import Composer
from generator.notation.page import TICKS, snap
from generator.perform import perform
from generator.render.instruments import INSTRUMENTS
from generator.score import Chord, Note, Part, Score, Section
from generator.seeds import stream

CONTEXT_BARS = 16
"""So many bars before and after what is written are shown to the composer."""
MOST_NEW_BARS = 32
"""What one change may write; more is another piece."""
_DRAWS = 6


def variation(score: Score, strength: float, model: Composer, seed: int) -> Score:
    """New pitches for the tune in a share `strength` (0 … 1) of its bars, in the rhythm and on the chords they have."""
    if not 0.0 < strength <= 1.0:
        raise EditError(f"The strength of a variation is above 0 and at most 1, not {strength:g}.")
    tune = tune_of(score)
    bars = bars_of(score)
    changed = list(tune.notes)
    own = int(stream(seed, "variation").integers(0, 2**62))
    for first in range(0, score.bars, CONTEXT_BARS):  # each stretch keeps its opening, so that it is known again
        stretch = bars[first : first + CONTEXT_BARS]
        if not any(bar.melody for bar in stretch):
            continue
        rules = Rules(len(stretch), _steps(score), parts=("melody",), offset=-first % 8, closing=False)
        asked = tasks.vary(_request(score, stretch, rules), strength, own + first)
        (written,) = write(model, asked, [own + first])
        for index in asked.rules.written:
            _repitch(changed, score, first + index, written[index])
    return _with_part(score, replace(tune, notes=_fitted(changed, tune, score)))


def _repitch(notes: list[Note], score: Score, bar: int, music: Bar) -> None:
    """Give the tune's notes of a bar the pitches of another bar in the same rhythm; what is not in it stays."""
    steps = _steps(score)
    top: dict[int, int] = {}  # place in the bar -> index of its highest note
    for index, note in enumerate(notes):
        measure, pos = divmod(snap(note.onset, steps), steps)
        if measure == bar and (pos not in top or note.pitch > notes[top[pos]].pitch):
            top[pos] = index
    for written in music.melody:
        if written.pos in top:
            index = top[written.pos]
            notes[index] = replace(notes[index], pitch=written.pitch)


def repaint(score: Score, brief: Brief, first: int, last: int, model: Composer, seed: int) -> Score:
    """Write bars `first` … `last` (from 1) anew: tune, chords and what the band makes of them."""
    bars_at(score, first, last)
    _bounded(last - first + 1)
    bars = bars_of(score)
    begin, end = max(0, first - 1 - CONTEXT_BARS), min(score.bars, last + CONTEXT_BARS)
    rules = Rules(end - begin, _steps(score), offset=-begin % 8, closing=end == score.bars)
    asked = tasks.repaint(_request(score, bars[begin:end], rules), first - 1 - begin, last - 1 - begin)
    (written,) = write(model, asked, [seed])
    return _replaced(score, brief, {bar: written[bar - begin] for bar in range(first - 1, last)}, seed)


def extend(score: Score, brief: Brief, bars: int, model: Composer, seed: int) -> Score:
    """Let the piece go on for `bars` bars more; an ending (outro) still comes last."""
    if bars < 1:
        raise EditError(f"A piece is extended by at least one bar, not {bars}.")
    _bounded(bars)
    last = score.sections[-1] if score.sections else Section("A", 0, score.bars, 0.6, "A")
    ending = last.name.islower() and last.start_bar > 0
    at = last.start_bar if ending else score.bars
    section = score.sections[section_at(score, at - 1)]
    wider = open_gap(score, at, bars, replace(section, name=section.name + "'", start_bar=at, bars=bars))
    music = bars_of(wider)
    begin, end = max(0, at - CONTEXT_BARS), min(wider.bars, at + bars + CONTEXT_BARS)
    rules = Rules(end - begin, _steps(score), offset=-begin % 8, closing=end == wider.bars)
    asked = tasks.repaint(_request(score, music[begin:end], rules), at - begin, at + bars - 1 - begin)
    (written,) = write(model, asked, [seed])
    return _replaced(wider, brief, {bar: written[bar - begin] for bar in range(at, at + bars)}, seed)


def remix(score: Score, brief: Brief, seed: int) -> Score:
    """The same tune, chords and form, played by the band of `brief.style`."""
    style = style_of(brief)
    tune = tune_of(score)
    arranged = orchestrate(outline_of(score, brief, style), brief, style, score.title, seed)
    parts = [_same_tune(part, tune, score) if _leads(part, style) else part for part in arranged.parts]
    if not any(_leads(part, style) for part in parts):
        parts.append(_same_tune(tune, tune, score))
    played = perform(replace(arranged, parts=tuple(parts)), plan_of(score), brief, style, seed)
    return replace(score, parts=played.parts, chords=score.chords or played.chords)


def _leads(part: Part, style: Style) -> bool:
    return part.name in style.parts and style.parts[part.name].figure == "lead"


def _same_tune(part: Part, tune: Part, score: Score) -> Part:
    """The tune as it is written, words and all, on the new band's instrument and at its loudness."""
    notes = [replace(note, micro=0, velocity=_loudness(part)) for note in tune.notes]
    return replace(part, notes=fit_instrument(notes, INSTRUMENTS[part.instrument], score.end_tick))


def _steps(score: Score) -> int:
    return score.meter.bar_ticks // TICKS


def _bounded(bars: int) -> None:
    if bars > MOST_NEW_BARS:
        raise EditError(f"At most {MOST_NEW_BARS} bars are written at a time, not {bars}.")


def _request(score: Score, bars: Sequence[Bar], rules: Rules) -> Request:
    if str(score.meter) not in METERS:
        raise EditError(f"The composer does not write in {score.meter}; it knows {', '.join(METERS)}.")
    frame = frame_of(bars, score.key.tonic)
    pitches = [note.pitch - frame.reference for bar in bars for note in bar.melody]
    if pitches:  # new notes stay near the register of the old ones
        rules = replace(rules, low=max(rules.low, min(pitches) - 2), high=min(rules.high, max(pitches) + 2))
    return Request(Controls(score.key.mode, str(score.meter)), rules, frame, tuple(bars))


def _replaced(score: Score, brief: Brief, written: Mapping[int, Bar], seed: int) -> Score:
    """The score with other tune and chords in some bars (one stretch), played by the band that is there."""
    style = style_of(brief)
    bar_ticks = score.meter.bar_ticks
    start, end = min(written) * bar_ticks, (max(written) + 1) * bar_ticks
    tune = tune_of(score)
    chords = _spliced_chords(score, _new_chords(score, brief, style, written), start, end)
    new = [
        Note(bar * bar_ticks + note.pos * TICKS, note.dur * TICKS, note.pitch, _loudness(tune))
        for bar, music in written.items() if not _frames(score, bar) for note in music.melody
    ]  # fmt: skip
    sung = replace(tune, notes=_spliced(tune.notes, _fitted(new, tune, score), start, end))
    sketch = replace(_with_part(score, sung), chords=chords)
    band = _band_of(sketch, brief, style, seed)
    sung = replace(sung, notes=tuple(replace(note, micro=0) for note in sung.notes))
    own = tuple(sung if part.name == tune.name else _for_own(band.get(part.name), part, score) for part in score.parts)
    played = perform(replace(sketch, parts=own), plan_of(sketch), brief, style, seed)
    parts = tuple(
        replace(part, notes=_spliced(part.notes, new.notes, start, end))
        for part, new in zip(score.parts, played.parts, strict=True)
    )
    return replace(sketch, parts=parts)


def _frames(score: Score, bar: int) -> bool:
    """Whether a bar (from 0) lies in an introduction, a break or an ending, where nobody plays the tune."""
    return bool(score.sections) and score.sections[section_at(score, bar)].name.islower()


def _band_of(score: Score, brief: Brief, style: Style, seed: int) -> dict[str, Part]:
    """For each part of the score, by name, what the style's band would play: the player of that name or role.

    The band is drawn until everybody the piece has is in it, some times at most.
    """
    asked = replace(brief, instruments_wanted=tuple(part.instrument for part in score.parts), instruments_unwanted=())
    best: dict[str, Part] = {}
    for attempt in range(_DRAWS):
        drawn = int(stream(seed, f"band {attempt}").integers(0, 2**62))
        arranged = orchestrate(outline_of(score, asked, style), asked, style, score.title, drawn)
        found = _matched(score.parts, arranged.parts)
        best = max(best, found, key=len)
        if len(best) == len(score.parts):
            break
    return best


def _matched(own: Sequence[Part], band: Sequence[Part]) -> dict[str, Part]:
    left = {part.name: part for part in band}
    found = {part.name: left.pop(part.name) for part in own if part.name in left}
    for part in own:
        alike = next((other for other in left.values() if other.role == part.role), None)
        if part.name not in found and alike is not None:
            found[part.name] = left.pop(alike.name)
    return found


def _for_own(player: Part | None, part: Part, score: Score) -> Part:
    """What a player of the band plays, on the piece's own instrument; nothing where there is no such player."""
    if player is None:
        return replace(part, notes=())
    if part.role in {"drums", "texture"} or player.instrument == part.instrument:
        return replace(part, notes=player.notes)
    return replace(part, notes=fit_instrument(player.notes, INSTRUMENTS[part.instrument], score.end_tick))


def _new_chords(score: Score, brief: Brief, style: Style, written: Mapping[int, Bar]) -> list[Chord]:
    """The written chords in ticks and in the style's colours."""
    marks = [
        (bar * score.meter.bar_ticks + chord.pos * TICKS, chord)
        for bar, music in sorted(written.items())
        for chord in painted(music, score.key.tonic, style, brief.complexity).chords
    ]  # fmt: skip
    end = (max(written) + 1) * score.meter.bar_ticks
    return [
        Chord(onset, following - onset, chord.root, chord.quality)
        for (onset, chord), following in zip(marks, [*(onset for onset, _ in marks[1:]), end], strict=False)
    ]


def _spliced_chords(score: Score, new: Sequence[Chord], start: int, end: int) -> tuple[Chord, ...]:
    """Old chords outside, cut at the edges, new ones inside."""
    kept = []
    for chord in chords_of(score):
        if chord.onset < start:
            kept.append(replace(chord, duration=min(chord.end, start) - chord.onset) if chord.end > start else chord)
        if chord.end > end:
            onset = max(chord.onset, end)
            kept.append(replace(chord, onset=onset, duration=chord.end - onset) if onset != chord.onset else chord)
    return tuple(sorted([*kept, *new], key=lambda chord: chord.onset))


def _spliced(old: Sequence[Note], new: Sequence[Note], start: int, end: int) -> tuple[Note, ...]:
    """Notes that begin inside come from `new` and end inside, all others stay."""
    outside = [note for note in old if not start <= note.onset < end]
    inside = [replace(n, duration=min(n.duration, end - n.onset)) for n in new if start <= n.onset < end]
    return tuple(sorted([*outside, *inside], key=lambda note: (note.onset, note.pitch)))


def _fitted(notes: Sequence[Note], part: Part, score: Score) -> tuple[Note, ...]:
    """Inside the instrument's range, note by note; the others stay as they are."""
    instrument = INSTRUMENTS[part.instrument]
    fitted = []
    for note in notes:
        pitch = note.pitch
        while pitch < instrument.low:
            pitch += 12
        while pitch > instrument.high:
            pitch -= 12
        fitted.append(replace(note, pitch=pitch) if pitch != note.pitch else note)
    return tuple(note for note in fitted if note.onset < score.end_tick)


def _loudness(part: Part) -> int:
    """The part's usual velocity."""
    velocities = sorted(note.velocity for note in part.notes)
    return velocities[len(velocities) // 2] if velocities else 80


def _with_part(score: Score, part: Part) -> Score:
    return replace(score, parts=tuple(part if other.name == part.name else other for other in score.parts))
