"""What a style is: the schema of `styles/*.toml`, checked when read. Adding a style is adding a file.

A style holds knowledge as data (tempo, forms, harmony, patterns, players, sounds, mix); nothing here makes music.
`styles/README.md` is the reference for those who write one; rhythm patterns are explained in `patterns.py`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from generator.arrange.feel import FAMILIES
from generator.arrange.meters import STEPS
from generator.arrange.patterns import DEGREES, parse_pattern
from generator.arrange.roman import parse_bars, parse_roman
from generator.brief import METERS, STYLES, writable_styles
from generator.errors import StyleError
from generator.model.tokens import KINDS
from generator.produce.settings import Channel, Master
from generator.render.instruments import INSTRUMENTS
from generator.score import CHORD_TONES

STYLES_DIR = Path(__file__).parent / "styles"

Role = Literal["melody", "counter", "chords", "pad", "bass", "drums", "texture"]
ROLES: tuple[str, ...] = get_args(Role)
Figure = Literal[
    "lead", "double", "harmony", "guide", "answer", "block", "arpeggio", "sustain", "pattern", "walking", "pedal",
    "groove", "riser", "wash",
]  # fmt: skip
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Pitch = Annotated[int, Field(ge=12, le=108)]

FRAMES = ("intro", "outro", "break", "build", "drop", "turn")
"""Sections without the tune; the other sections are letters with primes: A, A', B."""

# General MIDI percussion, the names used in groove tables.
DRUMS = {
    "kick": 36, "rim": 37, "snare": 38, "clap": 39, "floor_tom": 43, "low_tom": 45, "hat": 42, "pedal_hat": 44,
    "open_hat": 46, "mid_tom": 47, "crash": 49, "high_tom": 50, "ride": 51, "ride_bell": 53, "tambourine": 54,
    "cowbell": 56, "high_conga": 63, "low_conga": 64, "shaker": 70, "claves": 75, "triangle": 81,
}  # fmt: skip
_SECTION = re.compile(r"(?P<name>[a-z]+|[A-Z]'*)(/(?P<source>[A-Z]))?(:(?P<bars>\d+))?(:(?P<energy>[01]?\.?\d+))?")
SUBSTITUTIONS = ("secondary_dominant", "tritone", "two_five", "modal_interchange", "passing_diminished")


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
    """One section of a form: `name` is one of FRAMES or a letter with primes; a frame plays the chords of `source`."""

    name: str
    source: str = "A"
    bars: Annotated[int, Field(ge=1, le=64)] = 8
    energy: Share = 0.6

    @property
    def is_frame(self) -> bool:
        """Music around the song, without its melody."""
        return self.name.islower()

    @property
    def material(self) -> str:
        return self.source if self.is_frame else self.name[0]


class Harmony(_Table):
    """How the composer is asked for chords, and the colours the style paints them in.

    `kind` is the sort of writing in the corpus that it imitates. The palettes go from plain to rich;
    `Brief.complexity` says how far.
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
    progressions: dict[Literal["major", "minor"], tuple[str, ...]] = Field(default_factory=dict)
    """Chords of the form in Roman numerals (`roman.py`), where the style has its own, as the blues has."""
    phrases: tuple[Annotated[int, Field(ge=0, le=7)], ...] = (0, 1, 2, 3, 4, 5, 6, 7)
    """Which bars of the eight composed ones a chorus plays: the blues sings its first line twice."""
    substitutions: dict[str, Share] = Field(default_factory=dict)
    """How likely each of SUBSTITUTIONS is where it is possible, at complexity 1."""

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

    @field_validator("substitutions")
    @classmethod
    def _known_substitutions(cls, value: dict[str, float]) -> dict[str, float]:
        for name in value:
            _one_of(name, SUBSTITUTIONS, "substitution")
        return value

    @model_validator(mode="after")
    def _bars_for_bars(self) -> Harmony:
        for texts in self.progressions.values():
            for text in texts:
                if len(parse_bars(text)) != len(self.phrases):
                    raise ValueError(f"“{text}” needs {len(self.phrases)} bars, as many as phrases")
        return self


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
    ornament: Share = 0.0
    """Share of the long notes that get a grace note from a step away."""
    pickup: Share = 0.0
    """How likely a section that the tune enters after a rest begins with two notes before its bar line."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        return _one_of(value, KINDS, "kind")


