"""What listeners do with a piece, beside rating it: weak hints, each worth a fraction of a rating.

A hint counts as a rating with a noise of two stars (a rating has about .7), so eight of them weigh as much as one.
"""

from __future__ import annotations

from dataclasses import dataclass

from generator.brief import Attributes, Mood

NOISE = 2.0  # stars
WORTH: dict[str, float] = {"skip": 2.0, "replay": 4.3, "download": 4.4, "variation": 4.0}
"""Stars that each kind of signal speaks for."""
ALIKE: dict[str, float] = {"both": 4.0, "neither": 2.0}
"""Stars that each of two takes is hinted to be worth by whoever will not choose between them."""


@dataclass(frozen=True, slots=True)
class SignalledTrack:
    """A piece, what was measured on it, the mood it was asked for, and what its listener did with it.

    Raises ValueError for a kind that is not in WORTH.
    """

    track_id: str
    attributes: Attributes
    mood: Mood
    kind: str

    def __post_init__(self) -> None:
        if self.kind not in WORTH:
            raise ValueError(f"a signal is one of {', '.join(WORTH)}, not {self.kind}")
