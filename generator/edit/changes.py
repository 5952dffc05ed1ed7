"""Several changes at once, as somebody asks for them: in one order, whatever order they are named in.

First what changes the music's length (shorten, extend), then the music (repaint, variation), then who plays it
(style, mood, instruments, mute), last where and how fast (transpose, tempo).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from generator.arrange.style import load_style
from generator.brief import Brief
from generator.edit import mood, music, shape
from generator.edit.lead import bars_of
from generator.errors import EditError, OriginalityError
from generator.gate import TRIES, again
from generator.measure.originality import Originality, load_index
from generator.model.transformer import Composer
from generator.notation.page import TICKS
from generator.score import Score

MOODS: Mapping[str, Callable[[Score], Score]] = {
    "calmer": mood.calmer, "brighter": mood.brighter, "darker": mood.darker, "more_energetic": mood.more_energetic,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Changes:
    """What is asked for; what is None or empty stays. `instruments` are (part, instrument), `repaint` bars from 1,
    `moods` keys of MOODS, `extend` and `shorten` bars."""

    shorten: int | None = None
    extend: int | None = None
    repaint: tuple[int, int] | None = None
    variation: float | None = None
    style: str | None = None
    moods: tuple[str, ...] = ()
    instruments: tuple[tuple[str, str], ...] = ()
    mute: tuple[str, ...] = ()
    transpose: int | None = None
    tempo_bpm: float | None = None

    @property
    def composes(self) -> bool:
        """Whether the composer's weights are needed."""
        return bool(self.extend or self.repaint or self.variation is not None)

    @staticmethod
    def from_dict(asked: Mapping[str, Any]) -> Changes:
        """From JSON. Raises EditError for a change that is not known."""
        known = {f.name for f in fields(Changes)}
        if unknown := sorted(set(asked) - known):
            raise EditError(f"There is no change called {unknown[0]}; there are {', '.join(sorted(known))}.")
        return Changes(**{name: _frozen(value) for name, value in asked.items()})

    def to_dict(self) -> dict[str, Any]:
        """Only what is asked for."""
        asked = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in asked.items() if value not in {None, ()}}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Changed:
    """The piece after the changes; `originality` is of the bars that the composer wrote."""

    score: Score
    brief: Brief
    originality: Originality | None = None


def change(score: Score, brief: Brief, changes: Changes, seed: int, load_model: Callable[[], Composer]) -> Changed:
    """Make the changes. `load_model` is called only when something is composed.

    Raises:
        EditError: nothing is asked for, or what is asked cannot be.
        OriginalityError: what the composer wrote came too close to a training melody, however often it tried.
    """
    if not changes.to_dict():
        raise EditError("Say what to change: a tempo, a key, a part, a style, some bars.")
    if changes.shorten is not None:
        score = shape.shorten(score, changes.shorten)
    originality = None
    if changes.composes:
        score, originality = _composed(score, brief, changes, seed, load_model())
    if changes.style is not None:
        brief = in_style(brief, changes.style)
        score = music.remix(score, brief, seed)
    for name in changes.moods:
        score = MOODS[name](score)
    for part, instrument in changes.instruments:
        score = shape.change_instrument(score, part, instrument)
    for part in changes.mute:
        score = shape.mute(score, part)
    if changes.transpose is not None:
        score = shape.transpose(score, changes.transpose)
    if changes.tempo_bpm is not None:
        score = shape.change_tempo(score, changes.tempo_bpm)
    return Changed(score, brief, originality)


def in_style(brief: Brief, style: str) -> Brief:
    """The same wishes in another style, with its swing. Raises BriefError or StyleError when there is no such style."""
    asked = replace(brief, styles=((style, 1.0),))
    return replace(asked, swing=load_style(style).playing.swing)


def _composed(
    score: Score, brief: Brief, changes: Changes, seed: int, model: Composer
) -> tuple[Score, Originality | None]:
    """Written again, some times at most, while the new bars come too close to a training melody."""
    worst: Originality | None = None
    for attempt in range(TRIES + 1):
        own = again(seed, attempt)
        written = score
        if changes.extend is not None:
            written = music.extend(written, brief, changes.extend, model, own)
        if changes.repaint is not None:
            written = music.repaint(written, brief, *changes.repaint, model, own)
        if changes.variation is not None:
            written = music.variation(written, changes.variation, model, own)
        found = _borrowed(score, written)
        if found is None or found.passed:
            return written, found
        worst = found
    nearest = worst.nearest if worst else ""
    raise OriginalityError(
        f"Every new melody came too close to “{nearest}”; another seed or other bars will do better."
    )


def _borrowed(before: Score, after: Score) -> Originality | None:
    """What the tune's new bars share with the training melodies; None where no bar is new."""
    old = {bar.melody for bar in bars_of(before)}
    new = [bar for bar in bars_of(after) if bar.melody and bar.melody not in old]
    return load_index().check(new, after.meter.bar_ticks // TICKS) if new else None
