"""JSB chorales: how well our transformer predicts every note of 76 validation and 77 test chorales.

    python -m benchmarks jsb --data DIR                  evaluates the shipped checkpoint
    python -m benchmarks.jsb --train --data DIR --minutes 40      trains it, on one CPU core

DIR holds Jsb16thSeparated.npz (czhuang/JSB-Chorales-dataset; split of Boulanger-Lewandowski et al. 2012). The file
holds object arrays, which NumPy stores as pickles: use the published file only.

The measure is the note-wise negative log-likelihood of Music Transformer, Coconet and TonicNet: four notes per
sixteenth, a rest is a symbol of its own, mean over all notes, in nats. Most of them are held on from the step before,
so the loss of the notes that begin is reported too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.chorales import LOWEST, REST, SYMBOLS, VOICE_ORDER, Chorales, Shape
from benchmarks.ngram import NGram
from benchmarks.result import Must, Options, Result, Rows
from generator.errors import GeneratorError, IncompatibleWeights, MissingWeights

FILE = "Jsb16thSeparated.npz"
SHIPPED = Path(__file__).parent / "weights" / "jsb.safetensors"
SHIFTS = (-3, -2, -1, 0, 1, 2, 3)
"""Semitones by which the mixture hears every piece; the same for all, so that no range of the future is betrayed."""
TEMPERATURES = (1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3)
MUST, AIM = 0.40, 0.30


@dataclass(frozen=True, slots=True)
class Settings:
    data: Path
    out: Path = SHIPPED
    minutes: float = 40.0
    steps_per_batch: int = 768  # sixteenths
    learning_rate: float = 4e-3  # of the matrices, which Muon turns
    embedding_rate: float = 3e-3
    warmup_share: float = 0.02
    weight_decay: float = 0.1
    average: float = 0.995  # of the weights, per training step
    validate_every: int = 200  # training steps
    max_steps: int = 0  # 0 = as the minutes allow
    seed: int = 1
    shape: Shape = field(default_factory=Shape)


def read(data: Path) -> dict[str, list[Tensor]]:
    """`train`, `valid` and `test`: chorales (steps, 4) of symbols in VOICE_ORDER. Raises GeneratorError."""
    path = data / FILE
    if not path.is_file():
        raise GeneratorError(f"The chorales are missing: there is no {FILE} in {data}.")
    with np.load(path, allow_pickle=True, encoding="latin1") as file:
        return {name: [symbols(chorale) for chorale in file[name]] for name in ("train", "valid", "test")}


def symbols(chorale: NDArray[np.float16]) -> Tensor:
    """MIDI pitches, NaN for a rest -> symbols."""
    pitches = np.asarray(chorale, dtype=np.float64)
    sounding = np.where(np.isnan(pitches), REST, pitches - LOWEST + 1)
    return torch.from_numpy(sounding.astype(np.int64)[:, list(VOICE_ORDER)])


def shifted(notes: Tensor, semitones: int) -> Tensor:
    return torch.where(notes == REST, REST, notes + semitones)


def batches(pieces: Sequence[Tensor], steps: int) -> Iterator[list[int]]:
    """Indices of pieces of like length, about `steps` sixteenths at a time."""
    group: list[int] = []
    for index in sorted(range(len(pieces)), key=lambda i: len(pieces[i])):
        if group and (len(group) + 1) * len(pieces[index]) > steps:
            yield group
            group = []
        group.append(index)
    yield group


def padded(pieces: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(B, longest, 4) and (B, longest), True where a piece sounds."""
    notes = torch.nn.utils.rnn.pad_sequence(list(pieces), batch_first=True, padding_value=REST)
    lengths = torch.tensor([len(piece) for piece in pieces])
    return notes, torch.arange(notes.shape[1]) < lengths[:, None]


@torch.no_grad()
def note_nats(model: Chorales, pieces: Sequence[Tensor], shifts: Sequence[int] = (0,)) -> list[Tensor]:
    """-log p of every note, (steps, 4) per piece; with several shifts, of the plain mixture of what the model says of
    the piece in each of these keys."""
    model.eval()
    nats: list[Tensor] = [torch.empty(0)] * len(pieces)
    for group in batches(pieces, 2048):
        notes, sounds = padded([pieces[i] for i in group])
        views = []
        for shift in shifts:
            moved = shifted(notes, shift)
            views.append(model(moved).gather(-1, moved[..., None])[..., 0].double())
        mixture = torch.logsumexp(torch.stack(views), dim=0) - math.log(len(shifts))
        for row, index in enumerate(group):
            nats[index] = -mixture[row, sounds[row]]
    return nats


def onsets(piece: Tensor) -> Tensor:
    """(steps, 4): True where a voice does something else than a step ago; the first step all begins."""
    new = torch.ones_like(piece, dtype=torch.bool)
    new[1:] = piece[1:] != piece[:-1]
    return new


