"""The catalogue of instruments: what a style may ask for and what plays it.

The data lie in `instruments.toml`; nothing here knows how a sound is made.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Instrument:
    """One entry. `program` is None for an instrument that only exists as a synthesiser voice.

    `low` and `high` are sounding MIDI pitches, `acousticness` lies in [0, 1]; `polyphony` is how many notes can sound
    at once (strings of a guitar, fingers of a pianist, one for a wind instrument).
    """

    name: str
    label: str
    family: str
    program: int | None
    bank: int
    voice: str
    low: int
    high: int
    acousticness: float
    kit: bool
    polyphony: int


def _load() -> Mapping[str, Instrument]:
    entries = tomllib.loads(files(__package__).joinpath("instruments.toml").read_text("utf-8"))
    defaults = {"program": None, "bank": 0, "kit": False, "polyphony": 10}
    return MappingProxyType({name: Instrument(name=name, **(defaults | entry)) for name, entry in entries.items()})


INSTRUMENTS: Mapping[str, Instrument] = _load()
