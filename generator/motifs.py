"""Which bars come back, and in which a tune breathes: people repeat bars and rhythms far more than a model left alone
does, and rest on one note where a phrase ends.

Bar by bar a melody goes through three states: something new, an earlier rhythm with other notes, an earlier bar note
for note. How often each follows which, and how far back it reaches when a return begins, is counted for every kind of
writing in the corpus (`python -m generator.motifs CORPUS` writes `data/motifs.json`); a return that goes on takes the
next bar of what it repeats. What would be heard three times in a row comes back in rhythm only. Counted is also how
often a bar at each place of a phrase has one note or none, and how much of the bar that note lasts; a bar that breathes
comes back only where another does.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from generator.corpus.piece import Bar, Piece
from generator.corpus.shards import open_corpus
from generator.model.tokens import PHRASE

STATES = ("new", "rhythm", "bar")
LAGS = (1, 2, 3, 4, 6, 8, 12, 16, 24)
KINDS = ("song", "jazz", "hymn", "lied")
"""Those with enough melodies; the others repeat as songs do."""
_BARS = 32  # of each piece
_DRAWS = 6
HELD = (0.25, 0.5, 0.75, 1.0)
"""Shares of a bar that the one note of a bar may last."""
_PLANNED = 0.6
"""Share of the rhythms that come back by plan; the others do by themselves, being the common ones."""
_DATA = "data/motifs.json"


@dataclass(frozen=True, slots=True)
class Motifs:
    """Bars that come back: `copies` note for note, `echo` in rhythm only; bar -> the earlier bar, from 0. And bars that
    breathe: bar -> the share of it that its one note lasts."""

    copies: Mapping[int, int]
    echo: Mapping[int, int]
    breaths: Mapping[int, float]


def plan_motifs(
    kind: str, bars: int, rng: np.random.Generator, *, within: int = 0, ends: Collection[int] = ()
) -> Motifs:
    """Draw the returns of a melody of `bars` bars; they stay inside stretches of `within` bars (0: anywhere). The bars
    `ends` end phrases wherever they stand.

    Of a few draws the one is kept that returns about as often as this kind of writing does: no freaks.
    """
    table = _table()[kind if kind in KINDS else "song"]
    breathing = _breathing(table, bars, ends)
    drawn = [_draw(table, breathing, rng, within or bars) for _ in range(_DRAWS)]
    usual = table["shares"]

    def strangeness(motifs: Motifs) -> float:
        copied, echoed = len(motifs.copies) / bars, len(motifs.echo) / bars
        return abs(copied - float(usual["bar"])) + abs(echoed - _PLANNED * float(usual["rhythm"]))

    return min(drawn, key=strangeness)


def _breathing(table: Mapping[str, Any], bars: int, ends: Collection[int]) -> list[float]:
    """How likely a tune breathes in each bar."""
    shares: list[float] = table["breaths"]
    return [shares[-1] if bar in ends else shares[bar % PHRASE] for bar in range(bars)]


def _draw(table: Mapping[str, Any], breathing: Sequence[float], rng: np.random.Generator, within: int) -> Motifs:
    copies: dict[int, int] = {}
    echo: dict[int, int] = {}
    breaths = _breaths(table, breathing, rng)
    state, source, begun = "new", -1, 0
    for bar in range(len(breathing)):
        first = bar - bar % within
        if bar == first:
            state = "new"
            continue
        following = _next(table, state, rng)
        if following == state != "new" and source + 1 < begun:
            source += 1
        else:
            if following == state:  # what has just come back does not come back at once
                following = _next(table, "new", rng)
            source, begun = _begin(table["lags"].get(following), bar - first, bar, rng), bar
        breathes_alike = source >= 0 and (bar in breaths) == (source in breaths)
        state = following if breathes_alike else "new"
        origin = copies.get(source, source)
        if state == "bar" and {copies.get(one, one) for one in (bar - 2, bar - 1)} != {origin}:
            copies[bar] = origin
        elif state == "bar" or (state == "rhythm" and rng.random() < _PLANNED):
            echo[bar] = source
    return Motifs(copies, echo, breaths)


def _breaths(table: Mapping[str, Any], breathing: Sequence[float], rng: np.random.Generator) -> dict[int, float]:
    """Never two bars in a row; where two would, the one that people more often breathe in does."""
    bars = len(breathing)
    draws, lengths = rng.random(bars), rng.choice(HELD, size=bars, p=table["held"])
    found: dict[int, float] = {}
    for bar in sorted(range(bars), key=lambda bar: (-breathing[bar], bar)):
        if draws[bar] < breathing[bar] and not {bar - 1, bar + 1} & found.keys():
            found[bar] = float(lengths[bar])
    return found


def _next(table: Mapping[str, Any], state: str, rng: np.random.Generator) -> str:
    shares = np.array(table["next"][state])
    return str(rng.choice(STATES, p=shares / shares.sum()))


def _begin(shares: Sequence[float] | None, reach: int, bar: int, rng: np.random.Generator) -> int:
    """The bar that a return begins with; -1 when none lies within `reach` bars, or nothing returns."""
    draw = rng.random()
    if shares is None:
        return -1
    weights = np.array([share if lag <= reach else 0.0 for lag, share in zip(LAGS, shares, strict=True)])
    if weights.sum() == 0:
        return -1
    return bar - LAGS[int(np.searchsorted(np.cumsum(weights), draw * weights.sum(), side="right"))]


@cache
def _table() -> dict[str, Any]:
    text = files(__package__).joinpath(_DATA).read_text("utf-8")
    kinds: dict[str, Any] = json.loads(text)["kinds"]
    return kinds


# ---- counting ---------------------------------------------------------------------------------------------------


def _returns(bars: Sequence[Bar]) -> list[tuple[str, int, bool]]:
    """Of each bar with melody after the first: its state, how far back its source lies, whether a return goes on."""
    tunes = [tuple((note.pos, note.dur, note.pitch) for note in bar.melody) for bar in bars]
    rhythms = [tuple((pos, dur) for pos, dur, _ in tune) for tune in tunes]
    found: list[tuple[str, int, bool]] = []
    state, source = "new", -1
    for bar in range(1, len(bars)):
        if not tunes[bar]:
            continue
        for name, forms in (("bar", tunes), ("rhythm", rhythms)):
            earlier = [index for index in range(bar) if forms[index] == forms[bar]]
            if earlier:
                goes_on = state == name and source + 1 in earlier
                source = source + 1 if goes_on else earlier[-1]
                state = name
                found.append((name, bar - source, goes_on))
                break
        else:
            state, source = "new", -1
            found.append((state, 0, False))
    return found


def _sung(piece: Piece) -> Iterator[tuple[int, list[int]]]:
    """Of each bar from the first with melody on its place in the phrase, and how long its notes are in grid steps."""
    begun = False
    for index, bar in enumerate(piece.bars[:_BARS]):
        begun = begun or bool(bar.melody)
        if begun:
            yield (index - piece.phrase_offset) % PHRASE, [note.dur for note in bar.melody]


def count_returns(folder: Path) -> dict[str, Any]:
    """The table of a built corpus: its training pieces, kind by kind."""
    corpus = open_corpus(folder)
    follows = {kind: {state: Counter[str]() for state in STATES} for kind in KINDS}
    lags = {kind: {state: Counter[int]() for state in STATES[1:]} for kind in KINDS}
    breathing = {kind: np.zeros((PHRASE, 2)) for kind in KINDS}
    held = {kind: Counter[float]() for kind in KINDS}
    for ref in corpus.refs:
        if ref.split != "train" or ref.kind not in KINDS or "melody" not in ref.parts:
            continue
        before, piece = "new", corpus.load(ref)
        for place, lengths in _sung(piece):
            breathing[ref.kind][place] += len(lengths) <= 1, 1
            if len(lengths) == 1:
                held[ref.kind][min(HELD, key=lambda share: abs(share - lengths[0] / piece.bar_steps))] += 1
        for state, lag, goes_on in _returns(piece.bars[:_BARS]):
            follows[ref.kind][before][state] += 1
            if state != "new" and not goes_on:
                nearest = min(LAGS, key=lambda one: (abs(one - lag), one))
                lags[ref.kind][state][nearest] += 1
            before = state
    kinds = {
        kind: {
            "next": {state: _shares(follows[kind][state], STATES) for state in STATES},
            "lags": {state: _shares(lags[kind][state], LAGS) for state in STATES[1:]},
            "breaths": [round(float(share), 4) for share in breathing[kind][:, 0] / breathing[kind][:, 1]],
            "held": _shares(held[kind], HELD),
            "shares": dict(zip(STATES, _shares(sum(follows[kind].values(), Counter()), STATES), strict=True)),
        }
        for kind in KINDS
    }
    return {
        "what": "how often bars and rhythms of melodies return, and how often at each place of a phrase a bar has one "
        "note or none and how much of it that note lasts, counted in the training pieces of the corpus",
        "states": STATES, "lags": LAGS, "held": HELD, "bars_of_each_piece": _BARS, "kinds": kinds,
    }  # fmt: skip


def _shares(counts: Mapping[Any, int], keys: Sequence[Any]) -> list[float]:
    total = sum(counts[key] for key in keys)
    return [round(counts[key] / total, 4) if total else 1 / len(keys) for key in keys]


if __name__ == "__main__":
    table = json.dumps(count_returns(Path(sys.argv[1])), indent=1) + "\n"
    (Path(__file__).parent / _DATA).write_text(table, encoding="utf-8")
