"""The contract between those who know a listener and those who write music.

Plain frozen values with units in their names; nothing here imports the rest of the generator.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

STYLES = (
    "lofi", "ambient", "jazz", "classical", "folk", "pop", "rock", "house", "hiphop", "cinematic", "synthwave",
    "funk", "bossa", "blues",
)  # fmt: skip
MOODS = (
    "chill", "happy", "sad", "energetic", "dark", "romantic", "focus", "sleep", "angry", "hopeful", "dreamy", "party",
)  # fmt: skip
METERS = ("4/4", "3/4", "2/4", "6/8", "5/4", "7/8", "12/8")

TEMPO_RANGE_BPM = (40.0, 220.0)
LENGTH_RANGE_S = (10.0, 600.0)

_TONICS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# The spelling with the fewest accidentals for each tonic, major and minor.
_MAJOR_NAMES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


@cache
def writable_styles() -> tuple[str, ...]:
    """The styles that have a style file, in the order of `STYLES`."""
    folder = Path(__file__).parent / "arrange" / "styles"
    return tuple(name for name in STYLES if (folder / f"{name}.toml").is_file())


class BriefError(ValueError):
    """A wish that cannot be written down as a Brief; the message is one sentence for the person."""


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic pitch class (0 = C … 11 = B) and a mode, `major` or `minor`."""

    tonic: int
    mode: str

    @staticmethod
    def parse(text: str) -> Key:
        """Read "A minor", "F# major", "Bb", "Am", "c sharp minor".

        Raises BriefError for anything else ("H minor").
        """
        cleaned = text.strip().replace("♭", "b").replace("♯", "#")
        cleaned = re.sub(r"\s*sharp\b", "#", cleaned, flags=re.IGNORECASE)
        cleaned = re.sub(r"\s*flat\b", "b", cleaned, flags=re.IGNORECASE)
        match = re.fullmatch(r"([A-Ga-g])([#b]?)\s*(m|min|minor|maj|major|M)?", cleaned)
        if match is None:
            raise BriefError(
                f"“{text.strip()}” is not a key I know; write a note from A to G, with # or b if needed, and "
                "major or minor, for example “A minor” or “Bb major”."
            )
        letter, accidental, mode = match.groups()
        tonic = _TONICS[letter.upper()] + {"#": 1, "b": -1, "": 0}[accidental]
        return Key(tonic % 12, "minor" if mode in {"m", "min", "minor"} else "major")

    @property
    def fifths(self) -> int:
        """Sharps (positive) or flats (negative) of the key signature, -6 … 6."""
        major_tonic = (self.tonic + (3 if self.mode == "minor" else 0)) % 12
        fifths = major_tonic * 7 % 12
        return fifths - 12 if fifths > 6 else fifths

    def __str__(self) -> str:
        names = _MINOR_NAMES if self.mode == "minor" else _MAJOR_NAMES
        return f"{names[self.tonic]} {self.mode}"


@dataclass(frozen=True, slots=True)
class Mood:
    """A point on Russell's circumplex, both axes in [-1, 1], and the words it came from."""

    valence: float
    arousal: float
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Brief:
    """Everything the generator needs to write one piece.

    `styles` are (name, weight) pairs whose weights sum to 1; `density`, `complexity`, `brightness`,
    `acousticness`, `swing` and `novelty` lie in [0, 1]; `seed` in [0, 2**63).
    """

    styles: tuple[tuple[str, float], ...]
    mood: Mood
    tempo_bpm: float
    key: str
    meter: str
    length_s: float
    seed: int
    density: float = 0.5
    complexity: float = 0.5
    brightness: float = 0.5
    acousticness: float = 0.5
    swing: float = 0.0
    novelty: float = 0.1
    instruments_wanted: tuple[str, ...] = ()
    instruments_unwanted: tuple[str, ...] = ()
    lyrics: str = ""
    title: str = ""
    text: str = ""
    engine: str = "studio"
    loop: bool = False
    """Music that goes round: no introduction, no ending, and the last bar leads into the first."""

    def __post_init__(self) -> None:
        _check_styles(self.styles)
        Key.parse(self.key)
        if self.meter not in METERS:
            raise BriefError(f"The metre {self.meter} is not supported; choose one of {', '.join(METERS)}.")
        _check_range("tempo", self.tempo_bpm, TEMPO_RANGE_BPM, "beats per minute")
        _check_range("length", self.length_s, LENGTH_RANGE_S, "seconds")
        for name in ("density", "complexity", "brightness", "acousticness", "swing", "novelty"):
            _check_range(name, getattr(self, name), (0.0, 1.0), "")
        for name in ("valence", "arousal"):
            _check_range(name, getattr(self.mood, name), (-1.0, 1.0), "")
        if not 0 <= self.seed < 2**63:
            raise BriefError("The seed must be a whole number from 0 to 9223372036854775807.")

    @property
    def style(self) -> str:
        """The heaviest style."""
        return max(self.styles, key=lambda pair: pair[1])[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `from_dict` gives an equal Brief back."""
        return asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Brief:
        """Raises BriefError when a field is missing or unknown."""
        known = {f.name for f in fields(Brief)}
        if unknown := set(data) - known:
            raise BriefError(f"The brief has unknown fields: {', '.join(sorted(unknown))}.")
        try:
            mood = Mood(data["mood"]["valence"], data["mood"]["arousal"], tuple(data["mood"]["words"]))
            values = dict(data, mood=mood, styles=tuple((str(n), float(w)) for n, w in data["styles"]))
            for name in ("instruments_wanted", "instruments_unwanted"):
                values[name] = tuple(data.get(name, ()))
            return Brief(**values)
        except (KeyError, TypeError) as error:
            raise BriefError(f"The brief is incomplete: {error}.") from error


@dataclass(frozen=True, slots=True)
class Attributes:
    """The Brief's musical dimensions as measured on a finished piece; what taste learns from.

    `styles` as in the Brief; `valence`, `arousal` in [-1, 1]; the rest but `tempo_bpm` in [0, 1];
    `minor` is 1.0 for a minor key.
    """

    styles: tuple[tuple[str, float], ...]
    valence: float
    arousal: float
    tempo_bpm: float
    density: float
    minor: float
    acousticness: float
    complexity: float
    brightness: float
    novelty: float = 0.1
    instruments: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Attributes:
        values = dict(data, styles=tuple((str(n), float(w)) for n, w in data["styles"]))
        values["instruments"] = tuple(data.get("instruments", ()))
        return Attributes(**values)


def _check_styles(styles: tuple[tuple[str, float], ...]) -> None:
    for name, _ in styles:
        if name not in STYLES:
            raise BriefError(f"“{name}” is not a style I know; choose from {', '.join(STYLES)}.")
    if not styles or abs(sum(weight for _, weight in styles) - 1.0) > 1e-6:
        raise BriefError("The style weights must sum to 1.")


def _check_range(name: str, value: float, limits: tuple[float, float], unit: str) -> None:
    low, high = limits
    if not low <= value <= high:  # also refuses NaN
        unit = f" {unit}" if unit else ""
        raise BriefError(f"The {name} must be from {low:g} to {high:g}{unit}, not {value:g}.")
