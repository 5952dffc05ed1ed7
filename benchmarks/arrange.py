"""The `arrange` table: whether every style can be played, is heard as itself and as its mood, and does not repeat
itself; and what arranging costs.

The tunes come from the shipped composer. The study set (`mma_style_atlas`) and a built corpus, under `--data`, give
the human side where they have a style.
"""

from __future__ import annotations

import csv
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from rich.console import Console
from scipy.stats import spearmanr

from benchmarks.arrangement import (
    Floats,
    aligned,
    arousal_cues,
    composite,
    faults,
    groove_likeness,
    groove_of_bars,
    groove_of_score,
    nearest_centroid,
    style_features,
    tune_likeness,
    tune_of_bars,
    tune_of_score,
    valence_cues,
)
from benchmarks.result import Must, Options, Result, Rows
from bot.settings import load_settings
from generator.arrange.arrange import arrange
from generator.arrange.blend import style_of
from generator.arrange.drummer import improvise
from generator.brief import Brief, writable_styles
from generator.compose import compose, take_seeds
from generator.corpus.shards import MANIFEST, Corpus, open_corpus
from generator.edit.lead import tune_of
from generator.errors import GeneratorError
from generator.model import checkpoint
from generator.model.desk import alone
from generator.model.transformer import Composer
from generator.notation.files import read_score
from generator.perform import perform
from generator.plan import make_plan
from generator.score import Score
from personalization.profile import Profile
from personalization.propose import propose
from personalization.request import Request

MOODS = ("chill", "happy", "sad", "energetic", "dark", "romantic", "angry", "sleep")
_QUICK_MOODS = ("happy", "sad", "energetic", "sleep")
LENGTH_S, LONG_S = 40.0, 120.0
ALIKE = 10
"""Seeds of one Brief that are compared with each other."""
_ALIKE_BRIEFS = (5, 6, 7, 8)  # by their seeds
_HUMAN_PIECES = 40
_HUMAN_BARS = 32
_LEAST_GROOVES, _LEAST_BARS = 4, 8

