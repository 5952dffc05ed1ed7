"""Simulated listeners, to judge the preference model by: worlds in which the truth is known.

A piece is one of 8 styles and 8 continuous attributes in [-1, 1]; a request comes with a mood. What a listener likes is
a share of what everybody likes (`shared`) and for the rest their own: leanings to styles, partly those of their crowd,
and one or two places among the attributes, which the mood moves along with it or against it. They rate with a bias
and with noise; one in twenty answers by dice, one in ten changes their mind once.

Calibrated on people: the same piece rated twice agrees with r ≈ 0.55, and stars fall about 9/22/33/25/11 % (SiTunes:
r 0.53; CHIIR 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from personalization.basis import Array
from personalization.taste import Statement

See = Callable[[Array, Array], Array]
"""What a model sees of pieces (n, 16) in moods (n, 2)."""

STYLES, ATTRIBUTES = 8, 8
MIDDLE, REACH = 3.05, 0.70  # stars: of a typical piece, and of one deviation of liking
_CROWDS = 6
_CALIBRATION = 3000  # pieces
_LISTENED = 15


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody's truth. `mood_pull` is positive for who wants music like their mood, negative for who wants relief."""

    styles: Array  # (STYLES,)
    places: Array  # (1 or 2, ATTRIBUTES)
    heights: Array  # of the places
    attention: Array  # (ATTRIBUTES,), sums to their number
    width: float
    mood_pull: float
    bias: float
    noise: float
    dice: bool
    changes: bool


class World:
    """A population. Listeners of one world share an appeal and belong to its crowds; another seed is another world."""

    def __init__(self, seed: int, shared: float = 0.25) -> None:
        rng = np.random.default_rng(seed)
        self.shared = shared
        self._styles = rng.normal(size=STYLES)
        self._places = rng.uniform(-0.8, 0.8, (2, ATTRIBUTES))
        self._attention = rng.dirichlet(np.ones(ATTRIBUTES)) * ATTRIBUTES
        self._slopes = 0.5 * rng.normal(size=ATTRIBUTES)
        self._crowds = [(rng.normal(size=STYLES), rng.uniform(-0.8, 0.8, ATTRIBUTES)) for _ in range(_CROWDS)]
        pieces, moods = draw_pieces(rng, _CALIBRATION), draw_moods(rng, _CALIBRATION)
        appeal = self._appeal(pieces)
        own = [_own(self.listener(rng), pieces, moods) for _ in range(60)]
        self._appeal_scale = float(appeal.mean()), float(appeal.std())
        self._own_scale = float(np.mean(own)), float(np.mean([one.std() for one in own]))

    def listener(self, rng: np.random.Generator) -> Listener:
        styles, place = self._crowds[int(rng.integers(_CROWDS))]
        count = int(rng.integers(1, 3))
        return Listener(
            styles=0.6 * styles + 0.8 * rng.normal(size=STYLES),
            places=np.clip(place + rng.normal(0, 0.45, (count, ATTRIBUTES)), -1, 1),
            heights=np.append(1.0, rng.uniform(0.5, 1.0, count - 1)),
            attention=rng.dirichlet(np.full(ATTRIBUTES, 1.5)) * ATTRIBUTES,
            width=float(rng.uniform(4, 9)),
            mood_pull=float(rng.choice([1, -1], p=[0.7, 0.3]) * rng.uniform(0.1, 0.5)),
            bias=float(rng.normal(0, 0.35)),
            noise=float(rng.uniform(0.55, 0.85)),
            dice=bool(rng.random() < 0.05),
            changes=bool(rng.random() < 0.1),
        )

    def liking(self, listener: Listener, pieces: Array, moods: Array) -> Array:
        """What the listener would say of each piece (n,) in stars, without noise and without the scale's ends."""
        shared = (self._appeal(pieces) - self._appeal_scale[0]) / self._appeal_scale[1]
        own = (_own(listener, pieces, moods) - self._own_scale[0]) / self._own_scale[1]
        mixed = np.sqrt(self.shared) * shared + np.sqrt(1 - self.shared) * own
        return np.asarray(MIDDLE + listener.bias + REACH * mixed)

    def _appeal(self, pieces: Array) -> Array:
        styles, attributes = pieces[:, :STYLES], pieces[:, STYLES:]
        far = ((attributes[:, None] - self._places) ** 2 * self._attention).sum(axis=2)
        place = np.exp(-far / 6).max(axis=1)
        return np.asarray(0.7 * styles @ self._styles + 2.4 * place + 0.5 * attributes @ self._slopes)


