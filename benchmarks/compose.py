"""The `compose` table: pieces asked for in words, and what their files turn out to be.

Cold is the command line as a person meets it, from the start of Python to the files on disk; warm is a process that
has composed before, as the bot's worker has.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from rich.console import Console

from benchmarks.listen import decode, hear, pulse, residual_db
from benchmarks.result import Must, Options, Result, Rows, cpu_s
from bot.settings import Settings, child_environment, load_settings
from generator import publish
from generator.arrange.blend import style_of
from generator.brief import Brief, writable_styles
from generator.errors import GeneratorError
from generator.pipeline import compose_track
from generator.produce.mix import Desk, Mix
from generator.render.sounds import find_soundfont
from generator.score import Meter
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import Request

TEXTS = ("chill", "something sad but hopeful for studying", "happy summer party")
LENGTH_S = 60.0
LIMIT_S = 30.0
SEED = 20_261_122
_SILENCE_S = 2.0
_RESIDUAL_DB = -60.0
_NO_PULSE = 0.12  # strength below which nobody could tap along

_WATCHED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
"""Runs a command and says the memory of its largest process in KiB: a small one between, since what is started by a
large process counts that one's memory too."""

_COLUMNS = {
    "style": "style", "number": "text", "asked_bpm": "asked bpm", "heard_bpm": "heard", "tempo_off": "off %",
    "pulse": "pulse", "length_s": "length s", "bar_s": "bar s", "lufs": "LUFS", "peak": "dBTP",
    "silence_s": "silence s", "stems_db": "stems dB", "seconds": "time s", "cpu_s": "CPU s", "verified": "gates",
}  # fmt: skip
_DIGITS = dict.fromkeys(("asked_bpm", "heard_bpm", "lufs", "peak", "stems_db", "seconds", "cpu_s"), 1)


@dataclass(frozen=True, slots=True)
class _Finished:
    """One piece of the warm process: its row for the table, and the seconds of its stages."""

    row: dict[str, Any]
    stages_s: dict[str, float]


def run(options: Options) -> Result:
    """Compose every text in every style, warm; then the same piece twice, cold, through the command line."""
    settings = load_settings()
    torch.set_num_threads(settings.threads_per_worker)
    soundfont = find_soundfont(settings.home, settings.soundfont)
    texts = TEXTS[:1] if options.quick else TEXTS
    with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
        work = Path(folder)
        _piece(_brief(texts[0], writable_styles()[0], 10.0, 0), work / "warm up", soundfont, 0)
        finished = [
            _piece(_brief(text, style, LENGTH_S, number), work / f"{number} {style}", soundfont, number)
            for number, text in enumerate(texts, start=1)
            for style in writable_styles()
        ]
        cold = [_cold(settings, soundfont, work / f"cold {index}") for index in range(2)]
        same_notes = (cold[0].dir / "track.mid").read_bytes() == (cold[1].dir / "track.mid").read_bytes()
        same_samples = np.array_equal(decode(cold[0].dir / "track.mp3"), decode(cold[1].dir / "track.mp3"))
    rows = [piece.row for piece in finished]
    musts = [*_musts_of_rows(rows), *_musts_of_cold(cold, same_notes=same_notes, same_samples=same_samples)]
    stages = [{"style": piece.row["style"], "number": piece.row["number"], **piece.stages_s} for piece in finished]
    headings = {"style": "style", "number": "text"} | {name: name for name in publish.STAGES}
    sounds = "a soundfont" if soundfont else "synthesised (no soundfont)"
    seconds = ", ".join(f"{one.seconds:.1f} s ({one.cpu_s:.1f} s of CPU)" for one in cold)
    memory = max(one.memory_mib for one in cold)
    notes = [
        "Texts: " + ", ".join(f"{number} “{text}”" for number, text in enumerate(texts, start=1)) + ".",
        f"Acoustic instruments: {sounds}. Pieces of {LENGTH_S:.0f} s; one take warm, {settings.takes} takes cold.",
        f"Cold, whole command: {seconds}; highest memory of one process {memory:.0f} MiB.",
    ]
    tables = [
        Rows("Asked and measured", _COLUMNS, rows, _DIGITS),
        Rows("Seconds of each stage, warm", headings, stages, dict.fromkeys(publish.STAGES, 1)),
    ]
    return Result("compose", tables, musts, notes)


def _brief(text: str, style: str, length_s: float, number: int) -> Brief:
    request = Request(text=text, styles=(style,), length_s=length_s, seed=SEED + number)
    return propose(request, Profile("benchmark"), seed=SEED).brief


@contextmanager
def _overhearing() -> Iterator[list[Mix]]:
    """Keeps the mixes that are made: the bus before mastering is not among its files."""
    heard: list[Mix] = []

    mix = Desk.mix

    def keep(desk: Desk, *args: Any) -> Mix:
        made = mix(desk, *args)
        heard.append(replace(made, bus=made.bus.clone()))  # mastering overwrites it
        return made

    with patch.object(Desk, "mix", keep):
        yield heard


