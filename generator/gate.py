"""The originality gate: a take that is too close to a training melody is written again, three times at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from generator.arrange.style import Style
from generator.brief import Brief
from generator.compose import Judge, Lead, bar_steps, compose
from generator.errors import OriginalityError
from generator.measure.originality import Originality, load_index
from generator.model.desk import Writing
from generator.plan import Plan
from generator.seeds import stream

TRIES = 3
"""How often a take is written again."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A take that passed, what its melody shares with the training melodies, and how often it was written again."""

    lead: Lead
    seed: int
    originality: Originality
    rewritten: int


def compose_original(
    brief: Brief,
    plan: Plan,
    style: Style,
    seeds: Sequence[int],
    on_progress: Callable[[float], None] = lambda _share: None,
    judge: Judge | None = None,
) -> Writing[list[Checked]]:
    """One checked Lead for each seed, in order; takes that stay too close to a training melody are left out.

    Raises OriginalityError when none is left.
    """
    passed: dict[int, Checked] = {}
    pending = dict(enumerate(seeds))
    worst: Originality | None = None
    for attempt in range(TRIES + 1):
        own = {take: again(seed, attempt) for take, seed in pending.items()}
        told = on_progress if attempt == 0 else _silent
        leads = yield from compose(brief, plan, style, list(own.values()), told, judge)
        for take, lead in zip(own, leads, strict=True):
            found = check(lead, plan)
            if found.passed:
                passed[take] = Checked(lead, pending.pop(take), found, attempt)
            elif worst is None or found.similarity > worst.similarity:
                worst = found
        if not pending:
            break
    if not passed:
        nearest = worst.nearest if worst else "a training melody"
        raise OriginalityError(
            f"Every melody written for this came too close to “{nearest}”; another seed or other wishes will do better."
        )
    return [passed[take] for take in sorted(passed)]


def again(seed: int, attempt: int) -> int:
    """The seed of a take's n-th rewriting; the take itself for 0."""
    return seed if attempt == 0 else int(stream(seed, f"rewriting {attempt}").integers(0, 2**62))


def check(lead: Lead, plan: Plan) -> Originality:
    """What all of a take's material shares with the training melodies."""
    bars = [bar for name, material in lead.materials.items() if name in plan.materials for bar in material]
    return load_index().check(bars, bar_steps(plan))


def _silent(_share: float) -> None:
    """Rewriting does not run the progress back."""
