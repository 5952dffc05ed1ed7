"""Read music token by token: the composer's arithmetic with a key/value cache and without what only training needs.

A few rows read at once, and each may read another number of tokens: where the grammar leaves no choice, tokens are read
together with the one before them. For one row and one token, calling modules costs as much as the arithmetic; so the
layers are plain functions on plain weights here. `Composer.forward` is the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from generator.model.transformer import EPSILON, Block, Composer, Rotation, rotate

_Where = tuple[slice | Tensor, slice | Tensor]
"""An index into (rows, places): where the keys and values of what is being read go."""


class Decoder:
    """Rows of music that the composer has read, and reads on. To be used within `torch.inference_mode`."""

    def __init__(self, model: Composer, rows: int) -> None:
        config = self._config = model.config
        self._embed, self._norm = model.embed.weight, model.norm.weight
        self._rotation: Rotation = (model.cos, model.sin)
        self._layers = [
            (
                block.norm_attention.weight, block.attention.qkv.weight, block.attention.out.weight,
                block.norm_feed.weight, block.feed.gate_up.weight, block.feed.down.weight,
            )
            for block in cast("Iterable[Block]", model.blocks)
        ]  # fmt: skip
        # One place more than the context: what only fills up a short row may go there.
        shape = (config.layers, rows, config.context + 1, config.heads, config.width // config.heads)
        self._keys = torch.zeros(shape, device=self._embed.device, dtype=self._embed.dtype)
        self._values = torch.zeros_like(self._keys)
        self.lengths = [0] * rows

    def read(self, fresh: Sequence[Sequence[int]]) -> np.ndarray:
        """Read `fresh[row]` after all that the row has read before.

        Returns:
            Logits [rows, vocabulary] in float32 after the last token of every row; those of a row that read nothing
            mean nothing.

        Raises:
            ValueError: a row gets longer than the model's context.
        """
        counts = [len(tokens) for tokens in fresh]
        after = [length + count for length, count in zip(self.lengths, counts, strict=True)]
        if max(after) > self._config.context:
            raise ValueError(f"the music does not fit {self._config.context} tokens")
        longest = max(counts)
        ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in fresh], device=self._embed.device)
        together = len(set(self.lengths)) == 1
        hidden = self._together(ids) if together else self._apart(ids, counts)
        self.lengths = after
        last = hidden[torch.arange(len(counts)), [max(count, 1) - 1 for count in counts]]
        return F.linear(last, self._embed).float().cpu().numpy()

    def keep(self, places: Sequence[int]) -> None:
        """Continue each row from another row's past."""
        index = torch.tensor(places, device=self._keys.device)
        self._keys, self._values = self._keys[:, index], self._values[:, index]
        self.lengths = [self.lengths[place] for place in places]

    def _together(self, ids: Tensor) -> Tensor:
        """Rows that are equally long; what fills up the shorter ones is overwritten by what they read next."""
        start, time = self.lengths[0], ids.shape[1]
        end = start + time
        rotation = self._rotation[0][start:end, None], self._rotation[1][start:end, None]
        mask = None if time == 1 else torch.ones(time, end, dtype=torch.bool, device=ids.device).tril(start)
        return self._layered(ids, rotation, mask, (slice(None), slice(start, end)), end)

    def _apart(self, ids: Tensor, counts: Sequence[int]) -> Tensor:
        """Rows of any lengths: each has its own places, and looks no farther than itself."""
        device, context = ids.device, self._config.context
        lengths, fresh = torch.tensor(self.lengths, device=device), torch.tensor(counts, device=device)
        steps = torch.arange(ids.shape[1], device=device)
        places = torch.where(steps < fresh[:, None], lengths[:, None] + steps, context)  # (rows, T)
        end = int((lengths + fresh).max())
        turned = places.clamp(max=context - 1)
        rotation = self._rotation[0][turned][:, :, None], self._rotation[1][turned][:, :, None]
        mask = (torch.arange(end, device=device) <= places[:, :, None])[:, None]  # (rows, 1, T, end)
        rows = torch.arange(len(counts), device=device)[:, None]
        return self._layered(ids, rotation, mask, (rows, places), end)

    def _layered(self, ids: Tensor, rotation: Rotation, mask: Tensor | None, where: _Where, end: int) -> Tensor:
        """ids (rows, T) -> the last layer, normalised (rows, T, width)."""
        width, heads = (self._config.width,), self._config.heads
        x = F.embedding(ids, self._embed)
        for layer, (norm_attention, qkv, out, norm_feed, gate_up, down) in enumerate(self._layers):
            seen = F.linear(F.rms_norm(x, width, norm_attention, EPSILON), qkv)
            q, k, v = seen.view(*ids.shape, 3, heads, -1).unbind(2)  # each (rows, T, heads, D)
            self._keys[layer, *where], self._values[layer, *where] = rotate(k, rotation), v
            past = self._keys[layer, :, :end], self._values[layer, :, :end]
            heard = F.scaled_dot_product_attention(
                rotate(q, rotation).transpose(1, 2), past[0].transpose(1, 2), past[1].transpose(1, 2), attn_mask=mask
            )
            x = x + F.linear(heard.transpose(1, 2).flatten(2), out)
            gate, up = F.linear(F.rms_norm(x, width, norm_feed, EPSILON), gate_up).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, down)
        return F.rms_norm(x, width, self._norm, EPSILON)
