"""From a request and a listener to a Brief: candidates inside what was asked, the taste chooses, reasons are kept.

Within the asked mood and style 300 candidates are drawn; the listener's expected rating, plus a share of its
uncertainty that the novelty dial scales, makes a soft choice (`choice.py`). What could have been chosen, and how
probably, is logged, so that choices can be judged later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np

from generator.brief import TEMPO_RANGE_BPM, Brief, Key, Mood
from personalization.basis import Array
from personalization.blend import blend
from personalization.choice import Choice, choose, overheard
from personalization.explain import reasons
from personalization.features import NAMES, expected_attributes, features, usual_spread
from personalization.genres import STYLE_FACTS, StyleFacts
from personalization.population import PopulationModel
from personalization.profile import Heard, Profile, summarise_plays
from personalization.request import Request
from personalization.rerank import make_ranker
from personalization.signals import ALIKE, NOISE, WORTH
from personalization.statements import Statement, evidence, instruments_of
from personalization.taste import Taste
from personalization.understand import Understanding, understand

CANDIDATES = 300
LOGGED = 16  # candidates
_ALIKE = 1e-6
STYLE_PULL = 0.25  # stars lost for each factor e by which a style suits mood and history less than the best
_STANDING = 0.5  # share of the pieces that have an instrument because it was once said to be liked
DEFAULT_LENGTH_S = 60.0
DEFAULT_NOVELTY = 0.15
_COMMON_TONICS = (0, 2, 3, 4, 5, 7, 9, 10)

# What most people agree on before anyone has rated: a piece should answer the mood it was asked for.
_PRIOR = {
    "mood valence × valence": 0.20, "mood valence × minor": -0.12, "mood valence × brightness": 0.05,
    "mood arousal × arousal": 0.15, "mood arousal × tempo": 0.06, "mood arousal × density": 0.06,
    "density²": -0.10, "complexity²": -0.08, "brightness²": -0.06,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to compose and why. `probability` is that of this pick among all; `ranker` travels with the job; `choice`
    is the log of what else could have been chosen."""

    brief: Brief
    why: tuple[str, ...]
    heard: tuple[str, ...]
    unknown: tuple[str, ...]
    probability: float
    ranker: dict[str, Any]
    choice: dict[str, Any]


def prior() -> PopulationModel:
    """The population model that ships: nobody's ratings, only the agreement above."""
    return PopulationModel.with_weights([_PRIOR.get(name, 0.0) for name in NAMES], scale=usual_spread())


def taste_of(profile: Profile) -> Taste:
    """The posterior of a listener, from their own words, ratings and doings (never from listening histories)."""
    taste = Taste.start(profile.prior or prior(), evidence(profile.statements))
    for signal in profile.signals:
        taste.update(features(signal.attributes, signal.mood), WORTH[signal.kind], NOISE)
    for pair in profile.comparisons:
        first, second = features(*pair.first), features(*pair.second)
        if pair.verdict in ALIKE:
            for one in (first, second):
                taste.update(one, ALIKE[pair.verdict], NOISE)
        else:
            taste.compare(*((first, second) if pair.verdict == "first" else (second, first)))
    for rated in profile.ratings:
        taste.update(features(rated.attributes, rated.mood), rated.stars)
    return taste


