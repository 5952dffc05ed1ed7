"""Train the composer on a licence-clean corpus. Linear, resumable, on CPU or GPU.

    tunesmith train --corpus DIR --minutes 55

Every data set is sampled by weight, so that old church and piano music does not drown the rest. The corpus holds
out a tenth of its pieces, twins together; the weights that predict them best are the ones that are kept.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from generator.corpus.shards import Corpus, PieceRef, open_corpus
from generator.errors import GeneratorError
from generator.model import checkpoint, tokens
from generator.model.examples import Encoded, encode, example, whole
from generator.model.muon import Muon
from generator.model.transformer import SIZES, Composer
from generator.seeds import stream

SET_WEIGHTS = {
    "openewld": 0.15, "jazz_standards": 0.09, "open_hymnal": 0.06, "openscore_lieder": 0.26,
    "billboard": 0.06, "polish_scores": 0.08, "mutopia": 0.08, "openscore_quartets": 0.03,
    "openscore_orchestra": 0.05, "freedoom": 0.03, "easyrpg_rtp": 0.01, "groove": 0.09, "free_midi_chords": 0.01,
}  # fmt: skip
"""How often a training sequence comes from each set; sets that are not in the corpus leave their share to the rest."""
_CONTEXTS = (384, 512, 768, 1024)  # tokens of a training window, drawn for each example
_POOL = 64  # examples that are cut into batches together
_HELD_OUT = 16  # pieces of each set that are validated on


@dataclass(frozen=True, slots=True)
class Settings:
    corpus: Path
    out: Path
    size: str = "small"
    minutes: float = 55.0
    batch_tokens: int = 3072
    learning_rate: float = 0.02  # of the matrices, by Muon
    embedding_rate: float = 1.5e-3  # of the embedding and the norms, by AdamW
    warmup_share: float = 0.03
    label_smoothing: float = 0.03
    weight_decay: float = 0.05
    validate_every: int = 150
    patience: int = 10  # validations without a better loss before stopping
    max_steps: int = 0  # 0 = as the minutes allow
    seed: int = 1


class Source:
    """The pieces of one data set, encoded when they are asked for."""

    def __init__(self, corpus: Corpus, refs: Sequence[PieceRef]) -> None:
        self._corpus = corpus
        self._refs = refs
        # Long works give more windows than short tunes, but not in proportion: the tunes matter more to us.
        weights = np.sqrt([ref.bars for ref in refs])
        self._shares = weights / weights.sum()
        self._encode = lru_cache(maxsize=400)(self._load)

    def _load(self, index: int) -> Encoded | None:
        return encoded(self._corpus, self._refs[index])

    def example(self, context: int, rng: np.random.Generator) -> tuple[list[int], int]:
        """A sequence of a random piece; another piece when its bars do not fit or the vocabulary cannot say them."""
        while True:
            encoded = self._encode(int(rng.choice(len(self._refs), p=self._shares)))
            ids, start = example(encoded, context, rng) if encoded is not None else ([], 0)
            if ids:
                return ids, start


def encoded(corpus: Corpus, ref: PieceRef) -> Encoded | None:
    """None for a piece that the vocabulary cannot say: a few in a thousand."""
    try:
        return encode(corpus.load(ref))
    except ValueError:
        return None


def sources_of(corpus: Corpus, split: str) -> dict[str, list[PieceRef]]:
    """The usable pieces of each set. Raises GeneratorError when there are none."""
    found: dict[str, list[PieceRef]] = {}
    for ref in corpus.refs:
        if ref.split == split and ref.source in SET_WEIGHTS:
            found.setdefault(ref.source, []).append(ref)
    if not found:
        raise GeneratorError(f"The corpus has no pieces for “{split}”; build it from more sets.")
    return found


def batches(
    sources: Sequence[Source], weights: np.ndarray, settings: Settings, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Without end: token ids (rows, longest), padded, and where the controls of each row end (rows,).

    Rows of a batch are about equally long, so that little is padding: a pool of examples is cut into batches.
    """
    while True:
        pool = []
        for _ in range(_POOL):
            source = sources[int(rng.choice(len(sources), p=weights))]
            pool.append(source.example(int(rng.choice(_CONTEXTS)), rng))
        pool.sort(key=lambda pair: len(pair[0]))
        groups: list[list[tuple[list[int], int]]] = [[]]
        for ids, start in pool:
            if (len(groups[-1]) + 1) * len(ids) > settings.batch_tokens and groups[-1]:
                groups.append([])
            groups[-1].append((ids, start))
        for index in rng.permutation(len(groups)):
            group = groups[index]
            yield padded([ids for ids, _ in group]), torch.tensor([start for _, start in group])


