"""How finished pieces leave: what an operator or a listener chooses for the files, apart from the music."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Delivery:
    """The MP3 is made always, and `format` beside it where that is another of `formats.FORMATS`."""

    format: str = "mp3"

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Delivery:
        return Delivery(**data)
