"""Read music token by token: the composer's arithmetic with a key/value cache and without what only training needs.

Rows are read in groups, which share the weights and have each a past of their own; a row may read any number of tokens,
for where the grammar leaves no choice, tokens are read together with the one before them. For one row and one token,
calling modules costs as much as the arithmetic, and fetching weights costs more than using them; so the layers are
plain functions here, on weights that lie in the order in which they are used. `Composer.forward` is the reference, and
`reader` does the same for models that no GPU holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from generator.model.transformer import EPSILON, Block, Composer, Config

Fresh = Sequence[Sequence[int]]
"""What each row of a group reads next; nothing for a row that waits."""


class Past(ABC):
    """Rows of music that have been read, and how many tokens each has."""

    def __init__(self, rows: int, context: int) -> None:
        self.context = context
        self.lengths = [0] * rows

    def fits(self, fresh: Fresh) -> bool:
        """Whether the rows stay within the model's context."""
        return all(length + len(row) <= self.context for length, row in zip(self.lengths, fresh, strict=True))

    def check(self, fresh: Fresh) -> None:
        """Raises ValueError where they do not."""
        if not self.fits(fresh):
            raise ValueError(f"the music does not fit {self.context} tokens")

    @abstractmethod
    def keep(self, places: Sequence[int]) -> None:
        """Continue each row from another row's past."""


class TensorPast(Past):
    """Keys and values of all rows in one tensor each."""

    def __init__(self, model: Composer, rows: int) -> None:
        config, weight = model.config, model.embed.weight
        super().__init__(rows, config.context)
        # One place more than the context: what only fills up a short row may go there.
        shape = (config.layers, rows, config.heads, config.context + 1, config.width // config.heads)
        self.keys = torch.zeros(shape, device=weight.device, dtype=weight.dtype)
        self.values = torch.zeros_like(self.keys)

    def keep(self, places: Sequence[int]) -> None:
        index = torch.tensor(places, device=self.keys.device)
        self.keys, self.values = self.keys[:, index], self.values[:, index]
        self.lengths = [self.lengths[place] for place in places]


class Decoder:
    """The weights as reading needs them. To be used within `torch.inference_mode`."""

    def __init__(self, model: Composer) -> None:
        config, self._model = model.config, model
        self._embed, self._norm = model.embed.weight, model.norm.weight
        self._unembed = self._embed.t().contiguous()
        self._turns = torch.complex(model.cos, model.sin)  # (context, D/2)
        pairs = pairs_together(config).to(self._embed.device)
        self._layers = [_layer(block, pairs) for block in cast("Iterable[Block]", model.blocks)]

    def past(self, rows: int) -> TensorPast:
        """Nothing read yet."""
        return TensorPast(self._model, rows)

    def read(self, asked: Sequence[tuple[TensorPast, Fresh]]) -> list[np.ndarray]:
        """Let each group read after all that it has read before.

        Returns:
            For each group logits [rows, vocabulary] in float32 after the last token of every row; those of a row that
            read nothing mean nothing.

        Raises:
            ValueError: a row gets longer than the model's context.
        """
        readings, at = [], 0
        for past, fresh in asked:
            readings.append(_reading(past, fresh, at))
            at = readings[-1].span.stop
        hidden = self._layered(torch.cat([reading.ids for reading in readings]), readings)
        logits = (hidden[torch.cat([reading.last for reading in readings])] @ self._unembed).float().cpu().numpy()
        for reading in readings:
            reading.past.lengths = reading.lengths
        return np.split(logits, np.cumsum([reading.rows for reading in readings])[:-1])

    def _layered(self, ids: Tensor, readings: Sequence[_Reading]) -> Tensor:
        """ids (tokens of all groups) -> the last layer, normalised (tokens, width)."""
        width, heads = (self._model.config.width,), self._model.config.heads
        turns = self._turns[torch.cat([reading.places for reading in readings])][:, None]
        x = F.embedding(ids, self._embed)
        for layer, weights in enumerate(self._layers):
            seen = F.rms_norm(x, width, weights.norm_attention, EPSILON) @ weights.qkv
            seen = seen.view(len(ids), 3 * heads, -1)  # (tokens, heads of q, k and v, D)
            turned, values = _turn(seen[:, : 2 * heads], turns), seen[:, 2 * heads :]
            heard = [reading.attend(layer, turned[reading.span], values[reading.span]) for reading in readings]
            x = x + F.linear(torch.cat(heard), weights.out)
            gate, up = (F.rms_norm(x, width, weights.norm_feed, EPSILON) @ weights.gate_up).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, weights.down)
        return F.rms_norm(x, width, self._norm, EPSILON)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A block's weights. `qkv` and `gate_up` lie input by input, which halves the time of reading one token; each pair
    of a query's or key's numbers that turns together lies together."""

    norm_attention: Tensor
    qkv: Tensor
    out: Tensor
    norm_feed: Tensor
    gate_up: Tensor
    down: Tensor


def _layer(block: Block, pairs: Tensor) -> _Layer:
    attention, feed = block.attention, block.feed
    return _Layer(
        block.norm_attention.weight, attention.qkv.weight[pairs].t().contiguous(), attention.out.weight,
        block.norm_feed.weight, feed.gate_up.weight.t().contiguous(), feed.down.weight,
    )  # fmt: skip


def pairs_together(config: Config) -> Tensor:
    """The order of the outputs of `qkv` in which the halves that `transformer.rotate` pairs are neighbours."""
    places = torch.arange(3 * config.width).view(3, config.heads, 2, -1)
    return torch.cat((places[:2].transpose(-1, -2).flatten(), places[2].flatten()))


def _turn(x: Tensor, turns: Tensor) -> Tensor:
    """Rotary embedding of x (..., D) whose pairs are neighbours, by complex numbers (..., D/2)."""
    pairs = torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one group reads at once: `rows` times `time` tokens, short rows filled up, at `span` of all groups' tokens.

    `where` is an index into (rows, places) of the past, `end` the place after the last that any row looks at. Rows of
    one length need no mask for a single token, and what fills up is overwritten by what they read next; rows of other
    lengths have each its own places and look no farther than themselves.
    """

    past: TensorPast
    lengths: list[int]
    rows: int
    time: int
    span: slice
    ids: Tensor
    places: Tensor
    last: Tensor
    where: tuple[slice | Tensor, slice | Tensor]
    mask: Tensor | None
    end: int

    def attend(self, layer: int, turned: Tensor, values: Tensor) -> Tensor:
        """Queries and keys (tokens, 2 heads, D) and values (tokens, heads, D) -> what is heard (tokens, width)."""
        queries, keys = turned.view(self.rows, self.time, 2, -1, turned.shape[-1]).unbind(2)
        all_keys, all_values = self.past.keys[layer], self.past.values[layer]
        all_keys.transpose(1, 2)[self.where] = keys
        all_values.transpose(1, 2)[self.where] = values.view(keys.shape)
        heard = F.scaled_dot_product_attention(
            queries.transpose(1, 2), all_keys[:, :, : self.end], all_values[:, :, : self.end], attn_mask=self.mask
        )
        return heard.transpose(1, 2).reshape(self.rows * self.time, -1)