def padded(rows: Sequence[Sequence[int]]) -> Tensor:
    longest = -(-max(map(len, rows)) // 32) * 32  # few different shapes: kernels are prepared for each
    return torch.tensor([[*row, *[tokens.PAD] * (longest - len(row))] for row in rows])


def loss_of(model: Composer, ids: Tensor, starts: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy in nats per token, controls and padding left out."""
    logits = model(ids[:, :-1])
    places = torch.arange(1, ids.shape[1], device=ids.device)
    targets = torch.where(places[None] >= starts[:, None], ids[:, 1:], tokens.PAD)
    return F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=tokens.PAD, label_smoothing=smoothing
    )


@torch.no_grad()
def validate(model: Composer, held_out: dict[str, list[tuple[Tensor, Tensor]]]) -> dict[str, float]:
    """Loss per set in nats per token, without smoothing, and their weighted mean as `all`."""
    model.eval()
    device = next(model.parameters()).device
    means = {}
    for name, batches in held_out.items():
        with _autocast(device):
            losses = [loss_of(model, ids.to(device), starts.to(device), 0.0).item() for ids, starts in batches]
        means[name] = sum(losses) / len(losses)
    model.train()
    total = sum(SET_WEIGHTS[name] for name in means)
    return means | {"all": sum(SET_WEIGHTS[name] * value for name, value in means.items()) / total}


def _autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=_bfloat16_pays(device.type))


@cache
def _bfloat16_pays(device: str) -> bool:
    """Always on a GPU; on a processor only with matrix units for it, so that is measured."""
    if device != "cpu":
        return True
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        matrix = torch.ones(1024, 512, dtype=dtype)
        matrix @ matrix.T  # the first product prepares kernels
        began = time.perf_counter()
        for _ in range(5):
            matrix @ matrix.T
        seconds[dtype] = time.perf_counter() - began
    return seconds[torch.bfloat16] < 0.7 * seconds[torch.float32]


def train(settings: Settings, report: Callable[[str], None] = print) -> Path:
    """Train until the time is up or validation stops improving; returns the path of the best weights.

    Raises GeneratorError for an unusable corpus, an unknown size, or a resume file of another training.
    """
    # ---- data
    corpus = open_corpus(settings.corpus)
    training = sources_of(corpus, "train")
    sources = [Source(corpus, refs) for refs in training.values()]
    weights = np.array([SET_WEIGHTS[name] for name in training])
    weights /= weights.sum()
    held_out = _held_out(corpus, settings)
    report("  ".join(f"{name} {len(refs)}" for name, refs in training.items()))

    # ---- model
    if settings.size not in SIZES:
        raise GeneratorError(f"There is no size “{settings.size}”; choose from {', '.join(SIZES)}.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(settings.seed)
    model = Composer(SIZES[settings.size](len(tokens.VOCABULARY))).to(device)
    optimisers = _optimisers(model, settings)
    report(f"{model.parameter_count / 1e6:.2f} M parameters on {device}")

    # ---- resume
    resume = settings.out.with_suffix(".resume.pt")
    state: dict[str, Any] = {"step": 0, "seconds": 0.0, "best": math.inf, "stale": 0, "losses": {}}
    if resume.is_file():
        state = _resume(resume, model, optimisers, settings, device)
        report(f"resumed at step {state['step']}")

    # ---- loop
    stock = batches(sources, weights, settings, stream(settings.seed + state["step"], "train"))
    budget_s = settings.minutes * 60
    began = time.monotonic() - state["seconds"]
    learner = torch.compile(model) if device.type == "cuda" else model  # compiling pays on GPUs only
    model.train()
    while state["stale"] < settings.patience:
        elapsed = time.monotonic() - began
        share = max(elapsed / budget_s, state["step"] / settings.max_steps if settings.max_steps else 0.0)
        if share >= 1.0:
            break
        for optimiser, rate in zip(optimisers, (settings.learning_rate, settings.embedding_rate), strict=True):
            optimiser.param_groups[0]["lr"] = rate * _schedule(share, settings.warmup_share)
        ids, starts = next(stock)
        with _autocast(device):
            loss = loss_of(learner, ids.to(device), starts.to(device), settings.label_smoothing)  # type: ignore[arg-type]
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
        model.zero_grad(set_to_none=True)
        state["step"] += 1

        if state["step"] % settings.validate_every == 0:
            state |= _validate_and_keep(model, held_out, settings, corpus, state, began, report)
            _save_resume(resume, model, optimisers, settings, state)
    # ---- the last steps, at the lowest learning rate, are often the best
    if state["step"] % settings.validate_every:
        _validate_and_keep(model, held_out, settings, corpus, state, began, report)
    resume.unlink(missing_ok=True)
    return settings.out


def _optimisers(model: Composer, settings: Settings) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Muon for the matrices between the layers; AdamW for the embedding, which is also the output, and the norms."""
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and not name.startswith("embed")]
    rest = [p for name, p in model.named_parameters() if p.dim() != 2 or name.startswith("embed")]
    return (
        Muon(matrices, lr=settings.learning_rate, weight_decay=settings.weight_decay),
        torch.optim.AdamW(rest, lr=settings.embedding_rate, betas=(0.9, 0.95), weight_decay=0.0),
    )


def _save_resume(
    path: Path,
    model: Composer,
    optimisers: Sequence[torch.optim.Optimizer],
    settings: Settings,
    state: dict[str, Any],
) -> None:
    partial = path.with_suffix(".partial")
    own = [optimiser.state_dict() for optimiser in optimisers]
    saved = {"model": model.state_dict(), "optimisers": own, "state": state}
    torch.save(saved | {"size": settings.size, "version": tokens.VERSION}, partial)
    partial.replace(path)


def _resume(
    path: Path,
    model: Composer,
    optimisers: Sequence[torch.optim.Optimizer],
    settings: Settings,
    device: torch.device,
) -> dict[str, Any]:
    """Raises GeneratorError for a file that is broken or of another training."""
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        fits = saved["size"] == settings.size and saved["version"] == tokens.VERSION and "optimisers" in saved
    except Exception as error:  # torch reports a broken file in many ways
        raise GeneratorError(f"The resume file {path.name} is broken; remove it to begin again.") from error
    if not fits:
        raise GeneratorError(f"The resume file {path.name} is of another model; remove it to begin again.")
    model.load_state_dict(saved["model"])
    for optimiser, own in zip(optimisers, saved["optimisers"], strict=True):
        optimiser.load_state_dict(own)
    state: dict[str, Any] = saved["state"]
    return state


def _validate_and_keep(
    model: Composer,
    held_out: dict[str, list[tuple[Tensor, Tensor]]],
    settings: Settings,
    corpus: Corpus,
    state: dict[str, Any],
    began: float,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Measure on the held-out pieces, save the weights when they are the best so far; the changed state comes back."""
    losses = validate(model, held_out)
    seconds = time.monotonic() - began
    report(f"step {state['step']:5d}  {seconds / 60:5.1f} min  " + _text(losses))
    if losses["all"] >= state["best"]:
        return {"seconds": seconds, "stale": state["stale"] + 1}
    best = {"seconds": seconds, "stale": 0, "best": losses["all"], "losses": losses}
    checkpoint.save(model, settings.out, _card(settings, corpus, state | best))
    return best


def _schedule(share: float, warmup: float) -> float:
    """Linear warm-up, then a cosine down to 3 %."""
    if share < warmup:
        return max(0.02, share / warmup)
    return 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


def _held_out(corpus: Corpus, settings: Settings) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Of each set a few pieces that never train, from their beginning, in batches of four."""
    found = {}
    for name, refs in sources_of(corpus, "valid").items():
        chosen = stream(settings.seed, "validation").permutation(len(refs))[:_HELD_OUT]
        pieces = [encoded(corpus, refs[index]) for index in chosen]
        examples = [whole(piece, _CONTEXTS[0]) for piece in pieces if piece is not None]
        examples.sort(key=lambda pair: len(pair[0]))
        groups = [examples[start : start + 4] for start in range(0, len(examples), 4)]
        found[name] = [
            (padded([ids for ids, _ in group]), torch.tensor([start for _, start in group])) for group in groups
        ]
    return found


def _text(losses: dict[str, float]) -> str:
    return "  ".join(f"{name[:9]} {value:.3f}" for name, value in losses.items())


def _card(settings: Settings, corpus: Corpus, state: dict[str, Any]) -> dict[str, Any]:
    sets = corpus.manifest["sets"]
    used = sources_of(corpus, "train")
    return {
        "name": f"tunesmith-composer-{settings.size}",
        "corpora": [
            {
                "data_set": name, "licence": " and ".join(sorted(sets[name]["licences"])),
                "credit": sets[name]["credit"],
                "pieces": len(refs), "bars": sum(ref.bars for ref in refs), "sampling_weight": SET_WEIGHTS[name],
            }
            for name, refs in used.items()
        ],
        "data_sha256": hashlib.sha256("".join(sets[name]["sha256"] for name in sorted(used)).encode()).hexdigest(),
        "validation_nats_per_token": {name: round(value, 4) for name, value in state["losses"].items()},
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "settings": {name: value for name, value in asdict(settings).items() if name not in {"corpus", "out"}},
    }  # fmt: skip