def _piece(brief: Brief, out: Path, soundfont: Path | None, number: int) -> _Finished:
    meter = Meter.parse(brief.meter)
    bar_s = 60.0 / brief.tempo_bpm * meter.beats * 4 / meter.beat_unit
    row: dict[str, Any] = dict.fromkeys(_COLUMNS)
    row |= {"style": brief.style, "number": number, "asked_bpm": brief.tempo_bpm, "bar_s": bar_s, "verified": False}
    began, worked = time.perf_counter(), cpu_s()
    try:
        with _overhearing() as mixes:
            track = compose_track(brief, out, track_id=out.name, takes=1, soundfont=soundfont)
    except GeneratorError as error:
        Console(stderr=True, highlight=False).print(f"{brief.style}, “{brief.text}”: {error}")
        return _Finished(row, dict.fromkeys(publish.STAGES, 0.0))
    row |= {"seconds": time.perf_counter() - began, "cpu_s": cpu_s() - worked}
    heard = hear(Path(track.files["mp3"]))
    beat = pulse(decode(Path(track.files["mp3"])))
    plain = beat.strength >= _NO_PULSE
    row |= {
        "heard_bpm": beat.bpm if plain else None,
        "tempo_off": 100 * beat.off(brief.tempo_bpm, meter.beats) if plain else None,
        "pulse": beat.strength,
        "length_s": heard.length_s,
        "lufs": heard.integrated_lufs,
        "target_lufs": style_of(brief).master.target_lufs,
        "peak": heard.true_peak_dbtp,
        "silence_s": heard.longest_silence_s,
        "stems_db": residual_db([Path(name) for name in track.files["stems"]], mixes[-1].bus.T.cpu().numpy()),
        "verified": bool(track.measured["verified"]),
    }
    return _Finished(row, track.timings_s)


@dataclass(frozen=True, slots=True)
class _Cold:
    dir: Path
    seconds: float
    cpu_s: float
    memory_mib: float


def _cold(settings: Settings, soundfont: Path | None, out: Path) -> _Cold:
    """One piece by the command line, in a home of its own. Raises GeneratorError when the command fails."""
    environment = child_environment(settings)
    if soundfont is not None:
        environment["TUNESMITH_SOUNDFONT"] = str(soundfont)
    command = [sys.executable, "-m", "bot", "--home", str(out.with_name(f"{out.name} home")), "compose", TEXTS[0]]
    command += ["--style", writable_styles()[0], "--length", f"{LENGTH_S:g}", "--seed", str(SEED)]
    began, worked = time.perf_counter(), cpu_s()
    done = subprocess.run(  # noqa: S603 -- our own command, no shell
        [sys.executable, "-c", _WATCHED, *command, "--out", str(out), "--json"],
        capture_output=True, check=False, text=True, env=environment,
    )  # fmt: skip
    seconds, used_s = time.perf_counter() - began, cpu_s() - worked
    *said, memory = done.stderr.strip().splitlines()
    if done.returncode != 0:
        raise GeneratorError(f"The command line did not finish the piece: {(said or ['no reason given'])[-1]}")
    return _Cold(Path(json.loads(done.stdout.splitlines()[-1])["dir"]), seconds, used_s, int(memory) / 1024)


def _musts_of_rows(rows: list[dict[str, Any]]) -> list[Must]:
    made = [row for row in rows if row["lufs"] is not None]
    if not made:
        return [Must("every piece is finished and verified", f"{len(rows)} of {len(rows)}", "0", passed=False)]
    slowest = max(row["seconds"] for row in made)
    missed = max((row["lufs"] - row["target_lufs"] for row in made), key=abs)
    peak = max(row["peak"] for row in made)
    bars = max((row["length_s"] - LENGTH_S for row in made), key=abs)
    in_bars = max(abs(row["length_s"] - LENGTH_S) / row["bar_s"] for row in made)
    silence = max(row["silence_s"] for row in made)
    residual = max(row["stems_db"] for row in made)
    whole = sum(row["verified"] for row in rows)
    return [
        Must("every piece is finished and verified", f"{len(rows)} of {len(rows)}", str(whole), whole == len(rows)),
        Must("60 s of music, warm", f"<= {LIMIT_S:.0f} s", f"{slowest:.1f} s", slowest <= LIMIT_S),
        Must("loudness against the style's target, farthest", "± 0.5 LU", f"{missed:+.2f} LU", abs(missed) <= 0.5),
        Must("true peak, highest", "<= -1.0 dBTP", f"{peak:.1f} dBTP", peak <= -1.0),
        Must("length, farthest", "within a bar", f"{bars:+.2f} s, {in_bars:.2f} bars", in_bars <= 1.0),
        Must("silence, longest", f"<= {_SILENCE_S:.0f} s", f"{silence:.2f} s", silence <= _SILENCE_S),
        Must("stems against the bus", f"<= {_RESIDUAL_DB:.0f} dB", f"{residual:.1f} dB", residual <= _RESIDUAL_DB),
    ]


def _musts_of_cold(cold: list[_Cold], *, same_notes: bool, same_samples: bool) -> list[Must]:
    slowest = max(one.seconds for one in cold)
    return [
        Must("60 s of music, cold", f"<= {LIMIT_S:.0f} s", f"{slowest:.1f} s", slowest <= LIMIT_S),
        Must("same seed, two processes: MIDI bytes", "identical", "yes" if same_notes else "no", same_notes),
        Must("same seed, two processes: samples", "identical", "yes" if same_samples else "no", same_samples),
    ]
