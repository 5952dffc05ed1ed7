"""What we believe of a listener, in words and numbers they can check."""

from __future__ import annotations

from dataclasses import dataclass

from generator.brief import STYLES
from personalization.features import CONTINUOUS, NAMES
from personalization.genres import STYLE_FACTS
from personalization.profile import Profile, summarise_plays
from personalization.propose import taste_of
from personalization.statements import evidence

_POLES = {
    "valence": ("dark", "bright in mood"), "arousal": ("calm", "lively"), "tempo": ("slow", "fast"),
    "density": ("sparse", "busy"), "minor": ("major keys", "minor keys"),
    "acousticness": ("electronic", "acoustic"), "complexity": ("plain harmony", "rich harmony"),
    "brightness": ("low register", "high register"), "novelty": ("the familiar", "surprises"),
}  # fmt: skip
_NOTABLE = 0.02  # stars per unit; below it nothing is known


@dataclass(frozen=True, slots=True)
class TasteView:
    """`styles`: (name, share of the listening, reason), the most liked first. `attributes`: (phrase, stars it is
    worth, reason). `statements`: (value, liked, whether our tables know what it is).
    """

    styles: tuple[tuple[str, float, str], ...]
    attributes: tuple[tuple[str, float, str], ...]
    listens: int
    ratings: int
    unknown_genres: tuple[str, ...]
    statements: tuple[tuple[str, bool, bool], ...] = ()

    @property
    def basis(self) -> str:
        """What all this is drawn from, as a sentence."""
        counts = f"{counted(self.listens, 'play')} and {counted(self.ratings, 'rating')}"
        if self.statements:
            return f"From {counts}, and from {counted(len(self.statements), 'thing')} you said."
        return f"From {counts}."


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe(profile: Profile) -> TasteView:
    """Styles from listening history, ratings and statements; attributes from ratings and statements."""
    history = summarise_plays(profile.plays)
    taste = taste_of(profile)
    said = len(profile.statements)
    words = f" and {counted(said, 'statement')}" if said else ""
    learned = dict(zip(NAMES, taste.residual, strict=True))
    styles: list[tuple[float, tuple[str, float, str]]] = []
    for name in STYLES:
        share, lean = history.styles.get(name, 0.0), float(learned.get(f"style:{name}", 0.0))
        clauses = []
        if share >= 0.01:
            clauses.append(f"{share:.0%} of your listening ({', '.join(history.top_artists.get(name, ()))})")
        if abs(lean) >= _NOTABLE:
            whose = "your ratings and words" if said else "your ratings"
            clauses.append(f"{whose} {'raise' if lean > 0 else 'lower'} it by {abs(lean):.2f} stars")
        if clauses:
            styles.append((share + lean, (STYLE_FACTS[name].label, share, "; ".join(clauses))))
    attributes = []
    for name in CONTINUOUS:
        value = float(learned.get(name, 0.0))
        if abs(value) >= _NOTABLE:
            attributes.append(
                (
                    _POLES[name][value > 0],
                    round(abs(value), 3),
                    f"from {counted(len(profile.ratings), 'rating')}{words}",
                )
            )
    return TasteView(
        tuple(row for _, row in sorted(styles, key=lambda pair: -pair[0])),
        tuple(sorted(attributes, key=lambda row: -row[1])),
        history.all_plays,
        len(profile.ratings),
        history.unknown,
        tuple((one.value, one.liked, one.kind == "instrument" or bool(evidence((one,)))) for one in profile.statements),
    )
