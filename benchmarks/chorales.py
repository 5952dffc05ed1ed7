"""A model of four-voice chorales out of two of the product's transformers.

The *outer* one reads the chords so far, one position per sixteenth; the *inner* one then writes the step's four
voices in the order VOICE_ORDER, each knowing those before it. Both see, added to their token embeddings, plain
features of strictly earlier notes: pitches, how long they have been held, the last moves, intervals between voices.

A pitch's logit is a sum of views: its absolute pitch, its interval from the voice's own last pitch, and its intervals
from the voices already written in this step. Every probability is a softmax over all pitches and the rest, so the
likelihood of a piece is honest: nothing of a note is known before it is scored.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from generator.model.transformer import Composer, Config

VOICES = ("soprano", "alto", "tenor", "bass")
VOICE_ORDER = (0, 3, 1, 2)
"""The order in which a step's voices are written: soprano, bass, alto, tenor."""

LOWEST, HIGHEST = 26, 90  # MIDI pitches, transposed pieces included
REST, START = 0, HIGHEST - LOWEST + 2  # symbols; between them lie the pitches
SYMBOLS = START  # that can be written: the rest and the pitches
REACH = 40  # largest interval a view tells apart, semitones
MAX_AGE, MAX_MOVE = 16, 13  # steps, semitones
CONTEXT = 640  # steps; the longest chorale has exactly as many
INTERVALS = 2 * REACH + 2  # index 0: one of the two is no pitch
MOVES = 2 * MAX_MOVE + 2
FORGETTING = 0.15  # share of the features
VIEWS = 4  # own last pitch, and up to three voices of this step


@dataclass(frozen=True, slots=True)
class Shape:
    """Of the two transformers."""

    width: int = 192
    heads: int = 6
    hidden: int = 512
    outer_layers: int = 5
    inner_layers: int = 2
    dropout: float = 0.35


