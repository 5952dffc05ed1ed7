"""Read a free text: mood, styles, tempo, key, metre, length, instruments. What is not understood is named."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from generator.brief import LENGTH_RANGE_S, METERS, TEMPO_RANGE_BPM, Mood
from personalization.genres import GENRES, STYLE_FACTS, normalise
from personalization.mood import LEXICON, MODIFIERS, NEGATIONS, name_mood, read_mood, words_of
from personalization.request import RequestError, read_key
from personalization.translate import FILLER, in_english

_TEMPO = re.compile(
    r"(?:\btempo\s+)?(?:\bat\s+)?(\d{1,4}(?:\.\d+)?)\s*-?\s*bpm\b|\btempo\s+(?:of\s+)?(\d{1,4}(?:\.\d+)?)\b",
    re.IGNORECASE,
)
_METER = re.compile(rf"\b({'|'.join(METERS)})\b")
_ODD_METER = re.compile(r"\b(\d{1,2}/(?:1|2|4|8|16))\b")
_CLOCK = re.compile(r"\b(\d{1,2}):([0-5]\d)\b")
_MINUTES = re.compile(
    r"\b(\d+(?:[.,]\d+)?|an?|one|two|three|four|five|half a)\s*-?\s*(minutes?|mins?|min|m)\b", re.IGNORECASE
)
_SECONDS = re.compile(r"\b(\d+(?:[.,]\d+)?)\s*-?\s*(seconds?|secs?|sec|s)\b", re.IGNORECASE)
_KEY = re.compile(
    r"\b(?:in\s+(?:the\s+)?(?:key\s+of\s+)?)?([A-Ha-h])\s?(#|♯|b|♭|-?\s?sharp|-?\s?flat)?\s+(major|minor|maj|min)\b(?!\s+key)",
    re.IGNORECASE,
)
_BARE_KEY = re.compile(r"\b(?:in|key\s+of)\s+(?:the\s+)?(?:key\s+of\s+)?([A-GH])(#|♯|b|♭)?(m)?(?![\w#♯♭'’])")
_MODE = re.compile(r"\b(?:in\s+)?(?:a\s+)?(major|minor)(?:\s+key)?\b", re.IGNORECASE)
_NUMBER_WORDS = {"a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "half a": 0.5}

_PACE = {"slow": 0.84, "slower": 0.84, "slowly": 0.84, "fast": 1.22, "faster": 1.22, "quick": 1.2, "uptempo": 1.2,
         "up-tempo": 1.2, "downbeat": 0.9}  # fmt: skip
_METER_WORDS = {"waltz": "3/4", "march": "2/4", "jig": "6/8", "lullaby": "3/4"}

# What people call instruments -> names of the instrument catalogue, best first.
INSTRUMENTS: dict[str, tuple[str, ...]] = {
    "piano": ("grand_piano", "electric_piano"), "rhodes": ("electric_piano", "fm_piano"),
    "keys": ("electric_piano", "grand_piano"),
    "guitar": ("nylon_guitar", "steel_guitar", "jazz_guitar", "clean_guitar"),
    "bass": ("electric_bass", "upright_bass"), "double bass": ("upright_bass", "contrabass"),
    "upright bass": ("upright_bass",), "acoustic bass": ("upright_bass",), "contrabass": ("contrabass", "upright_bass"),
    "fretless bass": ("fretless_bass",), "slap bass": ("slap_bass",), "sub bass": ("sub_bass",),
    "synth bass": ("synth_bass", "sub_bass"), "electric piano": ("electric_piano", "fm_piano"),
    "grand piano": ("grand_piano",), "acoustic guitar": ("steel_guitar", "nylon_guitar"),
    "nylon guitar": ("nylon_guitar",), "steel guitar": ("steel_guitar",), "tenor sax": ("tenor_sax",),
    "alto sax": ("alto_sax",), "soprano sax": ("soprano_sax",), "string quartet": ("strings", "violin", "cello"),
    "muted trumpet": ("muted_trumpet",), "pipe organ": ("pipe_organ",), "church organ": ("pipe_organ",),
    "hammond organ": ("rock_organ", "organ"), "hammond": ("rock_organ", "organ"),
    "synth pad": ("warm_pad", "drift_pad"),
    "drum machine": ("electronic_kit", "house_kit", "trap_kit", "gated_kit"), "taiko": ("epic_kit",),
    "sax": ("tenor_sax", "alto_sax"), "saxophone": ("tenor_sax", "alto_sax"),
    "trumpet": ("trumpet", "muted_trumpet"), "flute": ("flute",), "clarinet": ("clarinet",), "violin": ("violin",),
    "cello": ("cello",), "strings": ("strings",), "choir": ("choir",), "vibraphone": ("vibraphone",),
    "vibes": ("vibraphone",), "marimba": ("marimba",), "kalimba": ("kalimba",), "celesta": ("celesta",),
    "organ": ("organ",), "synth": ("soft_lead", "saw_lead", "warm_pad"), "bells": ("bell", "celesta"),
    "bell": ("bell", "celesta"), "pad": ("warm_pad", "drift_pad"), "pads": ("warm_pad", "drift_pad"),
    "drums": ("drum_kit", "jazz_kit", "lofi_kit", "electronic_kit", "rock_kit", "trap_kit", "house_kit", "latin_kit",
              "epic_kit", "gated_kit"),
    "vinyl": ("vinyl",), "crackle": ("vinyl",),
    "music box": ("music_box",), "harp": ("harp",), "banjo": ("banjo",), "fiddle": ("fiddle", "violin"),
    "harmonica": ("harmonica",), "accordion": ("accordion",), "oboe": ("oboe",), "bassoon": ("bassoon",),
    "viola": ("viola",), "french horn": ("french_horn", "horns"), "horns": ("brass", "horns"), "brass": ("brass",),
    "trombone": ("trombone",), "harpsichord": ("harpsichord",), "clavinet": ("clavinet",), "clav": ("clavinet",),
    "glockenspiel": ("glockenspiel",), "tin whistle": ("whistle",), "pizzicato": ("pizzicato",), "808": ("long_bass",),
    "electric guitar": ("clean_guitar", "drive_guitar"), "distorted guitar": ("drive_guitar",),
}  # fmt: skip

_PASSED_OVER = (
    MODIFIERS
    | FILLER
    | set(
        "a an and the of for to in on at with me my i i'd you your it its it's this that some something anything "
        "please make compose write play create give want would like music song track piece tune beat beats sound "
        "sounds vibe vibes feel feeling mood kind type style genre sort while when from as is be am are was we us our "
        "let lets let's just more than then minute minutes second seconds long short time day today tonight now new "
        "about around into over under by or if so too all any one two three four five key tempo bpm lot lots bit "
        "little listening listen background instrumental version inspired during after before through can could need "
        "help get put add where which what who nice good great cool beautiful lovely best favourite favorite".split()
    )
)


@dataclass(slots=True)
class Understanding:
    """What a text says. Options that were not said are None; `unknown` lists words nothing could be made of."""

    mood: Mood | None = None
    styles: dict[str, float] = field(default_factory=dict)
    tempo_bpm: float | None = None
    pace: float = 1.0
    key: str | None = None
    mode: str | None = None
    meter: str | None = None
    length_s: float | None = None
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    instrument_words: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    hinted_styles: dict[str, float] = field(default_factory=dict)  # by feelings: shares, at most 1 together
    hinted: dict[str, float] = field(default_factory=dict)  # the same: what is added to attributes


def understand(text: str) -> Understanding:
    """Raises RequestError when the text asks for something impossible, like “in H minor” or “900 bpm”."""
    found = Understanding()
    rest = _read_numbers(in_english(text), found)
    words = words_of(rest)
    used = _read_instruments(words, 2, set(), found)  # a synth bass is no synth
    used |= _read_styles(words, used, found)
    used |= _read_instruments(words, 1, used, found)
    used |= _read_pace(words, found)
    # A word can name both: "dark ambient" is a style and a mood.
    feeling = read_mood(
        [word if index not in used or word in LEXICON or word in MODIFIERS else "" for index, word in enumerate(words)]
    )
    found.mood = feeling.mood
    used |= feeling.used
    found.hinted_styles, found.hinted = feeling.styles, feeling.attributes
    found.unknown = tuple(dict.fromkeys(
        word for index, word in enumerate(words) if index not in used and word not in _PASSED_OVER
    ))  # fmt: skip
    found.heard = _echo(found)
    return found


def _read_numbers(text: str, found: Understanding) -> str:
    """Take tempo, metre, length and key out of the text; what is left comes back."""
    if match := _TEMPO.search(text):
        found.tempo_bpm = float(match[1] or match[2])
        _in_range("tempo", found.tempo_bpm, TEMPO_RANGE_BPM, "beats per minute")
        text = _without(text, match)
    if match := _METER.search(text):
        found.meter = match[1]
        text = _without(text, match)
    elif match := _ODD_METER.search(text):
        raise RequestError(f"The metre {match[1]} is not supported; choose one of {', '.join(METERS)}.")
    text = _read_length(text, found)
    return _read_key(text, found)


def _read_length(text: str, found: Understanding) -> str:
    seconds = 0.0
    if match := _CLOCK.search(text):
        seconds = 60.0 * int(match[1]) + int(match[2])
        text = _without(text, match)
    else:
        if match := _MINUTES.search(text):
            word = match[1].lower()
            seconds += 60.0 * (_NUMBER_WORDS[word] if word in _NUMBER_WORDS else float(word.replace(",", ".")))
            text = _without(text, match)
        if match := _SECONDS.search(text):
            seconds += float(match[1].replace(",", "."))
            text = _without(text, match)
        elif not match and not seconds:
            return text
    _in_range("length", seconds, LENGTH_RANGE_S, "seconds")
    found.length_s = seconds
    return text


def _read_key(text: str, found: Understanding) -> str:
    if match := _KEY.search(text):
        accidental = (match[2] or "").strip(" -").lower()
        found.key = str(
            read_key(
                f"{match[1].upper()}{ {'sharp': '#', 'flat': 'b'}.get(accidental, accidental) } {match[3].lower()}"
            )
        )
        return _without(text, match)
    if match := _BARE_KEY.search(text):
        found.key = str(read_key(f"{match[1]}{match[2] or ''}{' minor' if match[3] else ''}"))
        return _without(text, match)
    if match := _MODE.search(text):
        found.mode = match[1].lower()
        return _without(text, match)
    return text


def _without(text: str, match: re.Match[str]) -> str:
    return f"{text[: match.start()]} {text[match.end() :]}"


def _in_range(name: str, value: float, limits: tuple[float, float], unit: str) -> None:
    if not limits[0] <= value <= limits[1]:
        raise RequestError(f"The {name} must be from {limits[0]:g} to {limits[1]:g} {unit}; you asked for {value:g}.")


def _read_styles(words: list[str], taken: set[int], found: Understanding) -> set[int]:
    """Genres of one to three words, longest first; “no jazz” is not a wish for jazz."""
    used: set[int] = set()
    for size in (3, 2, 1):
        for start in range(len(words) - size + 1):
            span = set(range(start, start + size))
            names = [normalise(word) for word in words[start : start + size]]
            genre = GENRES.get(" ".join(names)) if all(names) else None
            if (
                genre is None
                or span & (taken | used)
                or (size == 1 and words[start] in {"piano", "groove", "synth", "swing", "world"})
            ):
                continue
            used |= span
            if start > 0 and words[start - 1] in NEGATIONS:
                used.add(start - 1)
                continue
            for style, weight in genre.items():
                found.styles[style] = found.styles.get(style, 0.0) + weight
    total = sum(found.styles.values())
    found.styles = {style: weight / total for style, weight in found.styles.items()}
    return used


def _read_instruments(words: list[str], size: int, taken: set[int], found: Understanding) -> set[int]:
    """Instruments of so many words."""
    used: set[int] = set()
    for index in range(len(words) - size + 1):
        span = set(range(index, index + size))
        name = _singular(" ".join(words[index : index + size]))
        if name not in INSTRUMENTS or span & (taken | used):
            continue
        used |= span
        if index > 0 and words[index - 1] in NEGATIONS:
            used.add(index - 1)
            found.unwanted += INSTRUMENTS[name]
            found.instrument_words += (f"no {name}",)
        else:
            found.wanted += INSTRUMENTS[name]
            found.instrument_words += (name,)
    return used


def _singular(name: str) -> str:
    return name if name in INSTRUMENTS else name.removesuffix("s")


def _read_pace(words: list[str], found: Understanding) -> set[int]:
    used: set[int] = set()
    for index, word in enumerate(words):
        if word in _PACE:
            found.pace *= _PACE[word]
            used.add(index)
        if word in _METER_WORDS:
            found.meter = found.meter or _METER_WORDS[word]
            used.add(index)
    return used


def _echo(found: Understanding) -> tuple[str, ...]:
    """What was understood, in words to show back."""
    heard: list[str] = []
    if found.mood is not None:
        heard.append(f"mood {name_mood(found.mood)} ({', '.join(found.mood.words)})")
    if found.styles:
        ranked = sorted(found.styles, key=lambda name: -found.styles[name])
        heard.append("style " + " + ".join(STYLE_FACTS[name].label for name in ranked))
    if found.tempo_bpm is not None:
        heard.append(f"{found.tempo_bpm:g} bpm")
    elif found.pace != 1.0:
        heard.append("slower than usual" if found.pace < 1 else "faster than usual")
    if found.key is not None or found.mode is not None:
        heard.append(f"in {found.key}" if found.key else f"in a {found.mode} key")
    if found.meter is not None:
        heard.append(f"{found.meter} time")
    if found.length_s is not None:
        heard.append(f"{found.length_s:g} seconds")
    if found.instrument_words:
        heard.append("with " + ", ".join(dict.fromkeys(found.instrument_words)))
    return tuple(heard)
