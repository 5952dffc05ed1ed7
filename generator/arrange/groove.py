"""The grooves of one piece: the style's own, in a dialect that only this piece has.

A style file states a few good grooves. Two drummers who know them still play differently: one takes the bass drum of
this groove with the cymbals of that one, keeps time on the ride, moves a kick by an eighth, leaves out ghost notes.
Each of these moves happens with the chance that the style gives (`Drumming.variation`), raised by novelty; the first
beat, the backbeat and a four on the floor stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generator.arrange.meters import STEPS, beats, derive_row
from generator.arrange.style import Groove, Style
from generator.score import Section

_BACK = ("snare", "rim", "clap")
_TIME = ("hat", "ride", "ride_bell", "shaker", "tambourine", "cowbell", "floor_tom", "open_hat")
_FEELS = ("beats", "off-beats", "half", "sixteenths")
_STROKES = "Xx"
_TASTE, _PREFERENCE = 1.2, 3.0  # how far drummers differ, and how strongly density chooses
Rows = dict[str, str]


def piece_grooves(style: Style, meter: str, novelty: float, rng: np.random.Generator) -> list[Groove]:
    """The style's grooves in a metre, each varied once for the whole piece."""
    known = style.grooves.get(meter) or [_derived(groove, meter) for groove in style.grooves.get("4/4", ())]
    steps = STEPS[meter]
    rate = min(1.0, style.drumming.variation * (0.8 + 0.6 * novelty))
    keepers = sorted({drum for groove in known for drum in groove.rows if drum in _TIME} - {"open_hat"})
    backs = sorted({drum for groove in known for drum in groove.rows if drum in _BACK})
    feel = _FEELS[int(rng.integers(len(_FEELS)))] if rng.random() < rate else "as written"
    # One drummer, one way to keep time: these hold for the whole piece.
    preferred = [
        (kind, kind[int(rng.integers(len(kind)))]) for kind in (backs, keepers) if kind and rng.random() < rate
    ]
    found = []
    for groove in known:
        if groove.sections:
            found.append(groove)
            continue
        rows = _crossed(groove, known, rate, rng)
        rows = _moved_kicks(rows, steps, beats(meter), rate, rng)
        rows = _with_voices(rows, preferred)
        rows = {drum: _felt(row, feel, steps) if drum in keepers else row for drum, row in rows.items()}
        rows = _ghosts(_fewer_hands(rows, rate, rng), rate, rng)
        found.append(groove.model_copy(update={"rows": rows}))
    return found


def likings(grooves: Sequence[Groove], density: float, rng: np.random.Generator) -> list[float]:
    """How much the drummer of one piece likes each groove; excited ones like busy grooves."""
    busy = np.array([sum(len(row) - row.count("-") for row in groove.rows.values()) for groove in grooves])
    bars = np.array([max((len(row) for row in groove.rows.values()), default=1) for groove in grooves])
    share = busy / bars
    relative = share / share.mean() - 1.0 if len(share) else share
    liking: list[float] = (rng.lognormal(0.0, _TASTE, len(grooves)) * density ** (_PREFERENCE * relative)).tolist()
    return liking


def choose_groove(
    grooves: Sequence[Groove], liking: Sequence[float], section: Section, rng: np.random.Generator
) -> Groove:
    """One for this section by name, else by energy and liking; the nearest one when no range holds it."""
    likes = {id(groove): like for groove, like in zip(grooves, liking, strict=True)}
    named = [groove for groove in grooves if section.name.rstrip("'") in groove.sections]
    free = named or [groove for groove in grooves if not groove.sections]
    fitting = [groove for groove in free if groove.low <= section.energy <= groove.high]
    if fitting:
        weights = np.array([likes[id(groove)] for groove in fitting])
        return fitting[int(rng.choice(len(fitting), p=weights / weights.sum()))]
    return min(
        free, key=lambda g: min(abs(g.low - section.energy), abs(g.high - section.energy)), default=Groove(rows={})
    )