class Features(nn.Module):
    """The sum of one embedding per feature; every feature has its own range of ids.

    In training whole features are forgotten at random, so that no piece is known again by one of them.
    """

    offsets: Tensor

    def __init__(self, sizes: list[int], width: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(sum(sizes), width)
        nn.init.normal_(self.table.weight, std=0.02)
        starts = torch.tensor([0, *sizes[:-1]]).cumsum(0)
        self.register_buffer("offsets", starts, persistent=False)
        self.forget = nn.Dropout(FORGETTING)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """(…, features) -> (…, width)."""
        kept = self.forget(torch.ones(ids.shape))[..., None, :]  # (…, 1, features)
        return self.dropout((kept @ self.table(ids + self.offsets)).squeeze(-2))  # type: ignore[no-any-return]


class Chorales(nn.Module):
    """-log p of every note of a batch of chorales."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.temperature = 1.0  # logits are divided by it
        common = {"width": shape.width, "heads": shape.heads, "hidden": shape.hidden, "dropout": shape.dropout}
        self.outer = Composer(Config(vocabulary=16, context=CONTEXT, layers=shape.outer_layers, **common))
        words = SYMBOLS + 1 + VIEWS * INTERVALS
        self.inner = Composer(Config(vocabulary=words, context=len(VOICES), layers=shape.inner_layers, **common))
        self.past = Features(
            [SYMBOLS + 1] * 4 + [MAX_AGE + 1] * 4 + [MOVES] * 4 + [INTERVALS] * 6 + [12, 48], shape.width, shape.dropout
        )
        self.present = Features(
            [4, SYMBOLS + 1, MAX_AGE + 1] + [MOVES] * 3 + [INTERVALS] * 3, shape.width, shape.dropout
        )
        self.bridge = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, notes: Tensor) -> Tensor:
        """notes (B, T, 4) of symbols in VOICE_ORDER, from the beginning of each piece -> log p (B, T, 4, SYMBOLS)."""
        batch, time, voices = notes.shape
        before = torch.cat((torch.full_like(notes[:, :1], START), notes[:, :-1]), dim=1)  # one step ago
        age, move = held(before)
        clock = torch.arange(time).expand(batch, time)
        places = torch.stack((clock % 12, (clock // 16).clamp(max=47)), dim=-1)
        past = torch.cat((before, age, move, _pairs(before), places), dim=-1)
        outer = self.bridge(self.outer.hidden(clock % 16, extra=self.past(past)))  # (B, T, width)
        present = self._present(notes, before, age)
        extra = (self.present(present) + outer[:, :, None]).reshape(batch * time, voices, -1)
        spoken = torch.cat((torch.full_like(notes[..., :1], START), notes[..., :-1]), dim=-1)
        logits = self.inner(spoken.reshape(batch * time, voices), extra=extra).view(batch, time, voices, -1)
        return (_views(logits, notes, before) / self.temperature).log_softmax(-1)

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @staticmethod
    def _present(notes: Tensor, before: Tensor, age: Tensor) -> Tensor:
        """(B, T, 4, 9): of each voice about to be written: which it is, its last pitch and age, and of each voice
        already written in this step its move and its interval from the last pitch of this one."""
        moved = interval(notes, before, MAX_MOVE)
        rows = []
        for voice in range(len(VOICES)):
            features = [torch.full_like(age[..., 0], voice), before[..., voice], age[..., voice]]
            unknown = torch.zeros_like(features[0])
            features += [moved[..., other] if other < voice else unknown for other in range(3)]
            features += [
                interval(notes[..., other], before[..., voice], REACH) if other < voice else unknown
                for other in range(3)
            ]
            rows.append(torch.stack(features, dim=-1))
        return torch.stack(rows, dim=2)


def interval(upper: Tensor, lower: Tensor, reach: int) -> Tensor:
    """Semitones from `lower` to `upper` as an index 1 … 2 reach + 1; 0 when one of them is no pitch."""
    sounding = _is_pitch(upper) & _is_pitch(lower)
    return torch.where(sounding, (upper - lower).clamp(-reach, reach) + reach + 1, 0)


def held(before: Tensor) -> tuple[Tensor, Tensor]:
    """Of each voice (B, T, 4) one step ago: for how many steps it has held its symbol (at most MAX_AGE), and the
    interval by which it came to it."""
    age = torch.zeros_like(before)
    move = torch.zeros_like(before)
    for step in range(1, before.shape[1]):
        same = before[:, step] == before[:, step - 1]
        age[:, step] = torch.where(same, age[:, step - 1] + 1, 0)
        came = interval(before[:, step], before[:, step - 1], MAX_MOVE)
        move[:, step] = torch.where(same, move[:, step - 1], came)
    return age.clamp(max=MAX_AGE), move


def _is_pitch(symbols: Tensor) -> Tensor:
    return (symbols != REST) & (symbols != START)


def _pairs(chord: Tensor) -> Tensor:
    """(…, 4) -> (…, 6): the intervals between all voices."""
    pairs = [(a, b) for a in range(4) for b in range(a)]
    return torch.stack([interval(chord[..., a], chord[..., b], REACH) for a, b in pairs], dim=-1)


def _views(logits: Tensor, notes: Tensor, before: Tensor) -> Tensor:
    """Sum the views: (B, T, 4, words) -> (B, T, 4, SYMBOLS)."""
    pitches = torch.arange(SYMBOLS)
    total = logits[..., :SYMBOLS]
    known = [before]  # view 0 of every voice: its own last pitch
    for other in range(3):  # views 1 to 3: the voice written as number `other`, for those after it
        later = torch.arange(4) > other
        known.append(torch.where(later, notes[..., other, None], START))
    for view, reference in enumerate(known):
        index = interval(pitches.expand(*reference.shape, SYMBOLS), reference[..., None], REACH)
        first = SYMBOLS + 1 + view * INTERVALS
        seen = logits[..., first : first + INTERVALS].gather(-1, index)
        total = total + seen.masked_fill(index == 0, 0.0)
    return total
