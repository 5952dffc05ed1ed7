"""The manner of a tune: what sets one melody by people apart from the next, so that ten takes are ten tunes.

A model left alone writes towards the average of what it has read. People do not: one tune walks in quarters and
steps, another syncopates and leaps. Three histograms say it: where in the beat notes begin, how long they are, how
far the next one lies. Those of the corpus, straight and swung ones apart, are gathered into clusters (k-means on the
square roots of the shares, that is on Hellinger distance, and on density). A take draws two near the density asked
for and mixes them; what it writes is kept near that mixture (`model.steering`). How many notes belong to the chord,
to the key, to both or to neither is counted by kind of writing.

`python -m generator.manners CORPUS` writes `data/manners.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.brief import Key
from generator.corpus.piece import GRID, Bar
from generator.corpus.shards import open_corpus
from generator.model.steering import MOVES, TONES, Manner, move_of, tone_of
from generator.model.tokens import DURATIONS, PLACES, nearest_duration

KINDS = ("song", "jazz", "hymn", "lied")
"""Those with enough melodies; the others are songs."""
_SWUNG = {"jazz"}
_HISTOGRAMS = {"places": len(PLACES), "durations": len(DURATIONS), "moves": MOVES}
_CLUSTERS = 48
_LEAST_NOTES, _LEAST_PIECES = 24, 5
_BARS = 32  # of each piece
_NEAR = 0.2  # octaves of density within which clusters are neighbours (standard deviation)
_NEITHER = 0.25
"""Share of the tones outside chord and key that are aimed at: people's are meant, and a small model adds its own."""
_DATA = "data/manners.json"

Floats = NDArray[np.float64]


def draw_manner(kind: str, density: float, rng: np.random.Generator, firmness: float = 1.0) -> Manner:
    """The manner of one take: two clusters near `density` (onsets per quarter), mixed; `firmness` as in Manner."""
    kind = kind if kind in KINDS else "song"
    table = _table()
    clusters = table["clusters"][_group(kind)]
    weights = _nearness(clusters, density) * np.sqrt([float(cluster["pieces"]) for cluster in clusters])
    one, other = (clusters[int(index)] for index in rng.choice(len(clusters), size=2, p=weights / weights.sum()))
    share = float(rng.random())

    def mixed(name: str) -> tuple[float, ...]:
        return tuple(float(x) for x in share * np.array(one[name]) + (1 - share) * np.array(other[name]))

    *closer, neither = table["tones"][kind]
    fewer = _NEITHER * neither
    tones = tuple(share / (1 - neither + fewer) for share in (*closer, fewer))
    return Manner(mixed("places"), mixed("durations"), mixed("moves"), tones, firmness)


def _group(kind: str) -> str:
    return "swung" if kind in _SWUNG else "straight"


def _nearness(clusters: Sequence[Mapping[str, Any]], density: float) -> Floats:
    """Gaussian weight of every cluster by its distance in octaves of density, never all zero."""
    octaves = np.log2([float(cluster["density"]) for cluster in clusters]) - np.log2(density)
    distance = (octaves / _NEAR) ** 2
    return np.asarray(np.exp(-0.5 * (distance - distance.min())))


@cache
def _table() -> dict[str, Any]:
    text = files(__package__).joinpath(_DATA).read_text("utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


# ---- counting ---------------------------------------------------------------------------------------------------


def _histograms(bars: Sequence[Bar]) -> tuple[float, Floats] | None:
    """Onsets per bar with melody, and the three histograms, one after the other; None for too short a melody."""
    sung = [bar for bar in bars if bar.melody]
    notes = [note for bar in sung for note in bar.melody]
    if len(notes) < _LEAST_NOTES:
        return None
    places = np.bincount([_place(note.pos) for note in notes], minlength=len(PLACES))
    lengths = np.bincount([DURATIONS.index(nearest_duration(n.dur)) for n in notes], minlength=len(DURATIONS))
    moves = np.bincount([move_of(b.pitch - a.pitch) for a, b in pairwise(notes)], minlength=MOVES)
    return len(notes) / len(sung), np.concatenate([counts / counts.sum() for counts in (places, lengths, moves)])


def _tones(bars: Sequence[Bar], key: Key) -> Floats:
    """Counts of the sorts of tone over the chords; notes before the first chord are left out."""
    counts = np.zeros(TONES)
    chord = None
    for bar in bars:
        for note in bar.melody:
            chord = next((c for c in reversed(bar.chords) if c.pos <= note.pos), chord)
            if chord is not None:
                counts[tone_of(note.pitch - key.tonic, (chord.root - key.tonic, chord.quality), key.mode)] += 1
        chord = bar.chords[-1] if bar.chords else chord
    return counts


def _place(pos: int) -> int:
    return min(range(len(PLACES)), key=lambda index: abs(PLACES[index] - pos % GRID))


def count_manners(folder: Path) -> dict[str, Any]:
    """The table of a built corpus: its training pieces. The same corpus gives the same table."""
    corpus = open_corpus(folder)
    rows: dict[str, list[Floats]] = {"straight": [], "swung": []}
    tones = {kind: np.zeros(TONES) for kind in KINDS}
    for ref in corpus.refs:
        if ref.split != "train" or ref.kind not in KINDS or "melody" not in ref.parts:
            continue
        piece = corpus.load(ref)
        bars = piece.bars[:_BARS]
        found = _histograms(bars)
        if found is not None:
            density = found[0] * GRID / piece.bar_steps
            rows[_group(ref.kind)].append(np.concatenate([[density], found[1]]))
            tones[ref.kind] += _tones(bars, piece.key)
    return {
        "what": "manners of melodies (where in the beat, how long, how far), clusters of the training pieces",
        "places": PLACES, "durations": DURATIONS, "moves": "same, step up and down, third, fourth or fifth, more",
        "tones": {kind: [round(float(share), 4) for share in own / own.sum()] for kind, own in tones.items()},
        "clusters": {group: _clusters(np.stack(own)) for group, own in rows.items()},
    }  # fmt: skip


def _clusters(rows: Floats) -> list[dict[str, Any]]:
    from sklearn.cluster import KMeans  # noqa: PLC0415 -- counting alone needs it, writing a piece does not

    points = np.concatenate([np.log2(rows[:, :1]), np.sqrt(rows[:, 1:])], axis=1)
    count = min(_CLUSTERS, len(rows) // _LEAST_PIECES)
    labels = KMeans(count, n_init=4, random_state=0).fit_predict(points)
    found = []
    for label in range(count):
        own = rows[labels == label]
        if len(own) < _LEAST_PIECES:  # a manner is a habit of several people's
            continue
        centre = own.mean(0)
        cluster: dict[str, Any] = {"pieces": len(own), "density": round(float(centre[0]), 3)}
        at = 1
        for name, size in _HISTOGRAMS.items():
            cluster[name] = [round(float(share), 3) for share in centre[at : at + size]]
            at += size
        found.append(cluster)
    return sorted(found, key=lambda cluster: float(cluster["density"]))


if __name__ == "__main__":
    table = json.dumps(count_manners(Path(sys.argv[1]))) + "\n"
    (Path(__file__).parent / _DATA).write_text(table.replace('{"pieces"', '\n {"pieces"'), encoding="utf-8")
