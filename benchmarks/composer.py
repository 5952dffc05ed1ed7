"""The `composer` table: how well the shipped model predicts music it has not seen, how it answers what it is asked,
how its music compares with what people wrote, and how fast it writes.

The loss is measured beside a Witten-Bell n-gram that has read the same training pieces, over the same tokens.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from rich.console import Console
from scipy.stats import spearmanr

from benchmarks.corpora import corpus_at
from benchmarks.musical import Sample, gaps, repetition_bands, style_recovery
from benchmarks.ngram import NGram
from benchmarks.result import Must, Options, Result, Rows
from bot.settings import load_settings
from generator.brief import Key
from generator.compose import boldness_of, breaths_of, firmness_of
from generator.corpus.features import piece_features
from generator.corpus.piece import GRID, Bar, Piece
from generator.corpus.shards import Corpus, PieceRef
from generator.manners import draw_manner
from generator.model import checkpoint, tokens
from generator.model.examples import controls_of, whole
from generator.model.rules import Rules
from generator.model.sample import Boldness
from generator.model.steering import aim_of
from generator.model.tasks import Request, write
from generator.model.tokens import Controls, Frame
from generator.model.train import encoded, sources_of
from generator.model.transformer import Composer
from generator.motifs import plan_motifs
from generator.score import Meter
from generator.seeds import stream

_ORDERS = (3, 5, 7)
_QUICK_PIECES, _FULL_PIECES = 8, 40
_COUNTED_PIECES = 700  # of each set, that the n-gram reads; more does not change its loss by a hundredth
_BARS = 32
_LIMIT_S = 4.0
_NOVELTY = 0.1  # of a Brief that does not say
_GRADE = 0.75  # a model that reads 25 % fewer nats than counting passes

# One of these stands for every chord, stroke and note.
_EVENTS = np.array([name in {"qual", "hit", "dur"} for name, _ in tokens.FIELDS])


def run(options: Options) -> Result:
    """Raises GeneratorError when weights or corpus are missing."""
    torch.set_num_threads(load_settings().threads_per_worker)
    model, card = checkpoint.load(device="cuda" if torch.cuda.is_available() else "cpu")
    speed = [_speed(model, batch) for batch in (1, 4)]
    tables = [Rows(f"Writing {_BARS} bars of melody and chords", {
        "batch": "takes at once", "tokens_per_s": "tokens/s", "seconds": "seconds", "tokens": "tokens",
    }, speed)]  # fmt: skip
    musts = [
        Must("tokens/s, one take", ">= 150", f"{speed[0]['tokens_per_s']:.0f}", speed[0]["tokens_per_s"] >= 150),
        Must("tokens/s, four takes", ">= 400", f"{speed[1]['tokens_per_s']:.0f}", speed[1]["tokens_per_s"] >= 400),
        Must(f"{_BARS} bars, one take", f"<= {_LIMIT_S:.0f} s", f"{speed[0]['seconds']:.1f} s",
             speed[0]["seconds"] <= _LIMIT_S),
    ]  # fmt: skip
    notes = [f"Weights {card['sha256'][:12]}, {card['parameters']:,} parameters, {card['steps']} training steps."]
    if options.data is None:
        notes.append("Everything but speed needs a corpus, or the data sets to build one: --data DIR.")
        return Result("composer", tables, musts, notes)
    corpus = corpus_at(options.data)
    for part in (_losses, _obedience, _likeness, _drumming):
        rows, more = part(model, corpus, quick=options.quick)
        tables += rows
        musts += more
    return Result("composer", tables, musts, notes)


def _speed(model: Composer, batch: int) -> dict[str, Any]:
    request = Request(
        Controls("major", "4/4", kind="song", density=4, complexity=2),
        Rules(bars=_BARS, bar_steps=48, max_chords=1),
        Frame(0, 60),
    )
    write(model, replace(request, rules=Rules(bars=2, bar_steps=48)), range(batch))  # the first call allocates
    began = time.perf_counter()
    takes = write(model, request, range(batch))
    seconds = time.perf_counter() - began
    written = sum(_token_count(bars, request.frame) for bars in takes)
    return {"batch": batch, "tokens_per_s": written / seconds, "seconds": seconds, "tokens": written}


def _token_count(bars: Sequence[Bar], frame: Frame) -> int:
    return (
        sum(2 + len(tokens.encode_block(bar, part, frame)) for bar in bars for part in ("chords", "melody"))
        - len(bars) * 2
    )


# ---- prediction -------------------------------------------------------------------------------------------------


def _losses(model: Composer, corpus: Corpus, *, quick: bool) -> tuple[list[Rows], list[Must]]:
    """One row for each set; the n-grams read training pieces of every set."""
    console = Console(stderr=True, highlight=False)
    context = model.config.context
    training = [
        ids
        for name, refs in sources_of(corpus, "train").items()
        for ids in _sequences(corpus, _some(refs, _COUNTED_PIECES, name), 4096)
    ]
    console.print(f"counting {sum(len(ids) for ids, _ in training):,} tokens")
    grams = {order: NGram([ids for ids, _ in training], len(tokens.VOCABULARY), order) for order in _ORDERS}
    rows = []
    for name, refs in sources_of(corpus, "valid").items():
        held_out = _sequences(corpus, _some(refs, _QUICK_PIECES if quick else _FULL_PIECES, name), context)
        events = sum(int(_EVENTS[ids[start:]].sum()) for ids, start in held_out)
        row: dict[str, Any] = {"set": name, "pieces": len(held_out), "notes": events}
        row["model"] = sum(_model_nats(model, ids, start) for ids, start in held_out) / events
        for order, gram in grams.items():
            row[f"order {order}"] = sum(float(gram.nats(ids, start).sum()) for ids, start in held_out) / events
        row["below"] = 100 * (1 - row["model"] / min(row[f"order {order}"] for order in _ORDERS))
        rows.append(row)
        console.print(f"{name}: {row['model']:.3f} nats a note, {row['below']:.0f} % below counting")
    headings = {
        "set": "set", "pieces": "held out", "notes": "notes", "model": "model nats",
        **{f"order {order}": f"{order}-gram" for order in _ORDERS}, "below": "% below",
    }  # fmt: skip
    worst = min(rows, key=lambda row: row["below"])
    must = Must(
        "nats per note below the best n-gram, every set", ">= 25 %", f"{worst['below']:.0f} % ({worst['set']})",
        worst["below"] >= 100 * (1 - _GRADE),
    )  # fmt: skip
    return [Rows("Nats per note (or chord, or stroke) on held-out pieces", headings, rows)], [must]


def _some(refs: Sequence[PieceRef], most: int, name: str) -> list[PieceRef]:
    order = np.random.default_rng(len(name)).permutation(len(refs))
    return [refs[index] for index in order[:most]]


def _sequences(corpus: Corpus, refs: Sequence[PieceRef], context: int) -> list[tuple[list[int], int]]:
    pieces = (encoded(corpus, ref) for ref in refs)
    return [whole(piece, context) for piece in pieces if piece is not None]


@torch.inference_mode()
def _model_nats(model: Composer, ids: list[int], start: int) -> float:
    """Sum of -log p over the tokens after the controls."""
    device = next(model.parameters()).device
    logits = model(torch.tensor([ids[:-1]], device=device))[0, start - 1 :]
    chosen = torch.tensor(ids[start:], device=device)
    return float(-torch.log_softmax(logits.double(), -1).gather(1, chosen[:, None]).sum())


# ---- what is asked and what comes -------------------------------------------------------------------------------

_ASKED_BARS = 16


def _obedience(model: Composer, _corpus: Corpus, *, quick: bool) -> tuple[list[Rows], list[Must]]:
    """Ask for every class of density and complexity, both modes and several metres; measure what comes."""
    rng = np.random.default_rng(7)
    asked: list[dict[str, Any]] = [
        {
            "density": int(rng.integers(len(tokens.DENSITY_EDGES) + 1)),
            "complexity": int(rng.integers(len(tokens.COMPLEXITY_EDGES) + 1)),
            "mode": str(rng.choice(tokens.MODES)),
            "meter": str(rng.choice(tokens.METERS[:4], p=[0.5, 0.2, 0.15, 0.15])),
            "kind": str(rng.choice(["song", "jazz", "lied"])),
        }
        for _ in range(40 if quick else 120)
    ]
    rows = []
    for guidance in (1.0, 1.5):
        got = [_ask(model, wishes, seed, guidance) for seed, wishes in enumerate(asked)]
        rows.append({
            "guidance": guidance,
            **{
                name: float(spearmanr([w[name] for w in asked], [g[name] for g in got]).statistic)
                for name in ("density", "complexity")
            },
            **{
                name: 100 * float(np.mean([w[name] == g[name] for w, g in zip(asked, got, strict=True)]))
                for name in ("mode", "meter")
            },
            "length": 100 * float(np.mean([g["bars"] == _ASKED_BARS for g in got])),
        })  # fmt: skip
    best = max(rows, key=lambda row: min(row["density"], row["complexity"]))
    musts = [
        Must(f"asked and got: {name}", limit, f"{best[name]:.3g}{unit}", best[name] >= at_least)
        for name, limit, unit, at_least in (
            ("density", "rho >= .85", "", 0.85), ("complexity", "rho >= .85", "", 0.85), ("mode", ">= 98 %", " %", 98),
            ("meter", "100 %", " %", 100), ("length", "100 %", " %", 100),
        )
    ]  # fmt: skip
    headings = {
        "guidance": "guidance", "density": "density rho", "complexity": "complexity rho", "mode": "mode %",
        "meter": "metre %", "length": "length %",
    }  # fmt: skip
    return [Rows(f"Asked and got, {len(asked)} pieces of {_ASKED_BARS} bars", headings, rows)], musts


def _ask(model: Composer, wishes: dict[str, Any], seed: int, guidance: float) -> dict[str, Any]:
    """Write one piece as asked, without any rule but the grammar, and measure it blind."""
    meter = Meter.parse(wishes["meter"])
    steps = meter.beats * GRID * 4 // meter.beat_unit
    controls = Controls(
        wishes["mode"], wishes["meter"], ("chords", "melody"), wishes["kind"], density=wishes["density"],
        complexity=wishes["complexity"],
    )  # fmt: skip
    rules = Rules(_ASKED_BARS, steps, max_hold=_ASKED_BARS, max_repeats=_ASKED_BARS, max_rest=_ASKED_BARS)
    (bars,) = write(model, Request(controls, rules, Frame(0, 60)), [seed], Boldness(guidance=guidance))
    piece = Piece("", "song", "", "", "", "", Key(0, wishes["mode"]), meter, bars)
    found = piece_features(piece)
    return {
        "density": found.density, "complexity": found.complexity, "mode": heard_mode(bars),
        "meter": wishes["meter"] if _fills(bars, steps) else "other", "bars": len(bars),
    }  # fmt: skip


def heard_mode(bars: Sequence[Bar], tonic: int = 0) -> str:
    """Major or minor by the thirds of tonic chords and of the melody over them, weighted by length."""
    third = {"major": 0.0, "minor": 0.0}
    for bar in bars:
        for note in bar.melody:
            step = (note.pitch - tonic) % 12
            if step in {3, 4}:
                third["minor" if step == 3 else "major"] += note.dur / GRID
        for chord in bar.chords:
            if chord.root == tonic and chord.quality:
                minor = chord.quality.startswith(("m", "dim")) and not chord.quality.startswith("maj")
                third["minor" if minor else "major"] += 4.0
            elif chord.root == tonic:
                third["major"] += 4.0
    return max(third, key=lambda name: third[name])


def _fills(bars: Sequence[Bar], steps: int) -> bool:
    """Whether everything begins inside its bar."""
    return all(event.pos < steps for bar in bars for event in (*bar.chords, *bar.melody))


# ---- beside what people wrote -----------------------------------------------------------------------------------

_LIKE = {"openewld": "song", "jazz_standards": "jazz", "open_hymnal": "hymn", "openscore_lieder": "lied"}
_GAPS = {"pitch class entropy, bits": 0.12, "scale consistency, %": 1.5, "groove consistency, %": 0.6}
_BANDED = 80.0  # % of generated pieces that must lie in the band of 80 % of the human ones


def _likeness(model: Composer, corpus: Corpus, *, quick: bool) -> tuple[list[Rows], list[Must]]:
    """Samples whose controls are those of held-out pieces, beside these and other human pieces."""
    train = _human(corpus, "train", 250)
    valid = _human(corpus, "valid", 60)
    ours = _imitations(model, corpus, 8 if quick else 30)
    tables, musts = [], []

    close = gaps(ours, valid)
    tables.append(close)
    for row in close.rows:
        limit = _GAPS[row["measure"]]
        musts.append(Must(f"gap in {row['measure']}", f"<= {limit}", f"{row['gap']:.3f}", row["gap"] <= limit))

    found = style_recovery(train, valid, ours)
    rows = [
        {"label": label, "human": 100 * theirs, "generated": None if mine is None else 100 * mine}
        for label, (theirs, mine) in found.recalls.items()
    ]
    headings = {"label": "kind", "human": "% of human pieces", "generated": "% of generated pieces"}
    tables.append(Rows("Kind recovered by a classifier of human pieces", headings, rows, {"human": 0, "generated": 0}))
    musts.append(
        Must("kind recovered, against human pieces", ">= 80 %", f"{100 * found.relative:.0f} %", found.relative >= 0.8)
    )

    bands = repetition_bands(ours, [*train, *valid])
    tables.append(bands)
    inside = float(np.mean([row["inside"] for row in bands.rows]))
    musts.append(Must("repetition inside the human band", f">= {_BANDED:.0f} %", f"{inside:.0f} %", inside >= _BANDED))
    return tables, musts


def _human(corpus: Corpus, split: str, most: int) -> list[Sample]:
    """Lead sheets of every kind, at most so many of each."""
    found = sources_of(corpus, split)
    samples: list[Sample] = []
    for name, kind in _LIKE.items():
        for ref in _some(_lead_sheets(found.get(name, [])), most, name):
            samples.append((kind, *_lead_sheet(corpus.load(ref))))  # noqa: PERF401 -- plainer than a double comprehension
    return samples


def _imitations(model: Composer, corpus: Corpus, most: int) -> list[Sample]:
    """Of every kind so many pieces with the controls of held-out ones."""
    valid = sources_of(corpus, "valid")
    samples: list[Sample] = []
    for name, kind in _LIKE.items():
        refs = _lead_sheets(valid.get(name, []))
        for seed in range(most):
            samples.append((kind, *_imitate(model, corpus.load(refs[seed % len(refs)]), seed)))  # noqa: PERF401
    return samples


def _lead_sheets(refs: Sequence[PieceRef]) -> list[PieceRef]:
    return [ref for ref in refs if {"melody", "chords"} <= set(ref.parts)]


def _lead_sheet(piece: Piece) -> tuple[tuple[Bar, ...], int]:
    bars = tuple(Bar(chords=bar.chords, melody=bar.melody) for bar in piece.bars[:_BARS])
    return bars, piece.bar_steps


def _imitate(model: Composer, piece: Piece, seed: int) -> tuple[tuple[Bar, ...], int]:
    """A piece of the length, key, metre and controls of another, which the model does not see; returns are planned, a
    manner is drawn and tokens are chosen as in every composition."""
    bars = min(len(piece.bars), _BARS)
    shown, _ = _lead_sheet(piece)
    controls = controls_of(replace(piece, bars=shown))
    motifs = plan_motifs(piece.kind, bars, stream(seed, "motifs"))
    rules = Rules(
        bars, piece.bar_steps, offset=piece.phrase_offset, max_chords=4, max_hold=bars, max_repeats=99, max_rest=bars,
        max_leap=24, echo=motifs.echo, copies=motifs.copies,
    )  # fmt: skip
    rules = replace(rules, rhythms=breaths_of(motifs, rules))
    density = aim_of(controls).density or 1.0
    manner = draw_manner(piece.kind, density, stream(seed, "manner"), firmness_of(_NOVELTY))
    request = Request(controls, rules, tokens.frame_of(piece.bars, piece.key.tonic), manner=manner)
    (music,) = write(model, request, [seed], boldness_of(_NOVELTY))
    return music, piece.bar_steps


# ---- drums ------------------------------------------------------------------------------------------------------

_DRUM_STYLES = ("rock", "funk", "jazz", "hiphop", "bossa")
_DRUM_BARS = 8


def _drumming(model: Composer, corpus: Corpus, *, quick: bool) -> tuple[list[Rows], list[Must]]:
    """Grooves asked for by style beside human drummers: how far off the grid, how unequal, how busy."""
    refs = [ref for split in ("valid", "train") for ref in sources_of(corpus, split).get("groove", [])]
    rows = []
    for style in _DRUM_STYLES:
        chosen = [ref for ref in refs if ref.styles[:1] == (style,)][: 10 if quick else 30]
        if not chosen:
            continue
        human = _touch([bar for ref in chosen for bar in corpus.load(ref).bars[:_DRUM_BARS]])
        rules = Rules(_DRUM_BARS, 48, parts=("drums",))
        controls = Controls("major", "4/4", ("drums",), "groove", (style,))
        takes = write(model, Request(controls, rules, Frame(0, 60)), range(4 if quick else 8))
        ours = _touch([bar for bars in takes for bar in bars])
        rows.append({"style": style, "pieces": len(chosen)} | human | {f"our {name}": v for name, v in ours.items()})
    headings = {"style": "style", "pieces": "human pieces"}
    for name, heading in (("shift", "off grid, ticks"), ("velocity", "velocity sd"), ("hits", "hits a bar")):
        headings |= {name: f"human {heading}", f"our {name}": f"ours {heading}"}
    return [Rows("Drums by style, beside human drummers (480 ticks a quarter)", headings, rows, {})], []


def _touch(bars: Sequence[Bar]) -> dict[str, float]:
    hits = [hit for bar in bars for hit in bar.drums]
    return {
        "shift": float(np.mean([abs(hit.shift_ticks) for hit in hits] or [0])),
        "velocity": float(np.std([hit.velocity for hit in hits] or [0])),
        "hits": len(hits) / max(1, len(bars)),
    }
