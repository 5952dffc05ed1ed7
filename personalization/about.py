"""Age band and country of those who choose to say them: a weak start for a stranger, never more.

The gain is small (1.1 points of gain share where they tell half of what group somebody belongs to), so nothing is asked
for, and a group is only spoken of when enough of its people have rated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

AGE_BANDS = ("under 18", "18-24", "25-34", "35-44", "45-54", "55-64", "65 and over")


@dataclass(frozen=True, slots=True)
class About:
    """`age_band` is one of AGE_BANDS, `country` two letters (ISO 3166-1); None is not said.

    Raises ValueError with one sentence for anything else.
    """

    age_band: str | None = None
    country: str | None = None

    def __post_init__(self) -> None:
        if self.age_band is not None and self.age_band not in AGE_BANDS:
            raise ValueError(f"The age band is one of {', '.join(AGE_BANDS)}.")
        if self.country is not None and not re.fullmatch(r"[A-Z]{2}", self.country):
            raise ValueError("The country is its two capital letters, for example DE or BR.")

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups somebody belongs to."""
        named = (("age", self.age_band), ("country", self.country))
        return tuple(f"{kind}:{value}" for kind, value in named if value is not None)
