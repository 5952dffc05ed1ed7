"""FluidSynth as the oracle of our SoundFont sampler: the same notes and font, played by both.

The program is needed for this table only (Debian: `apt install fluidsynth`). Its gain is another than ours, so levels
are compared after the median difference of all notes is taken off.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.listen import RATE, decode
from generator.brief import Key
from generator.notation.midi import write_midi
from generator.render.render import render
from generator.score import PPQ, Control, Meter, Note, Part, Score, TempoChange

VELOCITIES = (40, 80, 120)
PROGRAMMES = (
    "grand_piano", "nylon_guitar", "violin", "cello", "flute", "clarinet", "trumpet", "vibraphone", "upright_bass",
    "strings",
)  # fmt: skip
_MOVED = (Control(0, "bend", 170), Control(0, "expression", 90))
"""What the player of one more row does: bent up by 1.7 semitones, and softer."""
_GAIN = 0.5
_SLOT_S, _HELD_S = 3, 1.5
_BANDS = 40
_FLOOR_DB = 60.0

Sound = NDArray[np.float32]


def available() -> bool:
    return shutil.which("fluidsynth") is not None


def play(score: Score, soundfont: Path) -> tuple[Sound, float]:
    """FluidSynth's sound [n, 2], dry, and the processor seconds it took, loading the font included."""
    with tempfile.TemporaryDirectory() as folder:
        midi, wave = Path(folder) / "notes.mid", Path(folder) / "notes.wav"
        write_midi(score, midi)
        before = _children_s()
        command = ["fluidsynth", "-ni", "-q", "-R", "0", "-C", "0", "-g", str(_GAIN), "-r", str(RATE), "-O", "float"]
        subprocess.run([*command, "-F", str(wave), str(soundfont), str(midi)], check=True, capture_output=True)  # noqa: S603 -- no shell
        return decode(wave), _children_s() - before


def compare(soundfont: Path) -> list[dict[str, Any]]:
    """A row for every programme: level at three velocities in dB, tuning in cents, log-spectral distance in dB."""
    rows = [_compare(name, soundfont) for name in PROGRAMMES]
    offset = float(np.median([level for row in rows for level in row["levels"]]))
    rows.append(_compare("violin", soundfont, _MOVED))
    for row in rows:
        row["off_db"] = max((level - offset for level in row.pop("levels")), key=abs)
    return rows


def _compare(name: str, soundfont: Path, moved: Sequence[Control] = ()) -> dict[str, Any]:
    pitch = 36 if name == "upright_bass" else 67
    slot = _SLOT_S * PPQ  # at 60 bpm a quarter is a second
    notes = tuple(Note(at * slot, int(_HELD_S * PPQ), pitch, velocity) for at, velocity in enumerate(VELOCITIES))
    score = Score(
        name, Key(0, "major"), Meter(3, 4), len(VELOCITIES), (TempoChange(0, 60.0),), (), (),
        (Part("part", "melody", name, notes, tuple(moved)),),
    )  # fmt: skip
    ours = render(score, soundfont, seed=1, device=torch.device("cpu"))["part"].T.numpy()
    theirs, _ = play(score, soundfont)
    pairs = [(_slot(ours, at), _slot(theirs, at)) for at in range(len(VELOCITIES))]
    bend = sum(control.value for control in moved if control.kind == "bend")
    hertz = 440.0 * 2 ** ((pitch - 69 + bend / 100) / 12)
    return {
        "programme": f"{name}, moved" if moved else name,
        "levels": [_level_db(one) - _level_db(other) for one, other in pairs],
        "cents": max((_cents(one, hertz) - _cents(other, hertz) for one, other in pairs), key=abs),
        "spectral_db": float(np.mean([_distance_db(one, other) for one, other in pairs])),
    }


def _slot(sound: Sound, number: int) -> NDArray[np.float64]:
    begin = number * _SLOT_S * RATE
    mono = sound[begin : begin + int(_HELD_S * RATE)].mean(1)
    return np.pad(mono, (0, int(_HELD_S * RATE) - len(mono))).astype(np.float64)


def _level_db(mono: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(mono**2) + 1e-12))


def _cents(mono: NDArray[np.float64], hertz: float) -> float:
    """Where the energy within 60 cents of the fundamental lies."""
    size = 1 << 20
    power = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), size)) ** 2
    cents = 1200 * np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE), 1e-3) / hertz)
    near = np.abs(cents) < 60
    return float((cents[near] * power[near]).sum() / power[near].sum())


def _distance_db(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Root mean square difference of 40 bands from 60 Hz to 12 kHz, down to 60 dB below the loudest."""
    first, second = _bands_db(one), _bands_db(other)
    first, second = first - first.max(), second - second.max()
    heard = np.maximum(first, second) > -_FLOOR_DB
    away = np.maximum(first, -_FLOOR_DB) - np.maximum(second, -_FLOOR_DB)
    return float(np.sqrt(np.mean(away[heard] ** 2)))


def _bands_db(mono: NDArray[np.float64]) -> NDArray[np.float64]:
    power = np.abs(np.fft.rfft(mono * np.hanning(len(mono)))) ** 2
    edges = np.geomspace(60, 12000, _BANDS + 1) / RATE * len(mono)
    total = np.concatenate([[0.0], np.cumsum(power)])
    at = edges.astype(np.int64)
    return np.asarray(10 * np.log10(total[np.maximum(at[1:], at[:-1] + 1)] - total[at[:-1]] + 1e-12))


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
