"""The `sound` table: what reaches a listener's ears, measured on the files, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks import fluidsynth
from benchmarks.listen import decode, hear
from benchmarks.result import Must, Options, Result, Rows
from bot.settings import load_settings
from generator import hands
from generator.arrange.blend import style_of
from generator.brief import Brief, writable_styles
from generator.errors import GeneratorError
from generator.notation.files import read_score
from generator.pipeline import compose_track
from generator.render.render import render
from generator.render.sounds import find_soundfont
from generator.score import Meter, Score
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import Request

MOODS = ("chill", "happy", "sad", "energetic", "dark", "romantic", "hopeful", "party")
SEED = 20_261_124
_LENGTH_S, _WHOLE_S, _LONG_S = 30.0, 60.0, 120.0
_WORKING = ("render", "mix", "master", "encode")
_SIX_PARTS, _MORE_PARTS = "funk", "cinematic"
"""Of the styles that play six parts for two minutes the one with most notes, and the style with most parts."""
_COMPARED = ("funk", "classical", "cinematic")
"""Styles whose two minutes FluidSynth plays too: a band, chamber music, an orchestra."""
_RENDER = """
import json, sys, torch
from pathlib import Path
from benchmarks.result import highest_mib
from generator.remake import read_source, render_track
torch.set_num_threads(1)
font = Path(sys.argv[3]) if sys.argv[3] else None
source, out = read_source(Path(sys.argv[1])), Path(sys.argv[2])
track, mib = highest_mib(lambda: render_track(source, out, track_id="long", seed=1, soundfont=font))
print(json.dumps({"mib": mib, "parts": len(track.measured["parts"])} | track.timings_s))
"""

_COLUMNS = {
    "style": "style", "mood": "mood", "seed": "seed", "tempo_off": "tempo off %", "rotation": "rotation",
    "bars_off": "bars off", "lufs_off": "LU off", "peak": "dBTP", "seconds": "s", "verified": "gates",
}  # fmt: skip
_LONG = {"style": "style", "run": "run", "parts": "parts", "mib": "MiB"} | {name: name for name in _WORKING}
_CPU = {"style": "style", "notes": "notes", "ours_s": "ours, CPU s", "theirs_s": "FluidSynth, CPU s"}
_ORACLE = {"programme": "programme", "off_db": "level dB", "cents": "cents", "spectral_db": "spectral dB"}


def run(options: Options) -> Result:
    torch.set_num_threads(1)
    settings = load_settings()
    soundfont = find_soundfont(settings.home, preferred=settings.soundfont)
    styles, moods, seeds = (writable_styles(), MOODS, 2) if not options.quick else (("lofi", "classical"), MOODS[:1], 1)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        rows = [
            _piece(brief_of(style, mood, SEED + seed, _LENGTH_S), out / f"{style}-{mood}-{seed}", soundfont, seed)
            for style in styles for mood in moods for seed in range(seeds)
        ]  # fmt: skip
        whole = _piece(brief_of("pop", "happy", SEED, _WHOLE_S), out / "whole", soundfont, 0)
        scores = {style: _composed(style, out, soundfont) for style in _COMPARED}
        long = [row for style in (_SIX_PARTS, _MORE_PARTS) for row in _long(style, out, soundfont)]
    musts = [
        *_musts(rows),
        Must("whole compose of 60 s, warm", "<= 10 s", _s(whole["seconds"]), whole["seconds"] <= 10),
    ]
    tables = [
        Rows("Asked and measured", _COLUMNS, rows),
        Rows("Two minutes, seconds of each stage", _LONG, long, dict.fromkeys(_WORKING, 1)),
    ]
    musts += _musts_of_long(long)
    notes = []
    if fluidsynth.available() and soundfont is not None:
        oracle = fluidsynth.compare(soundfont)
        cost = [_cost(style, score, soundfont) for style, score in scores.items()]
        tables.append(Rows("FluidSynth beside our sampler, farthest of three velocities", _ORACLE, oracle))
        tables.append(Rows("Two minutes of stems, one thread", _CPU, cost))
        musts += _musts_of_oracle(oracle, cost)
    else:
        notes.append("FluidSynth or a soundfont is absent (“apt install fluidsynth”): the sampler was not compared.")
    return Result("sound", tables, musts, notes)


def brief_of(style: str, mood: str, seed: int, length_s: float) -> Brief:
    request = Request(text=mood, styles=(style,), length_s=length_s, seed=seed)
    return propose(request, Profile("benchmark"), seed=SEED).brief


def _piece(brief: Brief, out: Path, soundfont: Path | None, seed: int) -> dict[str, Any]:
    """One composed piece. Tempo and rotation are the report's, loudness, peak and length ffmpeg's on the MP3."""
    row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {"style": brief.style, "mood": brief.text, "seed": seed}
    meter = Meter.parse(brief.meter)
    bar_s = 60.0 / brief.tempo_bpm * meter.beats * 4 / meter.beat_unit
    began = time.perf_counter()
    try:
        track = compose_track(brief, out, track_id=out.name, takes=1, soundfont=soundfont)
    except GeneratorError as error:
        print(f"{brief.style}, {brief.text}: {error}", file=sys.stderr)
        return row | {"seconds": time.perf_counter() - began, "verified": False}
    seconds, heard = time.perf_counter() - began, hear(Path(track.files["mp3"]))
    return row | {
        "tempo_off": 100 * (track.measured["tempo_bpm"] / brief.tempo_bpm - 1),
        "rotation": track.measured["chroma_rotation"],
        "bars_off": (heard.length_s - brief.length_s) / bar_s,
        "lufs_off": heard.integrated_lufs - style_of(brief).master.target_lufs,
        "peak": heard.true_peak_dbtp,
        "seconds": seconds,
        "verified": bool(track.measured["verified"]),
    }


def _composed(style: str, out: Path, soundfont: Path | None) -> Score:
    brief = brief_of(style, "hopeful", SEED, _LONG_S)
    track = compose_track(brief, out / f"long {style}", track_id="long", takes=1, soundfont=soundfont)
    return read_score(track.dir / "score.json")


def _long(style: str, out: Path, soundfont: Path | None) -> list[dict[str, Any]]:
    """Two processes that each render the style's two minutes; the second row says whether the samples are the same."""
    found = []
    for run in ("1", "2"):
        command = [sys.executable, "-c", _RENDER, str(out / f"long {style}"), str(out / f"{style} {run}")]
        done = subprocess.run([*command, str(soundfont or "")], check=True, capture_output=True, text=True)  # noqa: S603 -- our own command
        found.append({"style": style, "run": run} | json.loads(done.stdout.splitlines()[-1]))
    first, second = (decode(out / f"{style} {run}" / "track.mp3") for run in ("1", "2"))
    found[1]["same"] = bool(np.array_equal(first, second))
    return found


