"""The `taste` table: simulated listeners served by the preference model, beside the model of what everybody likes.

Nine worlds; every figure is a gain share in percent (`evaluate.live`). Worlds differ: what people like on average tells
between 49 and 70 % of what one of them likes, so three worlds say more of themselves than of the model. The row "the
most possible" is what nobody can beat at the first rating.

`--quick` takes three worlds. `--generator` adds listeners who hear what the real generator composes (`heard.py`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.result import Must, Options, Result, Rows
from personalization.basis import Array
from personalization.evaluate.live import Known, most_possible, serve
from personalization.evaluate.worlds import World, features, plain, ratings
from personalization.features import SIZE
from personalization.population import PopulationModel
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import Request
from personalization.taste import Taste

WORLDS, ROUNDS = range(11, 20), 30
LISTENERS, QUICK_LISTENERS = 50, 25  # of each world
FOREIGN = 1000  # added to a world's seed: a prior from somewhere else
SPANS = {"1": slice(0, 1), "2–5": slice(1, 5), "9–12": slice(8, 12), "26–30": slice(25, 30)}


@dataclass(frozen=True, slots=True)
class Case:
    """A world's share of common taste, where the prior comes from, and what is known at the start."""

    name: str
    known: Known
    shared: float = 0.25
    prior: tuple[int, int] = (300, 30)  # listeners, ratings of each
    foreign: bool = False
    prepared: bool = True  # features with squares and crosses, or pieces and moods as they are


_COLD, _LISTENS = Known(), Known(listens=True)
_BOTH, _NOBODY = Known(listens=True, statements=True), Known(learns=False)
CASES = (
    Case("everybody's taste", _NOBODY), Case("cold", _COLD), Case("15 listens", _LISTENS),
    Case("listens and statements", _BOTH),
    Case("everybody's, prior of another world", _NOBODY, foreign=True),
    Case("prior of another world", _COLD, foreign=True),
    Case("everybody's, 55 % shared", _NOBODY, shared=0.55), Case("55 % shared", _COLD, shared=0.55),
    Case("everybody's, prior 100 × 10", _NOBODY, prior=(100, 10)), Case("prior 100 × 10", _COLD, prior=(100, 10)),
    Case("cold, plain features", _COLD, prepared=False),
    Case("everybody's, prior 30 × 10", _NOBODY, prior=(30, 10)), Case("prior 30 × 10", _COLD, prior=(30, 10)),
)  # fmt: skip


def run(options: Options) -> Result:
    console = Console(stderr=True, highlight=False)
    worlds = WORLDS[:3] if options.quick else WORLDS
    count = QUICK_LISTENERS if options.quick else LISTENERS
    gains = {}
    for case in CASES:
        gains[case.name] = np.concatenate([_gains(case, number, count) for number in worlds])
        console.print(f"{case.name}: {100 * gains[case.name][:, SPANS['9–12']].mean():.1f} at ratings 9–12")
    most = np.concatenate([most_possible(World(number), listeners=count, seed=number) for number in worlds])
    columns = {"case": "prior 300 × 30 and 25 % shared, unless said"} | {span: f"rating {span}" for span in SPANS}
    columns |= {"tenth": "worst-served tenth, 9–12", "error": "± standard error, 9–12"}
    rows = [dict.fromkeys(columns) | {"case": "the most possible for a stranger", "1": 100 * float(most.mean())}]
    rows += [{"case": name} | _spans(found) for name, found in gains.items()]
    speed = _speed()
    tables = [
        Rows("Gain share, %", columns, rows, dict.fromkeys(columns, 1)),
        Rows("Speed", {"what": "what", "ms": "median ms"}, [{"what": name, "ms": ms} for name, ms in speed.items()]),
    ]  # fmt: skip
    notes = [
        f"{count} listeners of each of {len(worlds)} worlds, pools of 300 pieces; who answers by dice is left out.",
        "46 features; 18 where they are plain.",
    ]
    musts = [*_musts(gains), *_fast(speed)]
    if options.generator:
        from benchmarks.heard import heard  # noqa: PLC0415 - brings torch

        rows_of_pieces, must = heard(options)
        tables.append(rows_of_pieces)
        musts.append(must)
    return Result("taste", tables, musts, notes)


def _gains(case: Case, number: int, listeners: int) -> Array:
    """(listeners, rounds) of one world."""
    see = features if case.prepared else plain
    prior = _prior(number + FOREIGN * case.foreign, case.shared, *case.prior, prepared=case.prepared)
    world = World(number, case.shared)
    return serve(world, prior, case.known, listeners=listeners, rounds=ROUNDS, seed=number, see=see)


@cache
def _prior(number: int, shared: float, listeners: int, each: int, *, prepared: bool) -> PopulationModel:
    see = features if prepared else plain
    return PopulationModel().fit(*ratings(World(number, shared), listeners, each, number, see))


def _spans(gains: Array) -> dict[str, float]:
    row = {span: 100 * float(gains[:, place].mean()) for span, place in SPANS.items()}
    late = 100 * gains[:, SPANS["9–12"]].mean(axis=1)
    worst = float(np.sort(late)[: max(1, len(late) // 10)].mean())
    return row | {"tenth": worst, "error": float(late.std(ddof=1) / len(late) ** 0.5)}


def _musts(gains: dict[str, Array]) -> list[Must]:
    def at(name: str, span: str) -> float:
        return 100 * float(gains[name][:, SPANS[span]].mean())

    wanted = (
        ("cold", "1", 56, 58), ("15 listens", "1", 62, 65), ("cold", "9–12", 61, 63),
        ("listens and statements", "9–12", 65, 70), ("listens and statements", "26–30", 69, 74),
        ("prior of another world", "9–12", 32, 40),
    )  # fmt: skip
    musts = [
        Must(f"{name}, rating {span}", f">= {least}, aim {aim}", f"{at(name, span):.1f}", at(name, span) >= least)
        for name, span, least, aim in wanted
    ]
    for name in ("55 % shared", "prior 100 × 10", "prior 30 × 10"):
        below = max(at(f"everybody's, {name}", span) - at(name, span) for span in SPANS)
        musts.append(Must(f"{name}: below everybody's taste", "<= 1 anywhere", f"{max(0.0, below):.1f}", below <= 1))
    return musts


def _speed() -> dict[str, float]:
    """One update of 46 features, one whole proposal for a listener without ratings."""
    rng = np.random.default_rng(1)
    taste = Taste.start(PopulationModel.with_weights(np.zeros(SIZE)))
    seen = rng.normal(size=(200, SIZE))
    update = _median(lambda turn: taste.update(seen[turn], 4.0), 200)
    whole = _median(lambda turn: propose(Request("chill"), Profile("benchmark"), seed=turn), 20)
    return {"update": update, "propose": whole}


def _median(work: Any, times: int) -> float:
    spent = []
    for turn in range(times):
        began = time.perf_counter()
        work(turn)
        spent.append(1000 * (time.perf_counter() - began))
    return float(np.median(spent))


def _fast(speed: dict[str, float]) -> list[Must]:
    limits = {"update": 2.0, "propose": 50.0}
    return [
        Must(f"{name}, median", f"<= {limit:.0f} ms", f"{speed[name]:.2f} ms", speed[name] <= limit)
        for name, limit in limits.items()
    ]