class Keys:
    """Puts chorales into random keys in which every voice stays where the training set has it."""

    def __init__(self, pieces: Sequence[Tensor], rng: np.random.Generator) -> None:
        self._rng = rng
        every = torch.cat(list(pieces))
        self._floor, self._ceiling = _lowest(every), every.max(0).values

    def draw(self, piece: Tensor) -> Tensor:
        down = int((self._floor - _lowest(piece)).max())
        up = int((self._ceiling - piece.max(0).values).min())
        return shifted(piece, int(self._rng.integers(max(down, -6), min(up, 6) + 1)))


def _lowest(notes: Tensor) -> Tensor:
    """The lowest pitch of every voice."""
    return torch.where(notes == REST, SYMBOLS, notes).min(0).values


def train(settings: Settings, report: Callable[[str], None] = print) -> None:
    """Train until the time is up; keeps the averaged weights that predict the validation chorales best."""
    # ---- data
    chorales = read(settings.data)
    pieces = chorales["train"]
    rng = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    keys = Keys(pieces, rng)

    # ---- model
    model = Chorales(settings.shape)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    optimisers = _optimisers(model, settings)
    report(f"{model.parameter_count / 1e6:.2f} M parameters")

    # ---- loop
    began, best = time.monotonic(), math.inf
    losses: list[float] = []
    for step, (epoch, group) in enumerate(_groups(pieces, settings.steps_per_batch, rng)):
        elapsed = time.monotonic() - began
        share = max(elapsed / (60 * settings.minutes), step / settings.max_steps if settings.max_steps else 0.0)
        if step and (share >= 1.0 or step % settings.validate_every == 0):
            value = _validate(model, average, chorales["valid"])
            report(f"{elapsed:5.0f} s, step {step}, epoch {epoch}: {np.mean(losses):.4f}, valid {value:.4f}")
            losses.clear()
            if value < best:
                best = value
                facts = {"steps": step, "epochs": epoch, "seconds": round(elapsed), "valid_nats": round(value, 4)}
                save(average, settings, facts)
        if share >= 1.0:
            calibrate(settings.out, chorales["valid"])
            return
        for optimiser, rate in zip(optimisers, (settings.learning_rate, settings.embedding_rate), strict=True):
            optimiser.param_groups[0]["lr"] = rate * min(share / settings.warmup_share, 1.0 - share)
        model.train()
        notes, sounds = padded([keys.draw(piece) for piece in group])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            chances = model(notes)
        loss = -chances.gather(-1, notes[..., None])[sounds].mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        losses.append(loss.item())
        forget = 1.0 - min(settings.average, (step + 1) / (step + 11))
        for name, value in model.state_dict().items():
            average[name].lerp_(value, forget)


def _optimisers(model: Chorales, settings: Settings) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the blocks' matrices, which learns from few steps; AdamW for all else."""
    matrices = [p for name, p in model.named_parameters() if "blocks" in name and p.dim() == 2]
    chosen = set(map(id, matrices))
    others = [p for p in model.parameters() if id(p) not in chosen]
    return (
        torch.optim.Muon(matrices, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01),
    )


def _groups(pieces: Sequence[Tensor], steps: int, rng: np.random.Generator) -> Iterator[tuple[int, list[Tensor]]]:
    """Epoch after epoch, every piece once in each; up to 23 steps are cut off the end, so that the same pieces do not
    always meet."""
    for epoch in count(1):
        cut = [pieces[i][: max(1, len(pieces[i]) - int(rng.integers(0, 24)))] for i in rng.permutation(len(pieces))]
        groups = list(batches(cut, steps))
        for index in rng.permutation(len(groups)):
            yield epoch, [cut[i] for i in groups[index]]


def _validate(model: Chorales, weights: dict[str, Tensor], pieces: Sequence[Tensor]) -> float:
    """Nats per note with these weights; the model keeps its own."""
    own = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(weights)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = float(torch.cat(note_nats(model, pieces)).mean())
    model.load_state_dict(own)
    return value


def save(weights: dict[str, Tensor], settings: Settings, facts: dict[str, Any]) -> None:
    """fp16 weights and, beside them, what they are."""
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.to(torch.float16).contiguous() for name, value in weights.items()}, settings.out)
    settings.out.chmod(0o644)
    card = {
        "what": "four-voice chorales, for the JSB benchmark; trained on its 229 training chorales only",
        "command": f"python -m benchmarks.jsb --train --data DIR --minutes {settings.minutes:g}",
        "settings": {name: value for name, value in asdict(settings).items() if name not in {"data", "out"}},
        "data_sha256": hashlib.sha256((settings.data / FILE).read_bytes()).hexdigest(),
        "parameters": sum(value.numel() for value in weights.values()),
        "sha256": hashlib.sha256(settings.out.read_bytes()).hexdigest(),
    }
    settings.out.with_suffix(".json").write_text(json.dumps(card | facts, indent=2) + "\n", encoding="utf-8")


