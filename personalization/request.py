"""What someone asked for, checked: the words and the options of one `/compose`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from generator.brief import LENGTH_RANGE_S, METERS, STYLES, TEMPO_RANGE_BPM, BriefError, Key

Rule = Literal["mean", "least misery", "fair mean"]
"""How the wishes of several listeners become one; see `blend.py`."""
RULES: tuple[Rule, ...] = ("mean", "least misery", "fair mean")
MOST_MEMBERS = 10
MAX_TEXT = 500
MAX_TAKES = 4


class RequestError(ValueError):
    """Raised for a wish that cannot be granted; the message is one sentence for the person."""


def read_key(text: str) -> Key:
    """Raises RequestError with the sentence for something that is no key."""
    try:
        return Key.parse(text)
    except BriefError as error:
        raise RequestError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Options that are None are left to the text, the mood and the listener's taste.

    Raises:
        RequestError: on construction, with one sentence saying what is wrong and what to do.
    """

    text: str
    styles: tuple[str, ...] = ()
    tempo_bpm: float | None = None
    key: str | None = None
    meter: str | None = None
    length_s: float | None = None
    seed: int | None = None
    takes: int = 2
    novelty: float | None = None
    loop: bool = False
    private: bool = False  # nothing is learned from what the listener makes of it
    brightness: float | None = None
    density: float | None = None
    blend_with: tuple[str, ...] = ()  # listeners the piece is for as well
    blend_rule: Rule = "fair mean"
    mood: tuple[float, float] | None = None  # valence and arousal, in place of what the words say

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise RequestError("Tell me what to compose, for example “chill” or “something sad but hopeful”.")
        if len(self.text) > MAX_TEXT:
            raise RequestError(f"Your text has {len(self.text):,} characters; please say it in at most {MAX_TEXT}.")
        for style in self.styles:
            if style not in STYLES:
                raise RequestError(f"“{style}” is not a style I know; choose from {', '.join(STYLES)}.")
        if self.key is not None:
            read_key(self.key)
        if self.meter is not None and self.meter not in METERS:
            raise RequestError(f"The metre {self.meter} is not supported; choose one of {', '.join(METERS)}.")
        _check("tempo", self.tempo_bpm, TEMPO_RANGE_BPM, " beats per minute")
        _check("length", self.length_s, LENGTH_RANGE_S, " seconds")
        _check("number of takes", self.takes, (1, MAX_TAKES), "")
        for name in ("novelty", "brightness", "density"):
            _check(name, getattr(self, name), (0.0, 1.0), "")
        _check_blend(self.blend_with, self.blend_rule)
        for name, value in zip(("valence", "arousal"), self.mood or (), strict=False):
            _check(name, value, (-1.0, 1.0), "")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise RequestError("The seed must be a whole number from 0 to 9223372036854775807.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Request:
        return Request(
            **dict(data, styles=tuple(data.get("styles", ())), mood=tuple(mood) if (mood := data.get("mood")) else None)
        )


def _check_blend(members: tuple[str, ...], rule: str) -> None:
    if rule not in RULES:
        raise RequestError(f"A blend follows one of {', '.join(RULES)}, not {rule}.")
    if len(set(members)) >= MOST_MEMBERS:  # with the one who asks
        raise RequestError(
            f"A blend is for at most {MOST_MEMBERS} listeners; you named {len(members)} beside yourself."
        )


def _check(name: str, value: float | None, limits: tuple[float, float], unit: str) -> None:
    low, high = limits
    if value is not None and not low <= value <= high:  # also refuses NaN
        raise RequestError(f"The {name} must be from {low:g} to {high:g}{unit}; you asked for {value:g}.")
