"""The `originality` table: how much our melodies borrow from the training melodies, before anything is rewritten.

Beside them, with `--data CORPUS`, stand held-out human pieces under the same measure. The bounds are those of the
shipped index: what human pieces of the corpus borrow from each other in 95 of 100 cases.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from benchmarks.result import Must, Options, Result, Rows
from bot.settings import load_settings
from generator import gate
from generator.arrange.style import load_style
from generator.brief import Brief, writable_styles
from generator.compose import compose, take_seeds
from generator.corpus.shards import open_corpus
from generator.measure.originality import SUNG, Originality, load_index, melodies
from generator.model import checkpoint
from generator.model.desk import alone
from generator.plan import make_plan
from generator.seeds import stream
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import Request

TEXTS = (
    "chill", "something sad but hopeful for studying", "happy summer party", "dark and slow", "a romantic evening",
    "angry and fast", "dreamy, to fall asleep", "focus",
)  # fmt: skip
SEED = 7_001
TAKES = 4
LENGTH_S = 60.0
MUST, AIM = 98.0, 99.5  # % of our melodies within the bounds
LIMIT_S = 0.15  # of CPU, for one check
_HUMAN_PIECES = 300
_WORST = 6
_QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99, "highest": 1.0}


@dataclass(frozen=True, slots=True)
class _Checked:
    """One melody of ours and what it borrows."""

    style: str
    text: str
    found: Originality
    cpu_s: float


def run(options: Options) -> Result:
    """Raises GeneratorError when the weights, the index or the corpus are missing."""
    torch.set_num_threads(load_settings().threads_per_worker)
    index = load_index()
    began = time.process_time()
    index.check((), 48)  # sorts the index, once in a process
    first_s = time.process_time() - began
    ours = list(_compose(quick=options.quick))
    bounds = index.bounds
    rows = [_quantiles("ours, before any gate", [one.found for one in ours])]
    if options.data is not None:
        rows.append(_quantiles("held-out sung pieces", _people(options.data, quick=options.quick)))
    passed = 100 * float(np.mean([one.found.passed for one in ours]))
    slowest = max(one.cpu_s for one in ours)
    columns = {"who": "melodies", "pieces": "pieces", "passed": "% within bounds"}
    columns |= {f"run {name}": f"run {name}" for name in _QUANTILES}
    columns |= {f"similarity {name}": f"sim. {name}" for name in _QUANTILES}
    worst = sorted(ours, key=lambda one: (one.found.passed, -one.found.similarity, -one.found.longest_run))[:_WORST]
    tables = [
        Rows("What melodies borrow: longest run in notes, highest similarity of 16 notes", columns, rows,
             {"passed": 1} | {f"run {name}": 0 for name in _QUANTILES}),
        Rows("Our worst", {
            "style": "style", "text": "text", "run": "run", "similarity": "similarity", "passed": "passed",
            "nearest": "nearest",
        }, [_row(one) for one in worst]),
    ]  # fmt: skip
    musts = [
        Must("melodies within the bounds", f">= {MUST:.0f} %, aim {AIM} %", f"{passed:.1f} %", passed >= MUST),
        Must("slowest check, CPU time", f"<= {1000 * LIMIT_S:.0f} ms", f"{1000 * slowest:.0f} ms", slowest <= LIMIT_S),
    ]
    notes = [
        f"Bounds: run {bounds.longest_run} notes, similarity {bounds.similarity} (95 % of sung human pieces).",
        f"{len(index.names):,} training melodies, {len(index.gaps):,} notes.",
        f"The first check of a process takes {first_s:.1f} s of CPU more.",
    ]
    return Result("originality", tables, musts, notes)


def _compose(*, quick: bool) -> Iterator[_Checked]:
    """Every text in every style, all takes: the leads as they come from the model."""
    model, _ = checkpoint.load(device="cuda" if torch.cuda.is_available() else "cpu")
    wishes = [(text, style) for text in (TEXTS[:2] if quick else TEXTS) for style in writable_styles()]
    with Console(stderr=True).status("composing") as status:
        for number, (text, name) in enumerate(wishes):
            status.update(f"composing {number + 1} of {len(wishes)}")
            brief = _brief(text, name, number)
            style = load_style(brief.style)
            plan = make_plan(brief, style)
            for lead in alone(model, compose(brief, plan, style, take_seeds(brief.seed, TAKES))):
                began = time.process_time()
                found = gate.check(lead, plan)
                yield _Checked(name, text, found, time.process_time() - began)


def _brief(text: str, style: str, number: int) -> Brief:
    request = Request(text=text, styles=(style,), length_s=LENGTH_S, seed=SEED + number)
    return propose(request, Profile("benchmark"), seed=SEED).brief


def _people(data: Path, *, quick: bool) -> list[Originality]:
    """Held-out sung pieces, cut to the length of ours, without twins."""
    corpus = open_corpus(data)
    refs = [ref for ref in corpus.refs if ref.split == "valid" and "melody" in ref.parts and ref.kind in SUNG]
    chosen = stream(SEED, "people").permutation(len(refs))[: _HUMAN_PIECES // (5 if quick else 1)]
    index = load_index()
    return [index.check_human(melody) for melody in melodies(corpus, [refs[i] for i in chosen])]


def _quantiles(who: str, found: Sequence[Originality]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "who": who, "pieces": len(found), "passed": 100 * float(np.mean([one.passed for one in found])),
    }  # fmt: skip
    for name, share in _QUANTILES.items():
        row[f"run {name}"] = float(np.quantile([one.longest_run for one in found], share))
        row[f"similarity {name}"] = float(np.quantile([one.similarity for one in found], share))
    return row


def _row(one: _Checked) -> dict[str, Any]:
    found = one.found
    return {
        "style": one.style, "text": one.text, "run": found.longest_run, "similarity": found.similarity,
        "passed": found.passed, "nearest": found.nearest[-60:],
    }  # fmt: skip
