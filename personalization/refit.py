"""The shared taste of this server, learned from the ratings its listeners gave: refitted from scratch each time, so
that whatever was deleted since is gone from it.

It starts from the hand-made prior and moves away as far as the ratings say. It is served only when it predicts
listeners it has not seen better than the hand-made prior does. Only ratings of our own pieces come in here: no
listening history, no message, nothing of any service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from generator.brief import Attributes, Mood
from personalization.basis import Array
from personalization.features import features
from personalization.population import PopulationModel
from personalization.taste import Taste

LEAST_LISTENERS, LEAST_RATINGS = 5, 50
GROUP_LISTENERS = 5  # that a group needs before it is spoken of
_GROUP_VARIANCE = 0.003  # of a group's weight: a tenth of a listener's own
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class GivenRating:
    """One rating in force: whose, of what, in which mood, how many stars; `groups` as `About.groups` names them."""

    listener_id: str
    attributes: Attributes
    mood: Mood
    stars: int
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedTaste:
    """What this server's listeners have in common. `groups` (p + 1,) are added to the weights of who belongs there.

    `gain` is by how many nats a rating it predicts unseen listeners better than the hand-made prior.
    """

    population: PopulationModel
    listeners: int
    ratings: int
    gain: float
    excluded: int = 0
    groups: dict[str, Array] = field(default_factory=dict)

    @property
    def serves(self) -> bool:
        """Whether it is better than the hand-made prior."""
        return bool(self.gain > 0)

    def prior_for(self, groups: Iterable[str]) -> PopulationModel:
        """The prior of a listener of these groups."""
        shifts = [self.groups[name] for name in groups if name in self.groups]
        if not shifts:
            return self.population
        shift = np.mean(shifts, axis=0)
        model = PopulationModel.from_dict(self.population.to_dict())
        model.weights = model.weights + shift[:-1]
        model.mean += float(shift[-1])
        return model

    def to_dict(self) -> dict[str, Any]:
        return {
            "population": self.population.to_dict(), "listeners": self.listeners, "ratings": self.ratings,
            "gain": self.gain, "excluded": self.excluded,
            "groups": {name: shift.tolist() for name, shift in self.groups.items()},
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SharedTaste:
        groups = {name: np.asarray(shift, dtype=np.float64) for name, shift in data["groups"].items()}
        population = PopulationModel.from_dict(data["population"])
        return cls(population, data["listeners"], data["ratings"], data["gain"], data["excluded"], groups)


def refit(given: Sequence[GivenRating], prior: PopulationModel) -> SharedTaste | None:
    """The shared taste from all ratings in force, the oldest first; None while they are too few to tell anything."""
    who = np.array([rating.listener_id for rating in given])
    names = np.unique(who)
    if len(names) < LEAST_LISTENERS or len(given) < LEAST_RATINGS:
        return None
    x = np.stack([features(rating.attributes, rating.mood) for rating in given])
    y = np.array([rating.stars for rating in given], dtype=np.float64)
    gain = 0.0
    for fold in range(_FOLDS):
        out = np.isin(who, names[fold::_FOLDS])
        model = PopulationModel().fit(x[~out], y[~out], who[~out], around=prior)
        gain += _told(model, x[out], y[out], who[out]) - _told(prior, x[out], y[out], who[out])
    model = PopulationModel().fit(x, y, who, around=prior)
    excluded = set(model.excluded)
    return SharedTaste(
        model, len(names), len(given), gain / len(given), len(excluded), _groups(given, model, x, y, excluded)
    )  # fmt: skip


def _told(model: PopulationModel, x: Array, y: Array, who: np.ndarray) -> float:
    """How likely (nats) the ratings of listeners are, each predicted from those they gave before."""
    total = 0.0
    for name in np.unique(who):
        taste = Taste.start(model)
        for row, stars in zip(x[who == name], y[who == name], strict=True):
            mean, spread = taste.predict(row)
            variance = float(spread[0]) ** 2 + model.noise**2
            total -= 0.5 * (np.log(variance) + (stars - float(mean[0])) ** 2 / variance)
            taste.update(row, float(stars))
    return total


def _groups(
    given: Sequence[GivenRating], model: PopulationModel, x: Array, y: Array, excluded: set[str]
) -> dict[str, Array]:
    """What groups of enough listeners add to the shared weights: ridge regression with a small variance."""
    members: dict[str, list[int]] = {}
    for index, rating in enumerate(given):
        if rating.listener_id not in excluded:
            for name in rating.groups:
                members.setdefault(name, []).append(index)
    z = np.hstack([model.basis.expand(x), np.ones((len(x), 1))])
    residual = y - model.predict(x)
    noise = model.noise**2 + float(np.diag(model.spread).sum())  # own tastes are noise here
    found: dict[str, Array] = {}
    for name, rows in members.items():
        if len({given[index].listener_id for index in rows}) >= GROUP_LISTENERS:
            part = z[rows]
            precision = part.T @ part / noise + np.eye(part.shape[1]) / _GROUP_VARIANCE
            found[name] = np.asarray(np.linalg.solve(precision, part.T @ residual[rows] / noise), np.float64)
    return found
