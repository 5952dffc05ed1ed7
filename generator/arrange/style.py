"""What a style is: the schema of `styles/*.toml`, checked when read. Adding a style is adding a file.

A style holds knowledge as data (tempo, forms, harmony, patterns, sounds, mix). Nothing here makes music.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from generator.brief import METERS, STYLES, writable_styles
from generator.errors import StyleError
from generator.model.tokens import KINDS
from generator.produce.settings import Channel, Master
from generator.render.instruments import INSTRUMENTS
from generator.score import CHORD_TONES

STYLES_DIR = Path(__file__).parent / "styles"

Role = Literal["melody", "counter", "chords", "pad", "bass", "drums", "texture"]
ROLES: tuple[str, ...] = get_args(Role)
Share = Annotated[float, Field(ge=0.0, le=1.0)]

# General MIDI percussion, the names used in groove tables.
DRUMS = {
    "kick": 36, "rim": 37, "snare": 38, "clap": 39, "low_tom": 45, "hat": 42, "pedal_hat": 44, "open_hat": 46,
    "mid_tom": 47, "crash": 49, "high_tom": 50, "ride": 51, "tambourine": 54, "shaker": 70,
}  # fmt: skip
STEPS = {"4/4": 16, "3/4": 12, "2/4": 8, "6/8": 12}
_SECTION = re.compile(r"(?P<name>[a-z]+|[A-Z]'*)(:(?P<bars>\d+))?(:(?P<energy>[01]?\.?\d+))?")
_DEGREES = "R 3 5 6 7 8 A"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(_Table):
    """A range with the value that suits the style best."""

    low: float
    high: float
    default: float

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if not self.low <= self.default <= self.high:
            raise ValueError("low, default and high must be in this order")
        return self


class FormSection(_Table):
    """One section of a form: `name` is intro, outro, bridge … or a letter with primes (A, A', B)."""

    name: str
    bars: int = 8
    energy: Share = 0.6

    @property
    def is_frame(self) -> bool:
        """Intro, outro, break: music around the song, without its melody."""
        return self.name.islower()

    @property
    def material(self) -> str:
        return "A" if self.is_frame else self.name[0]


class Harmony(_Table):
    """How the composer is asked for chords, and the colours the style paints them in.

    `kind` is the sort of writing in the corpus that it imitates. The palettes go from plain to rich; `Brief.complexity` says how far.
    """

    kind: str
    major: tuple[str, ...]
    minor: tuple[str, ...]
    dominant: tuple[str, ...]
    diminished: tuple[str, ...] = ("dim", "m7b5")
    suspended: tuple[str, ...] = ("sus4",)
    complexity: Share = 0.2
    """How far from plain triads in the key the chords usually go (`features.complexity` of the corpus)."""
    chords_per_bar: Annotated[int, Field(ge=1, le=4)] = 1
    bars_per_chord: Annotated[int, Field(ge=1, le=4)] = 1
    max_hold: Annotated[int, Field(ge=1, le=8)] = 2
    """Bars (or held groups of bars) before a chord has to change."""
    resolve: bool = True
    """Whether dominant sevenths have to resolve; blues and vamps need not."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        return _one_of(value, KINDS, "kind")

    @field_validator("major", "minor", "dominant", "diminished", "suspended")
    @classmethod
    def _known_qualities(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one chord quality is needed")
        return tuple(_one_of(name, tuple(CHORD_TONES), "chord quality") for name in value)


class MelodyStyle(_Table):
    """How the composer is asked for a melody and what the player makes of it."""

    kind: str = "song"
    density: Annotated[float, Field(ge=0.1, le=4.0)] = 0.9
    """Notes per quarter note."""
    low: Annotated[int, Field(ge=24, le=96)] = 60
    high: Annotated[int, Field(ge=36, le=108)] = 84
    max_leap: Annotated[int, Field(ge=2, le=24)] = 9
    thin: Share = 0.0
    """Share of short, weak notes that are left out."""
    stretch: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    """Length of the notes against what was written: above 1 they ring into each other."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        return _one_of(value, KINDS, "kind")


class PartStyle(_Table):
    """One player. It joins in sections whose energy reaches `enter` (and leaves above `leave`)."""

    role: Role
    instruments: tuple[str, ...]
    enter: Share = 0.0
    leave: Share = 1.0
    low: Annotated[int, Field(ge=12, le=108)] = 48
    high: Annotated[int, Field(ge=12, le=108)] = 76
    velocity: Annotated[int, Field(ge=1, le=127)] = 80
    voices: Annotated[int, Field(ge=1, le=6)] = 4
    figure: Literal["block", "arpeggio", "broken", "strum", "sustain", "walking", "pattern", "groove", "lead", "wash"]
    patterns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By metre. Chords: "pos:length pos:length" in sixteenths. Bass: "pos:length:degree" with degrees R 3 5 6 7 8
    and A (a step towards the next root)."""
    chance: Share = 1.0
    """How likely the player is in the band at all; scaled by the Brief's density."""

    @field_validator("instruments")
    @classmethod
    def _known_instruments(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one instrument is needed")
        return tuple(_one_of(name, tuple(INSTRUMENTS), "instrument") for name in value)

    @field_validator("patterns")
    @classmethod
    def _readable_patterns(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for meter, patterns in value.items():
            _one_of(meter, METERS, "metre")
            for item in " ".join(patterns).split():
                pos, length, *degree = item.split(":")
                if not (0 <= int(pos) < STEPS[meter] and int(length) > 0):
                    raise ValueError(f"“{item}” does not fit a bar of {meter} ({STEPS[meter]} sixteenths)")
                if degree and degree[0] not in _DEGREES.split():
                    raise ValueError(f"“{item}”: the degree must be one of {_DEGREES}")
        return value


class Groove(_Table):
    """One drum pattern: a row of steps (sixteenths) for each drum. `X` accent, `x` hit, `o` ghost note, digits
    1–9 a hit with that chance in tenths, `.` or `-` nothing. Played in sections of energy `low` … `high`."""

    low: Share = 0.0
    high: Share = 1.0
    rows: dict[str, str]

    @field_validator("rows")
    @classmethod
    def _known_drums(cls, value: dict[str, str]) -> dict[str, str]:
        for drum, row in value.items():
            _one_of(drum, tuple(DRUMS), "drum")
            if not re.fullmatch(r"[Xxo1-9.\-]+", row):
                raise ValueError(f"the row of {drum} may hold only X x o 1-9 . and -")
        return value


class Playing(_Table):
    """How the band plays: swing, looseness and where each role sits against the beat."""

    swing: Share = 0.0
    """0 straight … 1 full triplets."""
    swing_unit: Literal[8, 16] = 8
    timing_ms: Annotated[float, Field(ge=0.0, le=40.0)] = 6.0
    lay_back_ms: Mapping[str, float] = Field(default_factory=dict)
    velocity_spread: Annotated[int, Field(ge=0, le=30)] = 6
    fill_every: Annotated[int, Field(ge=0, le=16)] = 8
    """Bars between drum fills; 0 for none."""


class Style(_Table):
    """A whole style file."""

    name: str
    label: str
    tempo_bpm: Span
    meters: tuple[str, ...]
    minor: Share
    forms: tuple[tuple[FormSection, ...], ...]
    harmony: Harmony
    melody: MelodyStyle
    playing: Playing
    parts: dict[str, PartStyle]
    grooves: dict[str, tuple[Groove, ...]] = Field(default_factory=dict)
    mix: Mapping[str, Channel]
    master: Master

    @field_validator("name")
    @classmethod
    def _known_name(cls, value: str) -> str:
        return _one_of(value, STYLES, "style name")

    @field_validator("mix")
    @classmethod
    def _known_roles(cls, value: Mapping[str, Channel]) -> Mapping[str, Channel]:
        for role in value:
            _one_of(role, ROLES, "role")
        return value

    @field_validator("forms", mode="before")
    @classmethod
    def _parse_forms(cls, value: object) -> object:
        if not isinstance(value, list):
            return value
        return tuple(tuple(_parse_section(item) for item in str(form).split()) for form in value)

    @model_validator(mode="after")
    def _rows_fill_the_bar(self) -> Style:
        for meter, grooves in self.grooves.items():
            for groove in grooves:
                for drum, row in groove.rows.items():
                    if len(row) != STEPS[_one_of(meter, METERS, "metre")]:
                        raise ValueError(
                            f"grooves.{meter}: the row of {drum} needs {STEPS[meter]} steps, not {len(row)}"
                        )
        return self


def _one_of(value: str, choices: tuple[str, ...], what: str) -> str:
    if value not in choices:
        raise ValueError(f"“{value}” is not a known {what}; choose from {', '.join(choices)}")
    return value


def _parse_section(text: str) -> FormSection:
    match = _SECTION.fullmatch(text)
    if match is None:
        raise ValueError(f"“{text}” is not a section; write name:bars:energy, for example A':8:0.6")
    values = {name: value for name, value in match.groupdict().items() if value is not None}
    return FormSection.model_validate(values)


@cache
def load_style(name: str) -> Style:
    """Raises StyleError: there is no such style, or its file does not fit the schema."""
    if name not in writable_styles():
        raise StyleError(f"There is no style “{name}” yet; choose from {', '.join(writable_styles())}.")
    return read_style(STYLES_DIR / f"{name}.toml")


def read_style(path: Path) -> Style:
    """Read one file. Raises StyleError naming the file, the key and what is allowed."""
    try:
        return Style.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise StyleError(f"{path.name} is not valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise StyleError(f"{path.name}: {key}: {reason}.") from error
