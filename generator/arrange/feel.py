"""How human drummers play around the grid: microtiming and loudness by drum and place in the bar.

`data/feel.json` is measured from the Groove MIDI Dataset (Gillick et al. 2019, CC BY 4.0) by

    python -m generator.arrange.feel FOLDER_OF_THE_GROOVE_SET

For every family of styles, drum and sixteenth of a 4/4 bar it holds the mean and standard deviation of the deviation
from the grid in milliseconds (positive is late) and of the MIDI velocity. Deviations are against the mean of their
bar, so that neither a drifting tempo nor where a band sits (`Playing.lay_back_ms`) counts. Strokes further than a
sixteenth of a beat from their place are left out: they are triplets or swing, which is the style's too.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from generator.score import PPQ

# Families of the labels of the set that are played alike.
_FAMILY_OF = {
    "rock": "rock", "punk": "rock", "country": "rock", "pop": "pop", "dance": "pop", "gospel": "pop",
    "funk": "funk", "soul": "funk", "neworleans": "funk", "hiphop": "hiphop", "jazz": "jazz", "blues": "jazz",
    "latin": "latin", "afrocuban": "latin", "afrobeat": "latin", "highlife": "latin", "reggae": "latin",
}  # fmt: skip
FAMILIES = ("funk", "hiphop", "jazz", "latin", "pop", "rock")
_SIXTEENTH = PPQ // 4
_STRAIGHT = PPQ // 16  # ticks
_ENOUGH = 40  # strokes; a place with fewer takes the drum's own mean


@dataclass(frozen=True, slots=True)
class Touch:
    """Mean and spread of one place: milliseconds late, and MIDI velocity against the drum's mean."""

    late_ms: float
    late_spread_ms: float
    louder: float
    loudness_spread: float


@cache
def load_feel(family: str) -> dict[tuple[str, int], Touch]:
    """The touch of a family by (drum, sixteenth of the bar); place -1 is the drum anywhere."""
    table = json.loads(files(__package__).joinpath("data/feel.json").read_text("utf-8"))["families"][family]
    return {(drum, int(place)): Touch(*numbers) for drum, places in table.items() for place, numbers in places.items()}


def measure_feel(folder: Path) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Read every 4/4 beat of the set; see above for what comes out."""
    from generator.corpus.drums import DRUM_OF  # noqa: PLC0415 -- only the measuring needs the corpus
    from generator.corpus.formats.midi import read_midi  # noqa: PLC0415

    strokes: dict[str, dict[tuple[str, int], list[tuple[float, int]]]] = {f: defaultdict(list) for f in FAMILIES}
    with (folder / "labels.tsv").open(encoding="utf-8") as labels:
        for row in csv.DictReader(labels, delimiter="\t"):
            family = _FAMILY_OF.get(row["style"].split("/")[0].split("-")[0])
            if family is None or row["time_signature"] != "4-4" or row["beat_type"] != "beat":
                continue
            music = read_midi(folder / row["file"])
            notes = [note for track in music.tracks for note in track.notes]
            tick_ms = 60_000 / float(row["bpm"]) / PPQ
            bars: dict[int, list[tuple[str, int, int, int]]] = defaultdict(list)
            for note in notes:
                step = round(note.onset / _SIXTEENTH)
                late = note.onset - step * _SIXTEENTH
                if note.pitch in DRUM_OF and abs(late) <= _STRAIGHT:
                    bars[step // 16].append((DRUM_OF[note.pitch], step % 16, late, note.velocity))
            for bar in bars.values():
                drift = sum(late for _, _, late, _ in bar) / len(bar)
                for drum, place, late, velocity in bar:
                    strokes[family][drum, place].append(((late - drift) * tick_ms, velocity))
    return {family: _summary(found) for family, found in strokes.items()}


def _summary(found: dict[tuple[str, int], list[tuple[float, int]]]) -> dict[str, dict[str, list[float]]]:
    table: dict[str, dict[str, list[float]]] = {}
    for drum in sorted({drum for drum, _ in found}):
        whole = np.array([stroke for (name, _), places in found.items() if name == drum for stroke in places])
        if len(whole) < _ENOUGH:
            continue
        mean_velocity = float(whole[:, 1].mean())
        table[drum] = {"-1": _numbers(whole, mean_velocity)}
        for place in range(16):
            here = np.array(found.get((drum, place), []))
            if len(here) >= _ENOUGH:
                table[drum][str(place)] = _numbers(here, mean_velocity)
    return table


def _numbers(strokes: np.ndarray, mean_velocity: float) -> list[float]:
    late, velocity = strokes[:, 0], strokes[:, 1]
    return [round(float(number), 1) for number in
            (late.mean(), late.std(), velocity.mean() - mean_velocity, velocity.std())]  # fmt: skip


def main(folder: Path) -> None:
    """Measure and write the table."""
    document = {
        "source": "Groove MIDI Dataset, Gillick et al. 2019, CC BY 4.0; means and deviations measured by feel.py",
        "columns": ["late_ms", "late_spread_ms", "louder", "loudness_spread"],
        "families": measure_feel(folder),
    }
    text = json.dumps(document, separators=(",", ":"))
    (Path(__file__).parent / "data" / "feel.json").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
