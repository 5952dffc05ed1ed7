"""Read music token by token on a processor: the arithmetic of `decode` in numpy, in less than half the time.

For a few tokens torch's products fetch the weights at half the speed of memory, and calling its operators takes as
long as they do. Here the tokens of all rows lie below one another in every product and none is filled up; only what
was read before is looked at row by row. `Composer.forward` is the reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from threadpoolctl import threadpool_info
from torch import Tensor
from torch.nn import functional as F

from generator.model.decode import Fresh, Past, pairs_together
from generator.model.transformer import EPSILON, Block, Composer

BLOCK = 48
"""How many tokens are read at once: so far BLAS's kernels for small products pay. A longer prompt is read in several
blocks."""
STEP = 256
"""Tokens for which a row's past gets room at a time; most rows need a quarter of the context."""
_SEEN, _HIDDEN = np.float32(0.0), np.float32(-np.inf)


@dataclass(frozen=True, slots=True)
class Way:
    """How tokens are multiplied with the weights, which lie in panels of `panel` outputs, each read from end to end.

    So many tokens as `filled` names are filled up to its number, and up to `apart` are multiplied one by one.
    """

    panel: int
    apart: int = 0
    filled: Mapping[int, int] = field(default_factory=dict)


SMALL_PRODUCTS = Way(panel=64, filled={1: 2, 3: 4})
"""For processors with AVX-512: OpenBLAS has kernels for such small products, which take tokens in twos and fours. Half
the time of a plain product for one token, a quarter for four."""
NO_KERNELS = Way(panel=32, apart=3)
"""For others: half the time of a plain product for up to three tokens."""
_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # what OpenBLAS calls the former


def usual_way() -> Way:
    """Of this processor."""
    return SMALL_PRODUCTS if any(pool.get("architecture") in _KERNELS for pool in threadpool_info()) else NO_KERNELS