def propose(request: Request, profile: Profile, *, seed: int, others: Sequence[Profile] = ()) -> Proposal:
    """Choose a Brief. The same request, profiles and seed give the same Brief.

    Args:
        others: listeners the piece is for as well; the request says by which rule their tastes are blended.

    Raises:
        RequestError: the text asks for something impossible.
    """
    seed = seed if request.seed is None else request.seed
    found = _with_standing_wishes(
        understand(request.text), [said for one in (profile, *others) for said in one.statements], seed
    )
    rng = np.random.default_rng([seed & 0xFFFFFFFF, seed >> 32, crc32(b"propose")])
    history = summarise_plays(profile.plays)
    styles = _asked_styles(request, found)
    mood = _adjusted(request, found) or found.mood or _usual_mood(styles, history)
    novelty = DEFAULT_NOVELTY if request.novelty is None else request.novelty
    suitable = _style_weights(mood, history, found.hinted_styles)
    drawn = [_draw(request, found, styles, mood, novelty, suitable, seed, rng) for _ in range(CANDIDATES)]
    taste = taste_of(profile)
    pull = {} if styles else _style_pull(suitable)
    seen = np.stack([features(expected_attributes(brief), mood) for brief in drawn])
    group = [taste, *map(taste_of, others)]
    mean, spread = taste.predict(seen)
    blended = blend(group, seen) if others else None
    if blended is not None:  # spread as one listener's stars are, so that softness and pull mean the same
        worth = blended.values(request.blend_rule)
        mean = mean.mean() + (worth - worth.mean()) * float(mean.std() / max(worth.std(), _ALIKE))
    value = mean + _curious(spread, [brief.style for brief in drawn], novelty)
    value += np.array([pull.get(brief.style, 0.0) for brief in drawn])
    avoid = frozenset[str]() if styles else overheard(profile.recent_styles)
    choice = choose(drawn, value, rng, avoid=avoid, novelty=max(0.0, novelty - DEFAULT_NOVELTY))
    why = reasons(request, found, choice.brief, profile, history, asked_style=bool(styles))
    if avoid and choice.brief.style not in avoid:
        why = (*why[:2], f"your last {len(profile.recent_styles)} pieces were all {_named(avoid)}, so here is another")
    if blended is not None:
        names = [one.listener_id for one in (profile, *others)]
        matches = zip(names, blended.match(choice.pick), strict=True)
        why = (*why[:2], f"it suits {', '.join(f'{name} {match} %' for name, match in matches)}")
    return Proposal(
        brief=choice.brief,
        why=why,
        heard=found.heard,
        unknown=found.unknown,
        probability=choice.probability,
        ranker=make_ranker(group, mood),
        choice=_log(choice, seen),
    )


def _curious(spread: Array, styles: Sequence[str], novelty: float) -> Array:
    """Stars that doubt (n,) is worth beyond what is expected of a piece: what nobody has tried may please.

    Only within a style, so that nobody's “happy” becomes the style of which least is known; without novelty nothing.
    At the usual .15 simulated listeners liked their eleventh piece .15 stars more than with a quarter of it.
    """
    named = np.array(styles)
    usual = np.zeros(len(spread))
    for style in dict.fromkeys(styles):
        usual[named == style] = spread[named == style].mean()
    return np.asarray(min(2.4 * novelty, 0.36) * (spread - usual))


def _named(styles: frozenset[str]) -> str:
    return " or ".join(sorted(STYLE_FACTS[name].label for name in styles))


def _asked_styles(request: Request, found: Understanding) -> dict[str, float]:
    """The style mixture asked for: by the options, else by the text."""
    return {name: 1.0 / len(request.styles) for name in request.styles} if request.styles else found.styles


def _adjusted(request: Request, found: Understanding) -> Mood | None:
    """The mood as somebody set it by hand, with the words it replaces."""
    return None if request.mood is None else Mood(*request.mood, found.mood.words if found.mood else ())


def _with_standing_wishes(found: Understanding, said: Sequence[Statement], seed: int) -> Understanding:
    """What listeners have said of instruments, where the text does not say otherwise: those they dislike stay out of
    every piece, those they like are in every other one."""
    rng = np.random.default_rng([seed & 0xFFFFFFFF, seed >> 32, crc32(b"instruments")])
    liked = instruments_of(said, liked=True) if rng.random() < _STANDING else ()
    wanted = found.wanted or tuple(name for name in liked if name not in found.unwanted)
    disliked = tuple(name for name in instruments_of(said, liked=False) if name not in wanted)
    return replace(found, wanted=wanted, unwanted=tuple(dict.fromkeys((*found.unwanted, *disliked))))


def _usual_mood(styles: dict[str, float], history: Heard) -> Mood:
    """Without a mood word, the mood that is usual for the asked or most heard style."""
    weights = styles or history.styles or {"lofi": 1.0}
    total = sum(weights.values())
    valence = sum(STYLE_FACTS[name].valence * weight for name, weight in weights.items()) / total
    arousal = sum(STYLE_FACTS[name].arousal * weight for name, weight in weights.items()) / total
    return Mood(round(valence, 3), round(arousal, 3))


