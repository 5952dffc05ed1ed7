"""The `taste` table through the real generator: does the piece made for a listener please them more than one that is
made for nobody?

Composed, arranged and performed for real: the transformer writes every take, the drummer its drums, the style paints
it; what listeners rate is measured on the performed score, as it is for real listeners. Not rendered: no audio is made,
since tempo, key, density, register, harmony and instruments are in the notes, and rendering is nine tenths of the time.

Each listener rates ten pieces that were made for them, one after the other. Then pieces from the same request and the
same seed are made twice, with their taste and for a stranger, both from the same number of takes; the pair goes to the
one they truly like more (a tie counts half).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.console import Console

from benchmarks.result import Must, Options, Rows
from generator.arrange.blend import style_of
from generator.brief import Attributes, Mood
from generator.errors import GeneratorError
from generator.pipeline import compose_takes
from generator.publish import Clock
from personalization.evaluate.hearers import Hearer, draw_hearer
from personalization.profile import Profile, RatedTrack
from personalization.propose import propose
from personalization.request import Request
from personalization.rerank import load_ranker

LISTENERS, QUICK_LISTENERS = 16, 3
RATINGS, PAIRS, QUICK_PAIRS = 10, 6, 3
TAKES, LENGTH_S = 2, 20.0
WISHES = ("something nice", "chill", "happy", "energetic", "dreamy", "focus", "romantic", "dark")


@dataclass(frozen=True, slots=True)
class _Piece:
    attributes: Attributes
    mood: Mood


def heard(options: Options) -> tuple[Rows, Must]:
    """Rows and the must."""
    console = Console(stderr=True, highlight=False)
    listeners, pairs = (QUICK_LISTENERS, QUICK_PAIRS) if options.quick else (LISTENERS, PAIRS)
    stranger = Profile("benchmark")
    usual = [_first(stranger, text, seed).attributes for seed in range(2) for text in WISHES]
    won: list[float] = []
    gained: list[float] = []
    for number in range(listeners):
        rng = np.random.default_rng([number, 77])
        listener = draw_hearer(rng, usual)
        profile = _rated(listener, rng, number)
        for turn in range(pairs):
            text, seed = str(rng.choice(WISHES)), 10_000 * (number + 1) + turn
            mine, anyones = _first(profile, text, seed), _first(stranger, text, seed)
            lead = listener.liking(mine.attributes, mine.mood) - listener.liking(anyones.attributes, anyones.mood)
            won.append(1.0 if lead > 0 else 0.5 if lead == 0 else 0.0)
            gained.append(lead)
        console.print(f"listener {number + 1}: {100 * np.mean(won):.0f} % of {len(won)} pairs so far")
    share, error = 100 * float(np.mean(won)), 100 * float(np.std(won) / len(won) ** 0.5)
    row = {"pairs": len(won), "share": share, "error": error, "stars": float(np.mean(gained))}
    columns = {"pairs": "pairs", "share": "personal one liked more, %", "error": "±", "stars": "stars gained"}
    rows = Rows(f"Through the generator, after {RATINGS} ratings, {listeners} listeners", columns, [row], {"share": 1})
    return rows, Must("personal piece beats the unpersonal one", ">= 70 %, aim 80", f"{share:.1f} %", share >= 70)


def _rated(listener: Hearer, rng: np.random.Generator, number: int) -> Profile:
    """The listener after RATINGS pieces, each made for what was known until then."""
    profile = Profile("benchmark")
    for turn in range(RATINGS):
        piece = _first(profile, str(rng.choice(WISHES)), 1_000 * (number + 1) + turn)
        stars = listener.rate(piece.attributes, piece.mood, rng)
        rated = RatedTrack(str(turn), "", piece.attributes, piece.mood, stars)
        styles = (piece.attributes.styles[0][0], *profile.recent_styles)
        profile = Profile("benchmark", ratings=(*profile.ratings, rated), recent_styles=styles)
    return profile


def _first(profile: Profile, text: str, seed: int) -> _Piece:
    """The take that this listener would be served."""
    for again in range(20):
        proposal = propose(Request(text, length_s=LENGTH_S), profile, seed=seed + 100_000 * again)
        brief, rank = proposal.brief, load_ranker(proposal.ranker)
        try:
            takes = compose_takes(brief, style_of(brief), TAKES, Clock(lambda _progress: None), rank)
        except GeneratorError:  # every take came too close to a known melody; a real request fails and is made again
            continue
        scores = rank([take.attributes for take in takes])
        return _Piece(takes[int(np.argmax(scores))].attributes, brief.mood)
    raise RuntimeError(f"no piece for “{text}” in twenty tries")