def _reading(past: TensorPast, fresh: Fresh, first: int) -> _Reading:
    """`first` is the place of the group's first token among those of all groups. Raises ValueError."""
    past.check(fresh)
    device, counts = past.keys.device, [len(row) for row in fresh]
    rows, time = len(counts), max(counts)
    after = [length + count for length, count in zip(past.lengths, counts, strict=True)]
    ids = torch.tensor([token for row in fresh for token in (*row, *[0] * (time - len(row)))], device=device)
    last = torch.tensor([first + row * time + max(count, 1) - 1 for row, count in enumerate(counts)], device=device)
    where: tuple[slice | Tensor, slice | Tensor]
    if len(set(past.lengths)) == 1:
        start, end = past.lengths[0], past.lengths[0] + time
        places = torch.arange(start, end, device=device).repeat(rows)
        where = slice(None), slice(start, end)
        mask = None if time == 1 else torch.ones(time, end, dtype=torch.bool, device=device).tril(start)
    else:
        end, steps = max(after), torch.arange(time, device=device)
        lengths, new = torch.tensor(past.lengths, device=device), torch.tensor(counts, device=device)
        own = torch.where(steps < new[:, None], lengths[:, None] + steps, past.context)  # (rows, time)
        places = own.clamp(max=past.context - 1).flatten()
        where = torch.arange(rows, device=device)[:, None], own
        mask = (torch.arange(end, device=device) <= own[:, :, None])[:, None]  # (rows, 1, time, end)
    span = slice(first, first + rows * time)
    return _Reading(past, after, rows, time, span, ids, places, last, where, mask, end)
