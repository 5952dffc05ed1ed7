"""Simulated listeners are as consistent as people are, and the model serves them better than everybody's taste does."""

from __future__ import annotations

import numpy as np

from personalization.evaluate.live import Known, serve
from personalization.evaluate.worlds import World, draw_moods, draw_pieces, ratings, stars
from personalization.population import PopulationModel


def test_listeners_repeat_themselves_about_as_often_as_people_do():
    world, rng = World(5), np.random.default_rng(1)
    first, second = [], []
    for _ in range(200):
        listener = world.listener(rng)
        for value in world.liking(listener, draw_pieces(rng, 5), draw_moods(rng, 5)):
            first.append(stars(listener, value, rng))
            second.append(stars(listener, value, rng))
    assert 0.45 < np.corrcoef(first, second)[0, 1] < 0.65
    shares = np.bincount(np.array(first, dtype=int), minlength=6)[1:] / len(first)
    assert shares[2] == max(shares)
    assert all(0.05 < share < 0.45 for share in shares)


def test_what_a_listener_says_of_themselves_serves_them_better():
    world = World(5)
    prior = PopulationModel().fit(*ratings(world, 60, 20, seed=2))

    def served(known: Known) -> float:
        return float(serve(world, prior, known, listeners=15, rounds=12, seed=3).mean())

    everybody, told = served(Known(learns=False)), served(Known(listens=True, statements=True))
    assert everybody > 0.1
    assert told > everybody + 0.05