class PartStyle(_Table):
    """One player. It joins in sections whose energy reaches `enter` (and leaves above `leave`)."""

    role: Role
    figure: Figure
    instruments: tuple[str, ...]
    """In order of custom."""
    enter: Share = 0.0
    leave: Share = 1.0
    sections: tuple[str, ...] = ()
    """Only in sections of these names, where any are given."""
    low: Pitch = 48
    high: Pitch = 76
    velocity: Annotated[int, Field(ge=1, le=127)] = 80
    voices: Annotated[int, Field(ge=1, le=6)] = 4
    patterns: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By metre, see `patterns.py`; those of 4/4 are derived for metres that are not there."""
    order: Literal["up", "down", "updown", "broken", "random"] = "updown"
    """Of an arpeggio's notes."""
    gate: Annotated[float, Field(ge=0.1, le=2.0)] = 1.0
    """Sounding share of the written length: 0.4 staccato, 1 legato; above 1 the notes ring on."""
    pedal: bool = False
    """Notes ring until their chord changes: a piano's pedal, a harp."""
    strum_ms: Annotated[float, Field(ge=0.0, le=120.0)] = 0.0
    """From the first to the last string of a strummed or rolled chord."""
    push: bool = False
    """The last stroke before a chord change already plays the next chord."""
    interval: Annotated[int, Field(ge=-14, le=14)] = 0
    """Of a `double` or `harmony`, in steps of the scale: 7 an octave up, -2 a third and -5 a sixth below."""
    chance: Share = 1.0
    """How likely the player is in the band at all; scaled by the Brief's density."""

    @field_validator("instruments")
    @classmethod
    def _known_instruments(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one instrument is needed")
        return tuple(_one_of(name, tuple(INSTRUMENTS), "instrument") for name in value)

    @model_validator(mode="after")
    def _fits_its_role(self) -> PartStyle:
        if (self.figure == "groove") != (self.role == "drums"):
            raise ValueError("the figure groove is for the role drums, and drums play nothing else")
        for meter, patterns in self.patterns.items():
            for text in patterns:
                for bar in parse_pattern(text, _one_of(meter, METERS, "metre")).bars:
                    for stroke in bar:
                        _check_what(stroke.what, self.role)
        if self.role not in {"drums", "texture"}:
            for name in self.instruments:
                instrument = INSTRUMENTS[name]
                if min(self.high, instrument.high) - max(self.low, instrument.low) < 9:
                    raise ValueError(
                        f"{name} sounds from {instrument.low} to {instrument.high}, which leaves less than ten notes "
                        f"of the register {self.low} to {self.high}"
                    )
        return self


class Groove(_Table):
    """One drum pattern: a row of steps (sixteenths) for each drum, of one, two or four bars; or a fill, which ends
    with its bar. `X` accent, `x` hit, `o` ghost note, digits 1–9 a ghost with that chance in tenths, `.` or `-`
    nothing. Played in sections of energy `low` … `high`, and only in those named by `sections` where any are."""

    low: Share = 0.0
    high: Share = 1.0
    sections: tuple[str, ...] = ()
    rows: dict[str, str]

    @field_validator("rows")
    @classmethod
    def _known_drums(cls, value: dict[str, str]) -> dict[str, str]:
        for drum, row in value.items():
            _one_of(drum, tuple(DRUMS), "drum")
            if not re.fullmatch(r"[Xxo1-9.\-]+", row):
                raise ValueError(f"the row of {drum} may hold only X x o 1-9 . and -")
        return value


class Drumming(_Table):
    """Where grooves come from and how they are varied."""

    source: Literal["patterns", "composer"] = "patterns"
    """`composer`: the model writes them where it is there; what it writes is checked, patterns step in."""
    variation: Share = 0.4
    """How far the grooves of two pieces differ, see `groove.py`."""
    fill_every: Annotated[int, Field(ge=0, le=16)] = 8
    """Bars between fills inside a section; 0 for none. A section's last bar has one anyway, where there are fills."""
    fill_chance: Share = 0.9
    crash_from: Annotated[float, Field(ge=0.0, le=2.0)] = 0.75
    """Energy from which a section begins with a crash; above 1 for never."""
    dropout: Share = 0.0
    """How likely the drums rest for the last half bar before a section of higher energy."""


class Ending(_Table):
    """How the piece closes."""

    kind: Literal["ring", "ritardando", "hit", "fade"] = "ring"
    cadence: tuple[str, ...] = ("V7",)
    """Roman numerals in the bar before the last, where no tune is in the way."""
    slow: Share = 0.25
    """Of a ritardando: how much slower the last beat is."""

    @field_validator("cadence")
    @classmethod
    def _readable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for numeral in value:
            parse_roman(numeral)
        return value


class Playing(_Table):
    """How the band plays: swing, looseness, and where each role sits against the beat."""

    swing: Share = 0.0
    """0 straight … 1 full triplets."""
    swing_unit: Literal[8, 16] = 8
    timing_ms: Annotated[float, Field(ge=0.0, le=40.0)] = 6.0
    lay_back_ms: Mapping[str, Annotated[float, Field(ge=-30.0, le=40.0)]] = Field(default_factory=dict)
    """By role: positive plays behind the beat, negative pushes."""
    velocity_spread: Annotated[int, Field(ge=0, le=30)] = 6
    swell: Annotated[float, Field(ge=0.0, le=30.0)] = 10.0
    """Velocity from the beginning to the top of a phrase."""
    accent: Annotated[float, Field(ge=-10.0, le=20.0)] = 4.0
    """Velocity that the first beat has over the others."""
    contrast: Annotated[float, Field(ge=0.0, le=60.0)] = 22.0
    """Velocity between a section of energy 0 and one of energy 1."""
    drummer: Literal[FAMILIES] = "pop"  # type: ignore[valid-type]
    """Whose microtiming and loudness the drums have (`feel.py`)."""
    human: Share = 0.7
    """How much of it: 0 is a machine."""


class Style(_Table):
    """A whole style file."""

    name: str
    label: str
    tempo_bpm: Span
    meters: tuple[str, ...]
    """Metres the style is at home in."""
    minor: Share
    unit: Annotated[int, Field(ge=2, le=16)] = 4
    """Sections grow in steps of so many bars."""
    forms: tuple[tuple[FormSection, ...], ...]
    harmony: Harmony
    melody: MelodyStyle
    playing: Playing
    drumming: Drumming = Drumming()
    ending: Ending = Ending()
    parts: dict[str, PartStyle]
    grooves: dict[str, tuple[Groove, ...]] = Field(default_factory=dict)
    fills: tuple[Groove, ...] = ()
    mix: Mapping[str, Channel]
    master: Master

    @field_validator("name")
    @classmethod
    def _known_name(cls, value: str) -> str:
        return _one_of(value, STYLES, "style name")

    @field_validator("meters")
    @classmethod
    def _known_meters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_one_of(meter, METERS, "metre") for meter in value)

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
    def _whole(self) -> Style:
        if not self.forms or not all(self.forms):
            raise ValueError("forms: at least one form with one section is needed")
        for meter, grooves in self.grooves.items():
            steps = STEPS[_one_of(meter, METERS, "metre")]
            for groove in grooves:
                for drum, row in groove.rows.items():
                    if len(row) not in {steps, 2 * steps, 4 * steps}:
                        raise ValueError(
                            f"grooves.{meter}: the row of {drum} needs {steps}, {2 * steps} or {4 * steps} steps, "
                            f"not {len(row)}"
                        )
        if any(len(row) > 16 or len(row) % 2 for fill in self.fills for row in fill.rows.values()):
            raise ValueError("fills: a row has an even number of steps, at most 16")
        if not {"melody", "bass"} <= {part.role for part in self.parts.values()}:
            raise ValueError("parts: a melody and a bass are needed")
        return self


def _check_what(what: str, role: str) -> None:
    if role == "bass" and what not in DEGREES:
        raise ValueError(f"“{what}”: the degree of a bass stroke must be one of {' '.join(DEGREES)}")
    if role != "bass" and what and not (set(what) <= set("123456") or what in "TBFPu"):
        raise ValueError(f"“{what}”: a chord stroke names voices by digits 1-6, T, B, F, P or u")


def _one_of(value: str, choices: tuple[str, ...], what: str) -> str:
    if value not in choices:
        raise ValueError(f"“{value}” is not a known {what}; choose from {', '.join(choices)}")
    return value


def _parse_section(text: str) -> FormSection:
    match = _SECTION.fullmatch(text)
    if match is None:
        raise ValueError(f"“{text}” is not a section; write name:bars:energy, for example A':8:0.6 or build/B:4:0.7")
    values = {name: value for name, value in match.groupdict().items() if value is not None}
    if values["name"].islower():
        _one_of(values["name"], FRAMES, "section")
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
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        reason = first["msg"].removeprefix("Value error, ")
        raise StyleError(f"{path.name}: {key}: {reason}.") from error
