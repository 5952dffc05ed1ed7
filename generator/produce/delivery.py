"""How finished pieces leave: what an operator or a listener chooses for the files, apart from the music."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.produce.signing import Signer


@dataclass(frozen=True, slots=True)
class Delivery:
    """The MP3 is made always, and `format` beside it where that is another of `formats.FORMATS`."""

    format: str = "mp3"
    signer: Signer | None = None
    """Signs the MP3 and whatever else can hold a manifest."""

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Delivery:
        """`format`, and `certificate` and `key` as paths; all may be left out."""
        signer = Signer(Path(data["certificate"]), Path(data["key"])) if data.get("certificate") else None
        return Delivery(data.get("format", "mp3"), signer)