def calibrate(path: Path, pieces: Sequence[Tensor]) -> None:
    """Note in the card the temperature at which the weights predict these pieces best: a model that has read its
    pieces many times is too sure of itself."""
    model, card = load(path)

    def nats(temperature: float) -> float:
        model.temperature = temperature
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return float(torch.cat(note_nats(model, pieces)).mean())

    card["temperature"] = min(TEMPERATURES, key=nats)
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def load(path: Path = SHIPPED) -> tuple[Chorales, dict[str, Any]]:
    """The model in float32 and its card. Raises MissingWeights or IncompatibleWeights."""
    if not path.is_file() or not path.with_suffix(".json").is_file():
        raise MissingWeights(f"The chorale weights are missing at {path}; train them with python -m benchmarks.jsb.")
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        if hashlib.sha256(path.read_bytes()).hexdigest() != card["sha256"]:
            raise IncompatibleWeights(f"The weights {path.name} do not match their card.")
        model = Chorales(Shape(**card["settings"]["shape"]))
        model.load_state_dict(load_file(path))
        model.temperature = card.get("temperature", 1.0)
    except (SafetensorError, RuntimeError, TypeError, KeyError, ValueError) as error:
        raise IncompatibleWeights(f"The weights {path.name} do not fit this benchmark: {error}.") from error
    return model.float().eval(), card


def run(options: Options) -> Result:
    """Raises GeneratorError when weights or chorales are missing."""
    if options.data is None:
        raise GeneratorError(f"Where are the chorales? Say --data DIR, the folder that holds {FILE}.")
    torch.set_num_threads(1)
    model, card = load()
    chorales = read(options.data)
    sets = {"valid": chorales["valid"], "test": chorales["test"]}
    if options.quick:
        sets = {name: pieces[:12] for name, pieces in sets.items()}
    training = chorales["train"]
    rows = [
        _row("unigram of each voice", sets, _counted(training, 1)),
        _row("Witten-Bell, 4 notes of each voice", sets, _counted(training, 5)),
    ]
    calibrated = model.temperature
    plain = _row(f"ours, temperature {calibrated:g}", sets, lambda pieces: note_nats(model, pieces))
    if not options.quick:
        model.temperature = 1.0
        rows.append(_row("ours, temperature 1", sets, lambda pieces: note_nats(model, pieces)))
        model.temperature = calibrated
    rows.append(plain)
    if not options.quick:
        rows.append(_row(f"… and heard in {len(SHIFTS)} keys", sets, lambda pieces: note_nats(model, pieces, SHIFTS)))
    columns = {"model": "model"}
    for name in sets:
        columns |= {name: name, f"{name} onsets": "its onsets", f"{name} pieces": "mean of pieces"}
    musts = [
        Must(f"nats per note, {name}", f"<= {MUST:.2f}, aim {AIM:.2f}", f"{plain[name]:.3f}", plain[name] <= MUST)
        for name in sets
    ]
    minutes = card["seconds"] / 60
    notes = [
        f"Weights {card['sha256'][:12]}, {card['parameters']:,} parameters, {card['steps']} steps, {minutes:.0f} min.",
        "Published: Transformer 0.417, Music Transformer 0.335 (validation), TonicNet 0.220 (test, mean of pieces).",
        "TonicNet is told each chord's name before its notes, and does not count it.",
        "The temperature is chosen on the validation chorales; each of the keys is a whole prediction, their mean too.",
    ]
    return Result("jsb", [Rows("Nats per note", columns, rows, dict.fromkeys(columns, 3))], musts, notes)


def _row(label: str, sets: dict[str, list[Tensor]], nats_of: Callable[[list[Tensor]], list[Tensor]]) -> dict[str, Any]:
    """Over all notes, over the notes that begin, and as the mean of the pieces' means."""
    row: dict[str, Any] = {"model": label}
    for name, pieces in sets.items():
        nats = nats_of(pieces)
        every, new = torch.cat(nats), torch.cat([onsets(piece) for piece in pieces])
        row[name] = float(every.mean())
        row[f"{name} onsets"] = float(every[new].mean())
        row[f"{name} pieces"] = float(torch.stack([piece.mean() for piece in nats]).mean())
    return row


def _counted(training: Sequence[Tensor], order: int) -> Callable[[list[Tensor]], list[Tensor]]:
    """An n-gram of each voice alone."""
    grams = [NGram([piece[:, voice].tolist() for piece in training], SYMBOLS, order) for voice in range(4)]

    def nats_of(pieces: list[Tensor]) -> list[Tensor]:
        return [
            torch.stack([torch.from_numpy(g.nats(piece[:, v].tolist(), 0)) for v, g in enumerate(grams)], dim=1)
            for piece in pieces
        ]

    return nats_of


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jsb", description="Train the chorale model.")
    parser.add_argument("--train", action="store_true", required=True)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help=f"holds {FILE}")
    parser.add_argument("--minutes", type=float, default=Settings.minutes)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    train(Settings(data=chosen.data, out=chosen.out, minutes=chosen.minutes), lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