def _draw(
    request: Request,
    found: Understanding,
    styles: dict[str, float],
    mood: Mood,
    novelty: float,
    suitable: dict[str, float],
    seed: int,
    rng: np.random.Generator,
) -> Brief:
    """One candidate inside what was asked. Novelty widens the draw."""
    mixture = styles or {_draw_style(suitable, rng): 1.0}
    facts = STYLE_FACTS[max(mixture, key=lambda name: mixture[name])]
    hint = found.hinted
    wide = 0.6 + 1.6 * novelty

    def around(middle: float, spread: float) -> float:
        return float(np.clip(middle + rng.normal(0.0, spread * wide), 0.02, 0.98))

    livelier = mood.arousal - facts.arousal
    felt = Mood(_near(mood.valence, 0.08 * wide, rng), _near(mood.arousal, 0.08 * wide, rng), mood.words)
    brief = Brief(
        styles=tuple(sorted(mixture.items(), key=lambda pair: -pair[1])),
        mood=felt,
        tempo_bpm=_tempo(request, found, facts, livelier, wide, rng),
        key=_key(request, found, facts, mood, rng),
        meter=request.meter or found.meter or "4/4",
        length_s=request.length_s or found.length_s or DEFAULT_LENGTH_S,
        seed=seed,
        density=around(facts.density + 0.18 * livelier + hint.get("density", 0.0), 0.12),
        complexity=around(facts.complexity, 0.12),
        brightness=around(facts.brightness + 0.15 * (mood.valence - facts.valence) + hint.get("brightness", 0.0), 0.10),
        acousticness=around(facts.acousticness + hint.get("acousticness", 0.0), 0.18),
        swing=facts.swing,
        novelty=novelty,
        instruments_wanted=found.wanted,
        instruments_unwanted=found.unwanted,
        text=request.text.strip(),
        loop=request.loop,
    )
    asked = {"density": request.density, "brightness": request.brightness}
    return replace(brief, **{name: value for name, value in asked.items() if value is not None})  # type: ignore[arg-type]


def _near(value: float, spread: float, rng: np.random.Generator) -> float:
    return float(np.clip(value + rng.normal(0.0, spread), -1.0, 1.0))


def _style_weights(mood: Mood, history: Heard, hinted: dict[str, float]) -> dict[str, float]:
    """How well each style suits the mood, leaning to what the listener plays and to what the words hint at; every
    style keeps a floor."""
    weights = {}
    for name, facts in STYLE_FACTS.items():
        share = history.styles.get(name, 0.0) + hinted.get(name, 0.0)
        distance = (facts.valence - mood.valence) ** 2 + (facts.arousal - mood.arousal) ** 2
        weights[name] = (0.12 + share) * math.exp(-2.5 * distance) + 0.01
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _draw_style(weights: dict[str, float], rng: np.random.Generator) -> str:
    return list(weights)[int(rng.choice(len(weights), p=list(weights.values())))]


def _style_pull(weights: dict[str, float]) -> dict[str, float]:
    """In stars, 0 for the most suitable style and negative for the others."""
    best = max(weights.values())
    return {name: STYLE_PULL * math.log(weight / best) for name, weight in weights.items()}


def _tempo(
    request: Request, found: Understanding, facts: StyleFacts, livelier: float, wide: float, rng: np.random.Generator
) -> float:
    drift = rng.normal(0.0, 0.07 * wide)  # drawn also when unused, so that other draws do not move
    asked = request.tempo_bpm or found.tempo_bpm
    if asked:
        return float(asked)
    tempo = facts.tempo * math.exp(0.22 * livelier + drift)
    tempo = min(facts.tempo_high, max(facts.tempo_low, tempo)) * found.pace
    low, high = TEMPO_RANGE_BPM
    return round(min(high, max(low, tempo)), 1)


def _key(request: Request, found: Understanding, facts: StyleFacts, mood: Mood, rng: np.random.Generator) -> str:
    tonic = _COMMON_TONICS[int(rng.integers(len(_COMMON_TONICS)))]
    chance = 1 / (1 + math.exp(2.6 * (mood.valence - facts.valence)) * (1 - facts.minor) / facts.minor)
    minor = rng.random() < chance
    asked = request.key or found.key
    if asked:
        return str(Key.parse(asked))
    mode = found.mode or ("minor" if minor else "major")
    return str(Key(tonic, mode))


def _log(choice: Choice, seen: Array) -> dict[str, Any]:
    """The likeliest candidates and the chosen one: features, shares, and which was taken."""
    kept = list(choice.options[:LOGGED])
    if choice.pick not in kept:
        kept[-1] = choice.pick
    share = dict(zip(choice.options, choice.shares, strict=True))
    return {
        "features": [[round(float(value), 3) for value in seen[i]] for i in kept],
        "shares": [round(share[i], 6) for i in kept],
        "taken": kept.index(choice.pick),
    }