# Styles of the study set that are ours by another name.
_STUDY = {
    "jazz": ("swing", "easyswing", "fastswing", "bigband", "jazzcombo", "modernjazz", "mellowjazz", "bebop"),
    "bossa": ("bossanova",), "blues": ("blues", "slowblues", "fastblues"),
    "rock": ("basicrock", "softrock", "bubblerock", "60srock"), "pop": ("8beat", "popballad"),
    "folk": ("folk", "folkballad", "bluegrass"), "funk": ("bvfunk", "rb", "dsoul"), "house": ("trance",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Piece:
    brief: Brief
    mood: str
    seed: int
    score: Score


@dataclass(frozen=True, slots=True)
class _Human:
    """Pieces of the study set with our names of their styles, and a corpus, each where it is there."""

    study: Sequence[tuple[str, Score]] = ()
    corpus: Corpus | None = None


def run(options: Options) -> Result:
    """Raises GeneratorError when the weights do not load."""
    torch.set_num_threads(load_settings().threads_per_worker)
    model, card = checkpoint.load(device="cuda" if torch.cuda.is_available() else "cpu")
    human = _human(options.data, quick=options.quick)
    pieces, broken = _pieces(model, quick=options.quick)
    tables, musts = [], []
    for rows, must in (
        _playable(pieces, broken), _named(pieces, human), _moods(pieces),
        _alike(model, human), _cost(model, quick=options.quick),
    ):  # fmt: skip
        tables.append(rows)
        musts += must
    notes = [
        f"Weights {card['sha256'][:12]}, {card['steps']} training steps; {len(pieces)} pieces of {LENGTH_S:.0f} s.",
        f"Study set: {len(human.study)} pieces; corpus: {'none' if human.corpus is None else len(human.corpus.refs)}.",
    ]
    return Result("arrange", tables, musts, notes)


# ---- pieces -----------------------------------------------------------------------------------------------------


def brief_of(style: str, mood: str, length_s: float = LENGTH_S) -> Brief:
    request = Request(text=mood, styles=(style,), length_s=length_s, seed=11)
    return propose(request, Profile("benchmark"), seed=11).brief


def _pieces(model: Composer, *, quick: bool) -> tuple[list[_Piece], list[str]]:
    """Every style in every mood with several seeds; and what went wrong."""
    console = Console(stderr=True, highlight=False)
    pieces: list[_Piece] = []
    broken: list[str] = []
    for style in writable_styles():
        for mood in _QUICK_MOODS if quick else MOODS:
            brief = brief_of(style, mood)
            try:
                scores = arranged(model, brief, 3 if quick else 5)
            except GeneratorError as error:
                broken.append(f"{style}, {mood}: {error}")
                continue
            pieces += [_Piece(brief, mood, seed, score) for seed, score in enumerate(scores)]
        console.print(f"{style}: {sum(piece.brief.style == style for piece in pieces)} pieces")
    return pieces, broken


def arranged(model: Composer, brief: Brief, count: int) -> list[Score]:
    style = style_of(brief)
    plan = make_plan(brief, style)
    seeds = take_seeds(brief.seed, count)
    leads = alone(model, compose(brief, plan, style, seeds))
    scores = []
    for lead, seed in zip(leads, seeds, strict=True):
        drums = alone(model, improvise(plan, brief, style, [seed]))[0].bars
        scores.append(perform(arrange(lead, plan, brief, style, "", seed, drums), plan, brief, style, seed))
    return scores


def _human(data: Path | None, *, quick: bool) -> _Human:
    """What lies under the folder: the study set, read through our own MIDI reader, and a built corpus."""
    if data is None:
        return _Human()
    corpus = next((p.parent for p in (data / MANIFEST, data / "corpus" / MANIFEST) if p.is_file()), None)
    atlas = next((p for p in (data, data / "mma_style_atlas", data / "study" / "mma_style_atlas")
                  if (p / "labels.tsv").is_file()), None)  # fmt: skip
    return _Human(
        [] if atlas is None else _study(atlas, 6 if quick else 30), None if corpus is None else open_corpus(corpus)
    )


def _study(atlas: Path, most: int) -> list[tuple[str, Score]]:
    ours = {name: style for style, names in _STUDY.items() for name in names}
    with (atlas / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["style"] in ours]
    taken: dict[str, int] = defaultdict(int)
    found = []
    for row in sorted(rows, key=lambda row: _shuffled(row["file"])):
        style = ours[row["style"]]
        if taken[style] < most and (atlas / row["file"]).is_file():
            taken[style] += 1
            found.append((style, read_score(atlas / row["file"])))
    return found


def _shuffled(name: str) -> int:
    """An order that is not the alphabet and always the same."""
    return sum((index + 1) * ord(letter) for index, letter in enumerate(name)) % 9973


# ---- tables -----------------------------------------------------------------------------------------------------

_Part = tuple[Rows, list[Must]]


def _by_style(pieces: Sequence[_Piece]) -> dict[str, list[_Piece]]:
    return {style: [p for p in pieces if p.brief.style == style] for style in writable_styles()}


def _playable(pieces: Sequence[_Piece], broken: Sequence[str]) -> _Part:
    rows = []
    for style, own in _by_style(pieces).items():
        found = [fault for piece in own for fault in faults(piece.score)]
        failed = [text for text in broken if text.startswith(f"{style},")]
        rows.append({
            "style": style, "pieces": len(own), "failed": len(failed), "faults": len(found),
            "first": (failed + found or ["–"])[0][:70],
        })  # fmt: skip
    wrong = sum(row["failed"] + row["faults"] for row in rows)
    columns = {"style": "style", "pieces": "pieces", "failed": "errors", "faults": "faults", "first": "the first"}
    must = Must("arranged, in range, playable, nobody silent", "all", f"{wrong} faults", wrong == 0)
    return Rows("Playable", columns, rows), [must]


def _named(pieces: Sequence[_Piece], human: _Human) -> _Part:
    """Each seed is named by a classifier that has learned from the other seeds and from the study set; beside it,
    what one says that knows the study set alone."""
    features = {id(piece): style_features(piece.score) for piece in pieces}
    studied = [(style, style_features(score)) for style, score in human.study]
    known = {style for style, _ in studied}
    named: dict[str, list[str]] = defaultdict(list)
    alone: dict[str, list[str]] = defaultdict(list)
    for seed in sorted({piece.seed for piece in pieces}):
        others = [(piece.brief.style, features[id(piece)]) for piece in pieces if piece.seed != seed]
        moved = aligned(studied, others)
        own = [(piece.brief.style, features[id(piece)]) for piece in pieces if piece.seed == seed]
        for (style, _), name in zip(own, nearest_centroid(others + moved, [row for _, row in own]), strict=True):
            named[style].append(name)
        shared = [(style, row) for style, row in own if style in known]
        if not shared:
            continue
        for (style, _), name in zip(shared, nearest_centroid(moved, [row for _, row in shared]), strict=True):
            alone[style].append(name)
    rows = []
    for style, names in named.items():
        wrong = [name for name in names if name != style]
        rows.append({
            "style": style, "right": 100 * (1 - len(wrong) / len(names)),
            "taken_for": max(set(wrong), key=wrong.count) if wrong else None,
            "study": 100 * alone[style].count(style) / len(names) if style in known else None, "pieces": len(names),
        })  # fmt: skip
    total = sum(row["right"] * row["pieces"] for row in rows) / max(1, sum(row["pieces"] for row in rows))
    columns = {
        "style": "style", "right": "named, %", "taken_for": "else taken for",
        "study": f"by the study set alone, {len(known)} styles, %", "pieces": "pieces",
    }  # fmt: skip
    must = Must("style named by a nearest-centroid classifier", ">= 85 %", f"{total:.1f} %", total >= 85)
    return Rows("Is the style heard?", columns, rows, {"right": 0, "study": 0}), [must]


def _moods(pieces: Sequence[_Piece]) -> _Part:
    """Rank correlation of what was asked and what is measured, within each style: a mood is heard against its style."""
    rows = []
    for style, own in _by_style(pieces).items():
        if len(own) < 4:
            continue
        rows.append({"style": style} | {
            name: _rho([asked(piece.brief) for piece in own], composite([cues(piece.score) for piece in own]))
            for name, asked, cues in _AXES
        })  # fmt: skip
    columns = {"style": "style", "arousal": "arousal rho", "valence": "valence rho"}
    musts = []
    for name, least in (("arousal", 0.9), ("valence", 0.8)):
        mean = float(np.mean([row[name] for row in rows])) if rows else 0.0
        musts.append(
            Must(f"{name} asked and measured, mean of the styles", f"rho >= {least}", f"{mean:.2f}", mean >= least)
        )
    return Rows("Is the mood heard?", columns, rows), musts


_AXES: tuple[tuple[str, Callable[[Brief], float], Callable[[Score], Floats]], ...] = (
    ("arousal", lambda brief: brief.mood.arousal, arousal_cues),
    ("valence", lambda brief: brief.mood.valence, valence_cues),
)


def _rho(asked: Sequence[float], measured: Floats) -> float:
    return float(spearmanr(asked, measured).statistic)


def _alike(model: Composer, human: _Human) -> _Part:
    """Ten seeds of one Brief, the mean of a few Briefs, against pieces of the style by people; where the data have no
    such style, against the mean of the styles they have. One Brief's figure has a standard error of about .005."""
    tunes, grooves = _human_likeness(human.corpus)
    rows: list[dict[str, Any]] = []
    for style in writable_styles():
        row: dict[str, Any] = {"style": style}
        tens = [arranged(model, replace(brief_of(style, "chill"), seed=seed), ALIKE) for seed in _ALIKE_BRIEFS]
        row["tune"] = fmean(_mean_pair([tune_of_score(tune_of(one)) for one in ten], tune_likeness) for ten in tens)
        row["groove"] = fmean(_mean_pair([groove_of_score(one) for one in ten], groove_likeness) for ten in tens)
        row["human_tune"] = tunes.get(style, _mean(tunes))
        row["human_groove"] = grooves.get(style, _mean(grooves))
        row["own"] = "".join(sort[0] for sort, known in (("tune", tunes), ("groove", grooves)) if style in known) or "–"
        known = row["human_tune"] is not None and row["human_groove"] is not None
        row["holds"] = row["tune"] <= row["human_tune"] and row["groove"] <= row["human_groove"] if known else None
        rows.append(row)
    columns = {
        "style": "style", "tune": "tune", "human_tune": "human", "groove": "groove", "human_groove": "human",
        "own": "human figure of this style", "holds": "no more alike",
    }  # fmt: skip
    held = sum(row["holds"] is True for row in rows)
    measured = any(row["holds"] is not None for row in rows)
    value = f"{held} styles" if measured else "no human pieces given (--data)"
    must = Must("ten seeds no more alike than human pieces", ">= 12 styles", value, held >= 12)
    return Rows(f"How alike are {ALIKE} seeds of one Brief?", columns, rows, dict.fromkeys(columns, 3)), [must]


def _human_likeness(corpus: Corpus | None) -> tuple[dict[str, float], dict[str, float]]:
    """Mean likeness of tunes and of grooves between pieces of one style.

    Grooves are compared within the label that their set gives them (soul, afrobeat, swing), since our styles gather
    many; recordings of one given groove by several drummers are left out. The study set's patterns are no pieces.
    """
    tunes: dict[str, list[Any]] = defaultdict(list)
    grooves: dict[tuple[str, str], list[Floats]] = defaultdict(list)
    for ref in sorted(corpus.refs, key=lambda ref: _shuffled(ref.path)) if corpus else ():
        style = ref.styles[0] if ref.styles else ""
        drummed = "drums" in ref.parts or (style == "classical" and {"accompaniment", "voices"} & {*ref.parts})
        sung = "melody" in ref.parts and len(tunes[style]) < _HUMAN_PIECES
        if not style or not corpus or not (sung or drummed) or ref.bars < _LEAST_BARS:
            continue
        if not sung and "drums" not in ref.parts and sum(key[0] == style for key in grooves) >= _HUMAN_PIECES:
            continue  # thousands of classical pieces; some are enough
        piece = corpus.load(ref)
        bars = piece.bars[:_HUMAN_BARS]
        if sung:
            tunes[style].append(tune_of_bars(bars, piece.bar_steps))
        label = ", ".join(piece.genres)
        if drummed and label and not re.search(r"groove\d", label) and len(grooves[style, label]) < _HUMAN_PIECES:
            grooves[style, label].append(groove_of_bars(bars))
    by_style: dict[str, list[float]] = defaultdict(list)
    for (style, _), own in grooves.items():
        if len(own) >= _LEAST_GROOVES:
            by_style[style].append(_mean_pair(own, groove_likeness))
    return (
        {style: _mean_pair(own, tune_likeness) for style, own in tunes.items() if len(own) >= ALIKE},
        {style: float(np.mean(figures)) for style, figures in by_style.items()},
    )


def _mean_pair(items: Sequence[Any], likeness: Callable[[Any, Any], float]) -> float:
    return float(np.mean([likeness(one, other) for one, other in combinations(items, 2)]))


def _mean(figures: Mapping[str, float]) -> float | None:
    return float(np.mean(list(figures.values()))) if figures else None


def _cost(model: Composer, *, quick: bool) -> _Part:
    """CPU seconds of arranging and performing a piece of two minutes, the best of three."""
    rows = []
    for style_name in writable_styles():
        brief = brief_of(style_name, "happy", LONG_S)
        style = style_of(brief)
        plan = make_plan(brief, style)
        (lead,) = alone(model, compose(brief, plan, style, take_seeds(brief.seed, 1)))
        spent = []
        for _ in range(1 if quick else 3):
            began = time.process_time()
            score = perform(arrange(lead, plan, brief, style, "", 1), plan, brief, style, 1)
            spent.append(time.process_time() - began)
        rows.append({
            "style": style_name, "seconds": min(spent), "notes": sum(len(part.notes) for part in score.parts),
            "parts": len(score.parts),
        })  # fmt: skip
    worst = max(rows, key=lambda row: row["seconds"])
    columns = {"style": "style", "seconds": "CPU s", "notes": "notes", "parts": "parts"}
    must = Must(
        f"CPU seconds to arrange {LONG_S:.0f} s, every style", "<= 0.5", f"{worst['seconds']:.2f} ({worst['style']})",
        worst["seconds"] <= 0.5,
    )  # fmt: skip
    return Rows("What arranging costs", columns, rows), [must]