def _derived(groove: Groove, meter: str) -> Groove:
    return groove.model_copy(update={"rows": {drum: derive_row(row, meter) for drum, row in groove.rows.items()}})


def _group(drum: str) -> str:
    return "kick" if drum == "kick" else "back" if drum in _BACK else "time" if drum in _TIME else "rest"


def _crossed(groove: Groove, known: Sequence[Groove], rate: float, rng: np.random.Generator) -> Rows:
    """Some groups of rows come from another groove of like energy."""
    others = [g for g in known if not g.sections and g.low <= groove.high and groove.low <= g.high]
    rows: Rows = {}
    for group in ("kick", "back", "time", "rest"):
        source = others[int(rng.integers(len(others)))] if rng.random() < rate else groove
        rows |= {drum: row for drum, row in source.rows.items() if _group(drum) == group}
    return rows


def _moved_kicks(rows: Rows, steps: int, on: Sequence[int], rate: float, rng: np.random.Generator) -> Rows:
    """Kicks off the first beat move by an eighth, go or come, where no backbeat is in the way."""
    row = rows.get("kick", "")
    if not row or all(row[step % len(row)] in _STROKES for step in on):
        return rows
    bars = list(row if len(row) > steps else row * 2)  # the second bar may answer the first
    taken = {step for drum in _BACK for step, mark in enumerate(rows.get(drum, "")) if mark in _STROKES}
    free = [step for step in range(0, len(bars), 2) if step % steps and step % steps not in taken]
    for step, mark in enumerate(list(bars)):
        if step % steps and mark in _STROKES and rng.random() < rate:
            bars[step] = "-"
            if rng.random() < 0.75 and free:
                near = sorted(free, key=lambda place, at=step: abs(place - at))[:4]  # type: ignore[misc]
                bars[near[int(rng.integers(len(near)))]] = mark
    if rng.random() < rate and free:
        bars[free[int(rng.integers(len(free)))]] = "x"
    return rows | {"kick": "".join(bars)}


def _with_voices(rows: Rows, preferred: Sequence[tuple[Sequence[str], str]]) -> Rows:
    """The backbeat or the time go to the drum that this drummer prefers for it."""
    renamed: dict[str, str] = {}
    for kind, drum in preferred:
        played = [name for name in rows if name in kind]
        if played and drum not in played:
            renamed[played[0]] = drum
    return {renamed.get(drum, drum): row for drum, row in rows.items()}


def _felt(row: str, feel: str, steps: int) -> str:
    """A row that keeps time, felt in beats, in off-beats, in sixteenths, or thinned to every second stroke."""
    beat = 6 if steps % 24 == 0 else 4
    struck = [step for step, mark in enumerate(row) if mark in _STROKES]
    if feel == "sixteenths":
        return "".join("o" if mark == "-" and step % 2 else mark for step, mark in enumerate(row))
    keep = {
        "beats": [step for step in struck if step % beat == 0],
        "off-beats": [step for step in struck if step % beat == beat // 2],
        "half": struck[::2],
    }.get(feel, struck)
    return "".join(mark if step in keep else "-" for step, mark in enumerate(row)) if keep else row


def _fewer_hands(rows: Rows, rate: float, rng: np.random.Generator) -> Rows:
    """Of several drums that keep time some rest, never all."""
    time = [drum for drum in rows if drum in _TIME]
    resting = {drum for drum in time if rng.random() < rate / 2}
    return rows if resting == set(time) else {drum: row for drum, row in rows.items() if drum not in resting}


def _ghosts(rows: Rows, rate: float, rng: np.random.Generator) -> Rows:
    """Ghost notes of the snare come and go."""
    marks = list(rows.get("snare", ""))
    marks = ["-" if mark == "o" and rng.random() < rate / 2 else mark for mark in marks]
    marks = ["3" if mark == "-" and step % 2 and rng.random() < rate / 6 else mark for step, mark in enumerate(marks)]
    return rows | {"snare": "".join(marks)} if marks else rows
