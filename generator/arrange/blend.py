"""Two or three styles at once: one Style value, so that nobody else has to know.

The heaviest style gives form, harmony and ending. One style, drawn by weight, gives the groove: drums, bass and how
they swing. Every other role is drawn by weight too, and a style with a fair share gets at least one. Numbers are
weighted means. The result is a hybrid that plays together, not an alternation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from generator.arrange.style import PartStyle, Style, load_style
from generator.brief import Brief
from generator.produce.settings import Channel
from generator.seeds import stream

Model = TypeVar("Model", bound=BaseModel)
Weighed = Sequence[tuple[Style, float]]
FAIR_SHARE = 0.2
_GROOVE = ("drums", "bass")
_OTHERS = ("melody", "chords", "pad", "counter", "texture")


def style_of(brief: Brief) -> Style:
    """The style, or the blend of styles, that a Brief asks for. Raises StyleError."""
    weighed = [(load_style(name), weight) for name, weight in brief.styles if weight > 0.0]
    return weighed[0][0] if len(weighed) == 1 else blend(weighed, brief.seed)


def blend(weighed: Weighed, seed: int) -> Style:
    """One style out of several; the same seed gives the same blend."""
    ordered = sorted(weighed, key=lambda pair: -pair[1])
    styles = [style for style, _ in ordered]
    base = styles[0]
    owners = _owners(ordered, seed)
    groove = owners["drums"]
    mean_swing = mean([(style.playing, weight) for style, weight in ordered])
    playing = mean_swing.model_copy(
        update={"swing_unit": groove.playing.swing_unit, "drummer": groove.playing.drummer,
                "human": groove.playing.human, "lay_back_ms": _lay_backs(ordered)}
    )  # fmt: skip
    return base.model_copy(update={
        "label": " × ".join(style.label for style in styles),
        "tempo_bpm": mean([(style.tempo_bpm, weight) for style, weight in ordered]),
        "meters": tuple(dict.fromkeys(meter for style in styles for meter in style.meters)),
        "minor": sum(style.minor * weight for style, weight in ordered),
        "harmony": mean([(style.harmony, weight) for style, weight in ordered]),
        "melody": mean([(style.melody, weight) for style, weight in ordered]),
        "playing": playing,
        "drumming": groove.drumming,
        "grooves": groove.grooves,
        "fills": groove.fills,
        "parts": _parts(owners),
        "mix": _mix(owners, base),
        "master": mean([(style.master, weight) for style, weight in ordered]),
    })  # fmt: skip


def mean(weighed: Sequence[tuple[Model, float]]) -> Model:
    """The first value with its numbers replaced by weighted means; whole numbers are rounded, the rest stays."""
    first = weighed[0][0]
    total = sum(weight for _, weight in weighed)
    found: dict[str, float] = {}
    for name in type(first).model_fields:
        values = [getattr(value, name) for value, _ in weighed]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
            average = sum(value * weight for value, (_, weight) in zip(values, weighed, strict=True)) / total
            found[name] = round(average) if all(isinstance(value, int) for value in values) else average
    return first.model_copy(update=found)


def _owners(ordered: Weighed, seed: int) -> dict[str, Style]:
    """Which style plays each role."""
    rng = stream(seed, "blend")
    owners: dict[str, Style] = {}
    for role in ("drums", *_OTHERS):
        # The groove may be that of a style without drums: then there are none.
        able = [(s, w) for s, w in ordered if role == "drums" or _players(s, role)]
        if able:
            total = sum(weight for _, weight in able)
            owners[role] = able[int(rng.choice(len(able), p=[weight / total for _, weight in able]))][0]
    owners["bass"] = owners["drums"]
    for style, weight in ordered:
        if weight >= FAIR_SHARE and style.name not in {owner.name for owner in owners.values()}:
            counts = [owner.name for owner in owners.values()]
            free = [r for r in ("chords", "melody", "pad", "counter") if r in owners and _players(style, r)
                    and counts.count(owners[r].name) > 1]  # fmt: skip
            if free:
                owners[free[0]] = style
    return owners


def _players(style: Style, role: str) -> dict[str, PartStyle]:
    return {name: part for name, part in style.parts.items() if part.role == role}


def _parts(owners: dict[str, Style]) -> dict[str, PartStyle]:
    parts: dict[str, PartStyle] = {}
    for role in (*_OTHERS, *_GROOVE):
        if role in owners:
            for name, part in _players(owners[role], role).items():
                parts[name if name not in parts else f"{owners[role].name}_{name}"] = part
    return parts


def _mix(owners: dict[str, Style], base: Style) -> dict[str, Channel]:
    """Every role sounds as in the style that plays it."""
    channels = dict(base.mix)
    for role, owner in owners.items():
        if role in owner.mix:
            channels[role] = owner.mix[role]
    return channels


def _lay_backs(ordered: Weighed) -> dict[str, float]:
    roles = {role for style, _ in ordered for role in style.playing.lay_back_ms}
    return {role: sum(s.playing.lay_back_ms.get(role, 0.0) * w for s, w in ordered) for role in sorted(roles)}
