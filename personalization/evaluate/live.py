"""Serve simulated listeners round after round, and say how much better than chance they were served.

Gain share: (liking of what was served - mean of the pool) / (best of the pool - mean of the pool), liking cut to the
scale of 1 to 5. 0 is chance, 1 is knowing everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from personalization.basis import Array
from personalization.evaluate.worlds import (
    See,
    World,
    changed_mind,
    draw_moods,
    draw_pieces,
    features,
    listens,
    stars,
    statements,
)
from personalization.population import PopulationModel
from personalization.taste import Statement, Taste

POOL = 300
_CHANGES_AT = 12
_CENSUS = 200  # listeners who are asked what everybody likes


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a listener before their first rating, and whether their ratings are learned at all."""

    listens: bool = False
    statements: bool = False
    learns: bool = True


def serve(
    world: World,
    prior: PopulationModel,
    known: Known,
    *,
    listeners: int,
    rounds: int,
    seed: int,
    see: See = features,
) -> Array:
    """Gain shares (listeners, rounds); those who answer by dice are left out."""
    rng = np.random.default_rng(seed)
    gains: list[Array] = []
    while len(gains) < listeners:
        listener = world.listener(rng)
        said: list[Statement] = []
        if known.listens:
            said += listens(world, listener, rng, see)
        if known.statements:
            said += statements(listener, see)
        taste = Taste.start(prior, said)
        row = np.zeros(rounds)
        for turn in range(rounds):
            if listener.changes and turn == _CHANGES_AT:
                listener = changed_mind(listener, rng)
            pieces, moods = draw_pieces(rng, POOL), np.repeat(draw_moods(rng, 1), POOL, axis=0)
            seen, liking = see(pieces, moods), world.liking(listener, pieces, moods)
            expected = taste.predict(seen)[0] if known.learns else prior.predict(seen)
            chosen = int(np.argmax(expected))
            row[turn] = _gain(liking, chosen)
            given = stars(listener, liking[chosen], rng)
            if known.learns:
                taste.update(seen[chosen], given)
        if not listener.dice:
            gains.append(row)
    return np.array(gains)


def most_possible(world: World, *, listeners: int, seed: int) -> Array:
    """Gain shares (listeners, 1) of who knows exactly what people like on average, and nothing of this listener.

    No first proposal to a stranger can do better, whatever the model.
    """
    rng = np.random.default_rng(seed)
    others = [world.listener(rng) for _ in range(_CENSUS)]
    gains = []
    for _ in range(listeners):
        listener = world.listener(rng)
        pieces, moods = draw_pieces(rng, POOL), np.repeat(draw_moods(rng, 1), POOL, axis=0)
        average = np.mean([np.clip(world.liking(one, pieces, moods), 1, 5) for one in others], axis=0)
        gains.append([_gain(world.liking(listener, pieces, moods), int(np.argmax(average)))])
    return np.array(gains)


def _gain(liking: Array, chosen: int) -> float:
    real = np.clip(liking, 1, 5)
    return float((real[chosen] - real.mean()) / (real.max() - real.mean()))