class ArrayPast(Past):
    """Every row's keys (layers, heads, D, room) and values (layers, heads, room, D)."""

    def __init__(self, rows: int, context: int, shape: tuple[int, int, int]) -> None:
        """`shape` is (layers, heads, D)."""
        super().__init__(rows, context)
        layers, heads, depth = shape
        self.keys = [np.empty((layers, heads, depth, 0), np.float32) for _ in range(rows)]
        self.values = [np.empty((layers, heads, 0, depth), np.float32) for _ in range(rows)]

    def make_room(self, fresh: Fresh) -> None:
        """Raises ValueError where a row gets longer than the context."""
        self.check(fresh)
        for row, tokens in enumerate(fresh):
            lacking = self.lengths[row] + len(tokens) - self.values[row].shape[2]
            if lacking > 0:
                more = (0, -(-lacking // STEP) * STEP)
                self.keys[row] = np.pad(self.keys[row], ((0, 0), (0, 0), (0, 0), more))
                self.values[row] = np.pad(self.values[row], ((0, 0), (0, 0), more, (0, 0)))

    def keep(self, places: Sequence[int]) -> None:
        # The first to continue a row takes it over, others get a copy.
        first = [place not in places[:row] for row, place in enumerate(places)]
        for held in (self.keys, self.values):
            held[:] = [held[place] if takes else held[place].copy() for place, takes in zip(places, first, strict=True)]
        self.lengths = [self.lengths[place] for place in places]


class Reader:
    """The weights as reading needs them; they do not follow the model's, see `reader_of`."""

    def __init__(self, model: Composer, way: Way | None = None) -> None:
        config = self._config = model.config
        self._way = way or usual_way()
        panel = self._way.panel
        with torch.inference_mode():
            self._turns = torch.complex(model.cos, model.sin).numpy()  # (context, D/2)
            self._embed = model.embed.weight.float().numpy()
            self._unembed = _panels(_after(model.norm.weight, model.embed.weight), panel)
            pairs = pairs_together(config)
            self._layers = [_layer(block, pairs, panel) for block in cast("Iterable[Block]", model.blocks)]

    def past(self, rows: int) -> ArrayPast:
        """Nothing read yet."""
        config = self._config
        return ArrayPast(rows, config.context, (config.layers, config.heads, config.width // config.heads))

    def read(self, asked: Sequence[tuple[ArrayPast, Fresh]]) -> list[np.ndarray]:
        """As `Decoder.read`."""
        for past, fresh in asked:
            past.make_room(fresh)
        rows = [len(fresh) for _, fresh in asked]
        last = np.zeros((self._filled(sum(rows)), self._config.width), np.float32)
        for block in _blocks(asked):
            hidden = self._layered(block)
            for piece in block:
                last[piece.seat] = hidden[piece.span.stop - 1]
        for past, fresh in asked:
            past.lengths = [length + len(tokens) for length, tokens in zip(past.lengths, fresh, strict=True)]
        logits = self._product(len(last), self._config.vocabulary)
        return np.split(logits.of(last, self._unembed)[: sum(rows)], np.cumsum(rows)[:-1])

    def _layered(self, block: Sequence[_Piece]) -> np.ndarray:
        """The last layer (tokens of the block, perhaps filled up, width), normalised."""
        width, hidden = self._config.width, self._config.hidden
        tokens = [token for piece in block for token in piece.tokens]
        x = self._embed[tokens + tokens[:1] * (self._filled(len(tokens)) - len(tokens))]
        normed, opened = np.empty_like(x), np.empty((len(x), hidden), np.float32)
        seen, back, fed = (self._product(len(x), columns) for columns in (3 * width, width, 2 * hidden))
        attention = _Attention(block, seen.columns, self._turns, self._config.heads)
        gate, up = fed.columns[:, :hidden], fed.columns[:, hidden:]
        for number, layer in enumerate(self._layers):
            seen.of(_normed(x, normed), layer.qkv)
            x += back.of(attention.heard(number), layer.out)
            fed.of(_normed(x, normed), layer.gate_up)
            # SiLU of twice the gate: what opens it is in (0, 2), and nothing overflows.
            np.tanh(gate, out=opened)
            opened *= gate
            opened += gate
            opened *= up
            x += back.of(opened, layer.down)
        return _normed(x, normed)

    def _product(self, tokens: int, outputs: int) -> _Product:
        return _Product(tokens, outputs, self._way)

    def _filled(self, tokens: int) -> int:
        return self._way.filled.get(tokens, tokens)


_READERS: WeakKeyDictionary[Composer, tuple[list[tuple[int, int]], Reader]] = WeakKeyDictionary()


def reader_of(model: Composer) -> Reader:
    """The model's reader, made anew only where its weights have changed."""
    weights = [(weight.data_ptr(), _writes(weight)) for weight in model.parameters()]
    known = _READERS.get(model)
    if known is None or known[0] != weights:
        known = _READERS[model] = weights, Reader(model)
    return known[1]


def _writes(weight: Tensor) -> int:
    """How often a tensor has been written to, as autograd counts it."""
    return 0 if weight.is_inference() else weight._version  # noqa: SLF001 - it has no other name


@dataclass(frozen=True, slots=True)
class _Layer:
    """A block's weights by panels. They hold those of the norm before them, the root of D and half the gate."""

    qkv: np.ndarray
    out: np.ndarray
    gate_up: np.ndarray
    down: np.ndarray


def _layer(block: Block, pairs: Tensor, panel: int) -> _Layer:
    attention, feed = block.attention, block.feed
    q, k, v = _after(block.norm_attention.weight, attention.qkv.weight[pairs]).chunk(3)
    gate, up = _after(block.norm_feed.weight, feed.gate_up.weight).chunk(2)
    qkv = torch.cat((q / math.sqrt(len(q) / attention.heads), k, v))
    weights = qkv, attention.out.weight, torch.cat((gate / 2, up)), feed.down.weight
    return _Layer(*(_panels(weight, panel) for weight in weights))


def _after(norm: Tensor, weight: Tensor) -> Tensor:
    """`weight` (outputs, inputs) for inputs that come from `_normed`."""
    return weight * (norm * math.sqrt(len(norm)))


def _panels(weight: Tensor, panel: int) -> np.ndarray:
    """weight (outputs, inputs) -> (panels, inputs, panel), the last panel filled up."""
    outputs, inputs = weight.shape
    filled = F.pad(weight.float(), (0, 0, 0, -outputs % panel))
    return filled.view(-1, panel, inputs).transpose(1, 2).contiguous().numpy()


class _Product:
    """Room for x @ weight of so many tokens, the same in every layer: `columns` (tokens, outputs)."""

    def __init__(self, tokens: int, outputs: int, way: Way) -> None:
        panels = -(-outputs // way.panel)
        room = np.empty((tokens, panels * way.panel), np.float32)
        self.columns = room[:, :outputs]
        self._panels, self._apart = room.reshape(tokens, panels, way.panel).swapaxes(0, 1), tokens <= way.apart

    def of(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """x (tokens, inputs) and weight (panels, inputs, panel) -> `columns`."""
        if self._apart:
            np.matmul(x[:, None], weight[:, None], out=self._panels[:, :, None])
        else:
            np.matmul(x, weight, out=self._panels)
        return self.columns


def _normed(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    """x (tokens, width), each token of length 1; the norm's root of the width is in the weights."""
    length = np.vecdot(x, x)
    length += x.shape[1] * EPSILON
    np.sqrt(length, out=length)
    np.divide(x, length[:, None], out=out)
    return out


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a block reads of one row: `tokens` after `start` others, at `span` of the block's.

    `keys` and `values` are the row's, `seat` is its place among the rows of all groups.
    """

    keys: np.ndarray
    values: np.ndarray
    seat: int
    tokens: Sequence[int]
    start: int
    span: slice

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)


def _blocks(asked: Sequence[tuple[ArrayPast, Fresh]]) -> Iterator[list[_Piece]]:
    """All fresh tokens, row after row, in blocks of BLOCK."""
    block: list[_Piece] = []
    rows = [(past, row, tokens) for past, fresh in asked for row, tokens in enumerate(fresh)]
    filled = 0
    for seat, (past, row, tokens) in enumerate(rows):
        at = 0
        while at < len(tokens):
            part = tokens[at : at + BLOCK - filled]
            span = slice(filled, filled + len(part))
            block.append(_Piece(past.keys[row], past.values[row], seat, part, past.lengths[row] + at, span))
            at, filled = at + len(part), span.stop
            if filled == BLOCK:
                yield block
                block, filled = [], 0
    if block:
        yield block


class _Attention:
    """What a block's tokens hear in each layer of `seen` (tokens, heads of q, k and v times D)."""

    def __init__(self, block: Sequence[_Piece], seen: np.ndarray, turns: np.ndarray, heads: int) -> None:
        places = np.concatenate([np.arange(piece.start, piece.end) for piece in block])
        count, longest = len(places), max(piece.end for piece in block)
        width = seen.shape[1] // 3
        self._heard = np.zeros((len(seen), width), np.float32)  # what only fills up hears nothing
        seen = seen[:count]
        self._block = block
        self._turned = seen[:, : 2 * width].view(np.complex64).reshape(count, 2 * heads, -1)
        self._turns = turns[places][:, None]
        self._queries, self._keys, self._values = seen.reshape(count, 3, heads, -1).transpose(1, 2, 0, 3)
        # No token sees those after it, nor what others see that have a longer past.
        seen_by = np.arange(longest) <= places[:, None]  # (tokens, longest)
        self._mask = None if seen_by.all() else np.where(seen_by, _SEEN, _HIDDEN)
        self._scores = np.zeros((heads, count, longest), np.float32)
        self._heard_by_head = self._heard[:count].reshape(count, heads, -1).swapaxes(0, 1)

    def heard(self, layer: int) -> np.ndarray:
        """(tokens, width). Keys and values join the rows' past."""
        self._turned *= self._turns  # rotary embedding: neighbours are a complex number
        scores = self._scores
        for piece in self._block:
            keys = piece.keys[layer]
            keys[:, :, piece.start : piece.end] = self._keys[:, piece.span].swapaxes(1, 2)
            np.matmul(self._queries[:, piece.span], keys[:, :, : piece.end], out=scores[:, piece.span, : piece.end])
        if self._mask is not None:
            scores += self._mask
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        for piece in self._block:
            values = piece.values[layer]
            values[:, piece.start : piece.end] = self._values[:, piece.span]
            np.matmul(
                scores[:, piece.span, : piece.end], values[:, : piece.end], out=self._heard_by_head[:, piece.span]
            )
        self._heard_by_head /= scores.sum(axis=-1, keepdims=True)
        return self._heard
