"""The composer: a small decoder-only transformer.

* pre-norm with RMSNorm, no biases
* rotary position embedding
* SwiGLU feed-forward
* token embedding tied to the output

It sees token ids only; what they mean is in `tokens`, which ids may follow is in `grammar`. Whole sequences are read
here; `decode` reads token by token.
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


EPSILON = 1e-6
"""Of the norms, so that silence is not divided by nothing."""


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + EPSILON)
        return (x.float() * scale).to(x.dtype) * self.weight.to(x.dtype)


Rotation = tuple[Tensor, Tensor]
"""Cosines and sines of the angles of each place, in a shape that fits (..., D/2)."""


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotary embedding (Su et al. 2021) of x (..., D)."""
    cos, sin = rotation
    even, odd = x.float().chunk(2, dim=-1)
    return torch.cat((even * cos - odd * sin, even * sin + odd * cos), dim=-1).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def forward(self, x: Tensor, place: Rotation) -> Tensor:
        batch, time, width = x.shape
        qkv = self.qkv(x).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        y = F.scaled_dot_product_attention(rotate(q, place), rotate(k, place), v, is_causal=True)
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

    def forward(self, x: Tensor, place: Rotation) -> Tensor:
        x = x + self.dropout(self.attention(self.norm_attention(x), place))
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

    def hidden(self, ids: Tensor, extra: Tensor | None = None) -> Tensor:
        """ids (B, T) of int64 -> the last layer, normalised (B, T, width).

        `extra` (B, T, width) joins the token embedding: what else is known of each position.
        """
        time = ids.shape[1]
        x = self.embed(ids) if extra is None else self.embed(ids) + extra
        for block in self.blocks:
            x = block(x, (self.cos[:time], self.sin[:time]))
        return self.norm(x)  # type: ignore[no-any-return]

    def forward(self, ids: Tensor, extra: Tensor | None = None) -> Tensor:
        """ids (B, T) of int64 -> logits (B, T, vocabulary) in float32."""
        return F.linear(self.hidden(ids, extra), self.embed.weight).float()

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())
