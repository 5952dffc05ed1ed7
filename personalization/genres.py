"""Words for kinds of music: what each of our styles is like, and how foreign genres map onto them.

Our own tables, written from general musical knowledge (tempo ranges and character of genres are facts); a genre that
they lack counts as its parent, which `genre_parents.toml` names. Others are listed as unknown, never guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from generator.brief import STYLES


@dataclass(frozen=True, slots=True)
class StyleFacts:
    """What is typical of a style; ranges as in the Brief, tempo in quarter notes per minute."""

    label: str
    tempo_low: float
    tempo: float
    tempo_high: float
    valence: float
    arousal: float
    density: float
    complexity: float
    brightness: float
    acousticness: float
    minor: float
    swing: float


# fmt: off
_F = StyleFacts
STYLE_FACTS: dict[str, StyleFacts] = {
    #               label        low  usual high   val   aro  dens  cplx  brgt  acou  minor swing
    "lofi":      _F("lo-fi",      66,  78,   94,  0.10, -0.45, 0.40, 0.65, 0.40, 0.40, 0.60, 0.55),
    "ambient":   _F("ambient",    50,  64,   84,  0.05, -0.75, 0.15, 0.35, 0.50, 0.25, 0.45, 0.00),
    "jazz":      _F("jazz",       76, 128,  210,  0.30,  0.05, 0.60, 0.85, 0.50, 0.90, 0.35, 0.85),
    "classical": _F("classical",  56,  92,  150,  0.15, -0.15, 0.55, 0.60, 0.55, 0.95, 0.40, 0.00),
    "folk":      _F("folk",       70, 100,  140,  0.25, -0.20, 0.45, 0.30, 0.50, 0.95, 0.35, 0.10),
    "pop":       _F("pop",        84, 108,  132,  0.45,  0.35, 0.60, 0.30, 0.60, 0.45, 0.30, 0.00),
    "rock":      _F("rock",       90, 126,  170,  0.10,  0.65, 0.65, 0.30, 0.55, 0.55, 0.45, 0.00),
    "house":     _F("house",     116, 124,  130,  0.35,  0.65, 0.65, 0.35, 0.60, 0.05, 0.55, 0.00),
    "hiphop":    _F("hip-hop",    70,  88,  104,  0.00,  0.15, 0.50, 0.40, 0.40, 0.15, 0.65, 0.30),
    "cinematic": _F("cinematic",  60,  90,  140, -0.05,  0.20, 0.55, 0.50, 0.50, 0.75, 0.60, 0.00),
    "synthwave": _F("synthwave",  80, 100,  118,  0.10,  0.35, 0.55, 0.35, 0.60, 0.00, 0.65, 0.00),
    "funk":      _F("funk",       92, 106,  122,  0.45,  0.55, 0.70, 0.55, 0.55, 0.55, 0.40, 0.15),
    "bossa":     _F("bossa nova", 110, 132, 160,  0.35, -0.20, 0.50, 0.75, 0.50, 0.95, 0.35, 0.00),
    "blues":     _F("blues",      60,  96,  140, -0.15,  0.05, 0.50, 0.45, 0.45, 0.80, 0.40, 0.80),
}

# Foreign genre -> our styles with weights. Names are written as `normalise` leaves them.
GENRES: dict[str, dict[str, float]] = {
    **{name: {name: 1.0} for name in STYLES},
    "lo fi": {"lofi": 1}, "lo fi hip hop": {"lofi": 1}, "lofi hip hop": {"lofi": 1}, "lofi beats": {"lofi": 1},
    "chillhop": {"lofi": 1}, "study beats": {"lofi": 1}, "jazz hop": {"lofi": .7, "jazz": .3}, "chillout": {"lofi": .5, "ambient": .5},
    "downtempo": {"lofi": .5, "ambient": .5}, "trip hop": {"lofi": .6, "hiphop": .4}, "chillwave": {"synthwave": .5, "lofi": .5},
    "drone": {"ambient": 1}, "new age": {"ambient": .8, "classical": .2}, "space music": {"ambient": 1}, "dark ambient": {"ambient": 1},
    "idm": {"ambient": .5, "house": .5}, "post rock": {"ambient": .4, "rock": .6}, "soundscape": {"ambient": 1}, "meditation": {"ambient": 1},
    "bebop": {"jazz": 1}, "hard bop": {"jazz": 1}, "cool jazz": {"jazz": 1}, "swing": {"jazz": 1}, "big band": {"jazz": 1},
    "vocal jazz": {"jazz": 1}, "modal jazz": {"jazz": 1}, "smooth jazz": {"jazz": .8, "funk": .2}, "jazz fusion": {"jazz": .6, "funk": .4},
    "nu jazz": {"jazz": .6, "lofi": .4}, "ragtime": {"jazz": .7, "classical": .3}, "gypsy jazz": {"jazz": .8, "folk": .2}, "latin jazz": {"jazz": .6, "bossa": .4},
    "baroque": {"classical": 1}, "romantic classical": {"classical": 1}, "opera": {"classical": 1}, "piano": {"classical": .6, "ambient": .4},
    "neoclassical": {"classical": .6, "ambient": .4}, "modern classical": {"classical": .6, "ambient": .4}, "minimalism": {"classical": .5, "ambient": .5},
    "chamber music": {"classical": 1}, "orchestral": {"classical": .5, "cinematic": .5}, "choral": {"classical": 1},
    "singer songwriter": {"folk": .7, "pop": .3}, "acoustic": {"folk": .8, "pop": .2}, "indie folk": {"folk": .8, "pop": .2}, "americana": {"folk": 1},
    "country": {"folk": .7, "rock": .3}, "bluegrass": {"folk": 1}, "celtic": {"folk": 1}, "traditional": {"folk": 1}, "world": {"folk": 1},
    "indie pop": {"pop": .8, "rock": .2}, "synth pop": {"pop": .6, "synthwave": .4}, "synthpop": {"pop": .6, "synthwave": .4}, "dream pop": {"pop": .6, "ambient": .4},
    "k pop": {"pop": 1}, "j pop": {"pop": 1}, "dance pop": {"pop": .7, "house": .3}, "electropop": {"pop": .7, "synthwave": .3}, "art pop": {"pop": 1},
    "r b": {"funk": .5, "hiphop": .5}, "rnb": {"funk": .5, "hiphop": .5}, "contemporary r b": {"pop": .5, "hiphop": .5}, "soul": {"funk": .6, "blues": .4}, "neo soul": {"funk": .5, "lofi": .5}, "motown": {"funk": 1}, "disco": {"funk": .6, "house": .4},
    "indie rock": {"rock": .8, "pop": .2}, "alternative rock": {"rock": 1}, "alternative": {"rock": 1}, "indie": {"rock": .5, "pop": .5}, "hard rock": {"rock": 1},
    "punk": {"rock": 1}, "punk rock": {"rock": 1}, "metal": {"rock": 1}, "heavy metal": {"rock": 1}, "grunge": {"rock": 1}, "classic rock": {"rock": 1},
    "progressive rock": {"rock": 1}, "psychedelic rock": {"rock": 1}, "shoegaze": {"rock": .6, "ambient": .4}, "garage rock": {"rock": 1},
    "electronic": {"house": .6, "synthwave": .4}, "edm": {"house": 1}, "deep house": {"house": 1}, "tech house": {"house": 1}, "techno": {"house": 1},
    "trance": {"house": .8, "synthwave": .2}, "dance": {"house": .6, "pop": .4}, "electro": {"house": .6, "synthwave": .4}, "dubstep": {"house": .6, "hiphop": .4}, "drum and bass": {"house": .7, "hiphop": .3},
    "hip hop": {"hiphop": 1}, "rap": {"hiphop": 1}, "trap": {"hiphop": 1}, "boom bap": {"hiphop": .7, "lofi": .3}, "instrumental hip hop": {"hiphop": .4, "lofi": .6},
    "soundtrack": {"cinematic": 1}, "film score": {"cinematic": 1}, "film": {"cinematic": 1}, "epic": {"cinematic": 1}, "video game music": {"cinematic": .6, "synthwave": .4}, "score": {"cinematic": 1}, "trailer": {"cinematic": 1},
    "retrowave": {"synthwave": 1}, "outrun": {"synthwave": 1}, "vaporwave": {"synthwave": .5, "lofi": .5}, "synth": {"synthwave": 1}, "new wave": {"synthwave": .6, "rock": .4},
    "afrobeat": {"funk": 1}, "p funk": {"funk": 1}, "groove": {"funk": 1},
    "bossa nova": {"bossa": 1}, "samba": {"bossa": 1}, "mpb": {"bossa": 1}, "latin": {"bossa": .6, "pop": .4},
    "breakbeat": {"house": .6, "hiphop": .4}, "hardcore": {"house": 1}, "eurodance": {"house": .6, "pop": .4}, "electronica": {"ambient": .5, "house": .5}, "electronic dance music": {"house": 1},
    "berlin school": {"ambient": .6, "synthwave": .4}, "glitch": {"ambient": .6, "lofi": .4}, "electroacoustic": {"ambient": .8, "classical": .2}, "sound art": {"ambient": 1},
    "chiptune": {"synthwave": .7, "pop": .3}, "dark wave": {"synthwave": .6, "rock": .4}, "ethereal wave": {"ambient": .6, "rock": .4}, "industrial": {"rock": .6, "house": .4}, "rock and roll": {"rock": .8, "blues": .2},
    "delta blues": {"blues": 1}, "chicago blues": {"blues": 1}, "blues rock": {"blues": .6, "rock": .4},
}
# fmt: on


def normalise(name: str) -> str:
    """Lower case, without punctuation: "Lo-Fi Hip-Hop" and "lofi hip hop" meet in the tables."""
    return re.sub(r"[^a-z0-9]+", " ", name.casefold()).strip()


@cache
def _artists() -> Mapping[str, tuple[str, ...]]:
    """Artist -> genres, from the table of well-known artists."""
    table = tomllib.loads(files(__package__).joinpath("artists.toml").read_text("utf-8"))
    found: dict[str, tuple[str, ...]] = {}
    for genre, names in table.items():
        for name in names:
            found[normalise(name)] = (*found.get(normalise(name), ()), genre)
    return found


@cache
def _parents() -> Mapping[str, str]:
    """Genre -> a genre of GENRES that it is a kind of."""
    table = tomllib.loads(files(__package__).joinpath("genre_parents.toml").read_text("utf-8"))
    return {normalise(kind): normalise(parent) for parent, kinds in table.items() for kind in kinds}


def genres_of_artist(artist: str) -> tuple[str, ...]:
    """The genres of an artist in our table; empty when we do not know them."""
    return _artists().get(normalise(artist), ())


def styles_of_genre(genre: str) -> dict[str, float] | None:
    """Our styles for a genre; the longest known ending counts ("melodic deep house" is deep house). None if unknown."""
    words = normalise(genre).split()
    for start in range(len(words)):
        name = " ".join(words[start:])
        found = GENRES.get(_parents().get(name, name))
        if found is not None:
            return found
    return None