def _own(listener: Listener, pieces: Array, moods: Array) -> Array:
    attributes = pieces[:, STYLES:].copy()
    attributes[:, :2] -= listener.mood_pull * moods
    far = ((attributes[:, None] - listener.places) ** 2 * listener.attention).sum(axis=2)
    place = (listener.heights * np.exp(-far / listener.width)).max(axis=1)
    return np.asarray(0.55 * pieces[:, :STYLES] @ listener.styles + 3.2 * place)


def changed_mind(listener: Listener, rng: np.random.Generator) -> Listener:
    moved = np.clip(listener.places + rng.normal(0, 0.5, listener.places.shape), -1, 1)
    return replace(listener, places=moved)


def stars(listener: Listener, liking: float, rng: np.random.Generator) -> float:
    """The rating they give: 1 to 5."""
    if listener.dice:
        return float(rng.integers(1, 6))
    return float(np.clip(np.round(liking + rng.normal(0, listener.noise)), 1, 5))


def draw_pieces(rng: np.random.Generator, count: int) -> Array:
    """(count, STYLES + ATTRIBUTES); the fifth attribute is the mode, minor or major."""
    pieces = np.zeros((count, STYLES + ATTRIBUTES))
    pieces[np.arange(count), rng.integers(0, STYLES, count)] = 1
    pieces[:, STYLES:] = rng.uniform(-1, 1, (count, ATTRIBUTES))
    pieces[:, STYLES + 4] = np.sign(pieces[:, STYLES + 4])
    return pieces


def draw_moods(rng: np.random.Generator, count: int) -> Array:
    """(count, 2): valence and arousal."""
    return rng.uniform(-1, 1, (count, 2))


def features(pieces: Array, moods: Array) -> Array:
    """What a model sees of pieces in moods, (n, 46): plain, squares, crosses with the mood and with each other."""
    at = pieces[:, STYLES:]
    pairs = np.stack([at[:, 0] * at[:, 1], at[:, 2] * at[:, 3], at[:, 0] * at[:, 4]], axis=1)
    return np.hstack([pieces, at**2, moods[:, :1] * at, moods[:, 1:] * at, moods, moods[:, :1] * moods[:, 1:], pairs])


def plain(pieces: Array, moods: Array) -> Array:
    """The same without anything prepared, (n, 18): pieces and moods as they are."""
    return np.hstack([pieces, moods])


def ratings(world: World, listeners: int, each: int, seed: int, see: See = features) -> tuple[Array, Array, Array]:
    """What a population model is fitted on: features (n, d), ratings (n,), whose they are (n,)."""
    rng = np.random.default_rng(seed)
    seen, given = [], []
    for _ in range(listeners):
        listener = world.listener(rng)
        pieces, moods = draw_pieces(rng, each), draw_moods(rng, each)
        seen.append(see(pieces, moods))
        given += [stars(listener, value, rng) for value in world.liking(listener, pieces, moods)]
    return np.concatenate(seen), np.array(given), np.repeat(np.arange(listeners), each)


def listens(world: World, listener: Listener, rng: np.random.Generator, see: See = features) -> list[Statement]:
    """A short history as pseudo-ratings: what they played, and what they might have played."""
    pieces, moods = draw_pieces(rng, 400), draw_moods(rng, 400)
    liking = world.liking(listener, pieces, moods)
    shares = np.exp((liking - liking.max()) / 0.35)
    played = rng.choice(400, _LISTENED, replace=False, p=shares / shares.sum())
    seen = see(pieces, moods)
    others = rng.choice(400, _LISTENED, replace=False)
    return [(seen[i], 4.0, 1.2**0.5) for i in played] + [(seen[i], 3.0, 2.4**0.5) for i in others]


def statements(listener: Listener, see: See = features) -> list[Statement]:
    """Two styles they say they like, and one they do not."""
    order = np.argsort(-listener.styles)
    said = [(order[0], 4.3), (order[1], 4.3), (order[-1], 1.8)]
    return [(see(_only(style), np.zeros((1, 2)))[0], value, 1.0) for style, value in said]


def _only(style: int) -> Array:
    piece = np.zeros((1, STYLES + ATTRIBUTES))
    piece[0, style] = 1
    return piece
