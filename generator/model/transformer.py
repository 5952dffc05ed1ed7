"""The composer: a small decoder-only transformer.

* pre-norm with RMSNorm, no biases
* rotary position embedding
* SwiGLU feed-forward
* token embedding tied to the output
* a preallocated key/value cache for sampling many takes in one batch

It sees token ids only; what they mean is in `tokens`, which ids may follow is in `grammar`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Config:
    vocabulary: int
    context: int = 1536  # longest sequence, in tokens
    width: int = 256
    layers: int = 7
    heads: int = 4
    hidden: int = 704  # of the feed-forward; 8/3 of the width, a multiple of 64
    dropout: float = 0.05


SIZES: dict[str, Callable[[int], Config]] = {
    "small": Config,
    "base": lambda vocabulary: Config(vocabulary, width=512, layers=10, heads=8, hidden=1408),
}
"""From the size of the vocabulary to a configuration: about 6 million parameters and about 32 million."""


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)
        return (x.float() * scale).to(x.dtype) * self.weight.to(x.dtype)


Rotation = tuple[Tensor, Tensor]
"""Cosines and sines of the angles of each place: (T, D/2) or (B, 1, 1, D/2)."""


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotary embedding (Su et al. 2021) of x (B, H, T, D)."""
    cos, sin = rotation
    even, odd = x.float().chunk(2, dim=-1)
    return torch.cat((even * cos - odd * sin, even * sin + odd * cos), dim=-1).to(x.dtype)


class Cache:
    """Keys and values of the tokens so far: (layers, B, H, context, D), and how many there are of each row: (B,).

    Rows need not be equally long: one that has to wait gets its length put back, and is overwritten by what it
    reads next.
    """

    def __init__(self, config: Config, batch: int, device: torch.device, dtype: torch.dtype) -> None:
        shape = (config.layers, batch, config.heads, config.context, config.width // config.heads)
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.lengths = torch.zeros(batch, dtype=torch.long, device=device)

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store (B, H, T, D) after each row's past; returns all that any row may look at."""
        time = keys.shape[2]
        if time > 1:  # a prompt, into an empty cache
            self.keys[layer, :, :, :time], self.values[layer, :, :, :time] = keys, values
            return keys, values
        rows = torch.arange(len(self.lengths), device=keys.device)
        self.keys[layer, rows, :, self.lengths] = keys[:, :, 0]
        self.values[layer, rows, :, self.lengths] = values[:, :, 0]
        end = int(self.lengths.max()) + 1
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def mask(self) -> Tensor | None:
        """(B, 1, 1, longest + 1), True where a row's next token may look; None when all rows are equally long."""
        longest = int(self.lengths.max())
        if bool((self.lengths == longest).all()):
            return None
        places = torch.arange(longest + 1, device=self.lengths.device)
        return (places <= self.lengths[:, None])[:, None, None]


class Attention(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, place: Rotation, cache: Cache | None, layer: int, mask: Tensor | None) -> Tensor:
        batch, time, width = x.shape
        qkv = self.qkv(x).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        q, k = rotate(q, place), rotate(k, place)
        if cache is not None:
            k, v = cache.append(layer, k, v)
        # Whole sequences and prompts are causal; a single query sees all of its past.
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=time > 1)
        return self.out(y.transpose(1, 2).reshape(batch, time, width))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gate_up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm_attention = RMSNorm(config.width)
        self.attention = Attention(config)
        self.norm_feed = RMSNorm(config.width)
        self.feed = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, place: Rotation, cache: Cache | None, layer: int, mask: Tensor | None) -> Tensor:
        x = x + self.dropout(self.attention(self.norm_attention(x), place, cache, layer, mask))
        return x + self.dropout(self.feed(self.norm_feed(x)))  # type: ignore[no-any-return]


class Composer(nn.Module):
    """Next-token logits for a batch of sequences."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width)
        half = config.width // config.heads // 2
        frequencies = 10_000.0 ** (-torch.arange(half) / half)
        angles = torch.arange(config.context)[:, None] * frequencies[None, :]
        self.register_buffer("cos", angles.cos(), persistent=False)  # (context, D/2)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, Attention):
            nn.init.normal_(module.out.weight, std=0.02 / (2 * self.config.layers) ** 0.5)
        if isinstance(module, FeedForward):
            nn.init.normal_(module.down.weight, std=0.02 / (2 * self.config.layers) ** 0.5)

    def hidden(self, ids: Tensor, cache: Cache | None = None, extra: Tensor | None = None) -> Tensor:
        """ids (B, T) of int64 -> the last layer, normalised (B, T, width).

        `extra` (B, T, width) joins the token embedding: what else is known of each position.
        """
        time = ids.shape[1]
        one = cache is not None and time == 1
        if cache is not None and one:
            place = self.cos[cache.lengths][:, None, None], self.sin[cache.lengths][:, None, None]
        else:
            place = self.cos[:time], self.sin[:time]
        mask = cache.mask() if cache is not None and one else None
        x = self.embed(ids) if extra is None else self.embed(ids) + extra
        for layer, block in enumerate(self.blocks):
            x = block(x, place, cache, layer, mask)
        if cache is not None:
            cache.lengths += time
        return self.norm(x)  # type: ignore[no-any-return]

    def forward(self, ids: Tensor, cache: Cache | None = None, extra: Tensor | None = None) -> Tensor:
        """ids (B, T) of int64 -> logits (B, T, vocabulary) in float32.

        With a cache, T is the prompt when the cache is empty and 1 afterwards; every row's length grows by T.
        """
        return F.linear(self.hidden(ids, cache, extra), self.embed.weight).float()

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())
