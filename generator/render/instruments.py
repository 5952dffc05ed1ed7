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

PIECES = {
    35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare", 41: "low_tom", 42: "closed_hat",
    43: "low_tom", 44: "pedal_hat", 45: "mid_tom", 46: "open_hat", 47: "mid_tom", 48: "high_tom", 49: "crash",
    50: "high_tom", 51: "ride", 52: "crash", 53: "ride_bell", 54: "tambourine", 55: "crash", 56: "cowbell",
    57: "crash", 59: "ride", 60: "high_conga", 61: "low_conga", 62: "high_conga", 63: "high_conga",
    64: "low_conga", 65: "high_tom", 66: "mid_tom", 67: "cowbell", 68: "cowbell", 69: "shaker", 70: "shaker",
    75: "claves", 76: "claves", 77: "claves", 80: "triangle", 81: "triangle", 82: "shaker",
}  # fmt: skip
"""The drums of General MIDI by pitch; the names are keys of the kits."""


def piece(pitch: int) -> str:
    """The name of a General MIDI percussion pitch; unknown ones are a shaker."""
    return PIECES.get(pitch, "shaker")