def _cost(style: str, score: Score, soundfont: Path) -> dict[str, Any]:
    """Processor seconds for the same notes; ours on one thread too: two that share a core count double."""
    with patch.object(hands, "MOST", 1):
        render(score, soundfont, seed=1, device=torch.device("cpu"))
        began = time.process_time()
        render(score, soundfont, seed=1, device=torch.device("cpu"))
        ours = time.process_time() - began
    notes = sum(len(part.notes) for part in score.parts)
    return {"style": style, "notes": notes, "ours_s": ours, "theirs_s": fluidsynth.play(score, soundfont)[1]}


def _musts(rows: list[dict[str, Any]]) -> list[Must]:
    made = [row for row in rows if row["lufs_off"] is not None]
    holds = {
        "tempo within 2 %": ([abs(row["tempo_off"]) <= 2.0 for row in made], 0.99),
        "chroma rotation 0": ([row["rotation"] == 0 for row in made], 0.99),
        "length within a bar": ([abs(row["bars_off"]) <= 1.0 for row in made], 1.0),
        "loudness within 0.5 LU of the style's": ([abs(row["lufs_off"]) <= 0.5 for row in made], 1.0),
        "true peak <= -1.0 dBTP": ([row["peak"] <= -1.0 for row in made], 1.0),
    }
    return [
        Must(name, f">= {share:.0%}", f"{sum(kept)} of {len(rows)}", bool(rows) and sum(kept) >= share * len(rows))
        for name, (kept, share) in holds.items()
    ]


def _musts_of_long(long: list[dict[str, Any]]) -> list[Must]:
    six = [row for row in long if row["style"] == _SIX_PARTS]
    seconds = max(sum(row[stage] for stage in _WORKING) for row in six)
    memory = max(row["mib"] for row in six) * 1.048576
    same = all(row.get("same", True) for row in long)
    return [
        Must(f"render, mix, master, encode 2 min, {six[0]['parts']} parts", "<= 12 s", _s(seconds), seconds <= 12),
        Must("its highest memory", "<= 900 MB", f"{memory:.0f} MB", memory <= 900),
        Must("same seed, two processes: samples", "identical", "yes" if same else "no", same),
    ]


def _musts_of_oracle(rows: list[dict[str, Any]], cost: list[dict[str, Any]]) -> list[Must]:
    level, cents = (max(abs(row[key]) for row in rows) for key in ("off_db", "cents"))
    spectral = max(row["spectral_db"] for row in rows)
    ratio = sum(row["ours_s"] for row in cost) / sum(row["theirs_s"] for row in cost)
    return [
        Must("level against FluidSynth, farthest", "<= 1.5 dB", f"{level:.2f} dB", level <= 1.5),
        Must("tuning against FluidSynth, farthest", "<= 3 cents", f"{cents:.2f} cents", cents <= 3.0),
        Must("log-spectral distance, farthest", "<= 6 dB", f"{spectral:.2f} dB", spectral <= 6.0),
        Must("CPU time against FluidSynth's, all three pieces", "<= 1.5", f"{ratio:.2f}", ratio <= 1.5),
    ]


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"
