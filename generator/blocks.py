"""Linear filters on long sounds, block by block.

One transform over a whole piece is six times as dear as transforms that fit the processor's cache, and needs several
times the memory of the sound. Knows nothing of what is filtered or why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from generator.errors import SoundError

SIZE = 1 << 15
MARGIN = 1 << 12
"""Samples before and after a block that are transformed with it and thrown away: a filter may ring that long (93 ms
at 44.1 kHz; a 20 Hz high-pass has then fallen by 70 dB)."""
HOP = SIZE - 2 * MARGIN
_SAMPLED = 32
_TOGETHER = 8  # blocks in one go: a few megabytes, which the allocator hands out again without asking the system


def frequencies(rate: int, device: torch.device) -> Tensor:
    """Frequencies in Hz of the bins of a block's spectrum [SIZE // 2 + 1]."""
    hertz: Tensor = torch.fft.rfftfreq(SIZE, 1 / rate, device=device)
    return hertz


def spectra(audio: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The spectra of sound [c, n] in groups: number of the first block of the group, and [c, blocks, bins].

    What a group covers may be overwritten once it was handed out. Groups of silence are left out: parts rest a lot.
    """
    length = audio.shape[-1]
    count = max(-(-length // HOP), 1)
    before = audio.new_zeros(len(audio), MARGIN)
    for first in range(0, count, _TOGETHER):
        blocks = min(_TOGETHER, count - first)
        begin, end = first * HOP, (first + blocks) * HOP + MARGIN
        stretch = torch.cat([before, audio[:, begin : min(end, length)]], 1)
        stretch = torch.nn.functional.pad(stretch, (0, max(end - length, 0)))
        before = stretch[:, blocks * HOP : blocks * HOP + MARGIN]
        if peak(stretch) > 0:
            yield first, torch.fft.rfft(stretch.unfold(-1, SIZE, HOP))


def sampled(audio: Tensor) -> Iterator[Tensor]:
    """Spectra [c, blocks, bins] of at most `_SAMPLED` stretches of sound [c, n], evenly spread over it: enough to know
    its colour by."""
    length = audio.shape[-1]
    count = max(min(_SAMPLED, -(-length // SIZE)), 1)
    whole = torch.nn.functional.pad(audio, (0, SIZE - length)) if length < SIZE else audio
    starts = torch.linspace(0, whole.shape[-1] - SIZE, count).long().tolist()
    for first in range(0, count, _TOGETHER):
        some = starts[first : first + _TOGETHER]
        yield torch.fft.rfft(torch.stack([whole[:, start : start + SIZE] for start in some], 1))


def power(spectra: Tensor) -> Tensor:
    """Power of every bin of spectra [..., bins], all of them added up. -> [bins]"""
    parts = torch.view_as_real(spectra.contiguous()).square()
    added: Tensor = parts.view(-1, 2 * spectra.shape[-1]).sum(0).view(-1, 2).sum(1)
    return added


def filtered(audio: Tensor, change: Callable[[Tensor], Tensor], into: Tensor | None = None) -> Tensor:
    """Sound [c, n] through `change`, which maps the spectra [c, blocks, bins] of a group of blocks. -> [c, n]

    The filter may look ahead and ring for up to MARGIN samples. The result is new, or `into`: silent, or `audio`.
    """
    length = audio.shape[-1]
    out = torch.zeros_like(audio) if into is None else into
    for first, group in spectra(audio):
        kept = torch.fft.irfft(change(group), n=SIZE)[..., MARGIN : MARGIN + HOP]
        for block in range(kept.shape[1]):
            at = (first + block) * HOP
            out[:, at : at + HOP] = kept[:, block, : length - at]
    return out


def causal(audio: Tensor, response: Tensor, ring: int) -> Tensor:
    """Sound [..., n] through a filter that does not look ahead and rings for at most `ring` samples. -> [..., n]

    `response` [..., size // 2 + 1] fits [..., blocks, bins]: small sizes are cheap, as much of them as is not ring.
    """
    size, length = 2 * (response.shape[-1] - 1), audio.shape[-1]
    hop = size - ring
    padded = torch.nn.functional.pad(audio, (ring, -length % hop))
    spectra = torch.fft.rfft(padded.unfold(-1, size, hop)).mul_(response)
    kept: Tensor = torch.fft.irfft(spectra, n=size)[..., ring:].flatten(-2)[..., :length]
    return kept


def convolved(audio: Tensor, answer: Tensor) -> Tensor:
    """Sound [c, n] through impulse responses [c, m], as long as the sound. -> [c, n]"""
    length, reach = audio.shape[-1], answer.shape[-1]
    size = max(1 << 17, 1 << (2 * reach - 1).bit_length())
    hop = size - reach + 1
    spectrum = torch.fft.rfft(answer, n=size)
    out = torch.empty_like(audio)
    for at in range(0, length, hop):
        begin = at - reach + 1
        stretch = torch.nn.functional.pad(audio[:, max(begin, 0) : at + hop], (max(-begin, 0), 0))
        wet = torch.fft.irfft(torch.fft.rfft(stretch, n=size).mul_(spectrum), n=size)
        kept = min(hop, length - at)
        out[:, at : at + kept] = wet[:, reach - 1 : reach - 1 + kept]
    return out


def pointwise(audio: Tensor, change: Callable[[Tensor], Tensor], into: Tensor | None = None) -> Tensor:
    """Sound [c, n] through a chain of operations on single samples, a stretch at a time: what lies in between stays in
    the cache. The result is new, or `into`, which may be `audio` itself. -> [c, n]"""
    out = torch.empty_like(audio) if into is None else into
    for at in range(0, audio.shape[-1], SIZE):
        out[:, at : at + SIZE] = change(audio[:, at : at + SIZE])
    return out


def sound(audio: Tensor, what: str) -> Tensor:
    """`audio` itself. Raises SoundError, naming what made it, when a sample is not a finite number."""
    if not bool(torch.isfinite(torch.linalg.vector_norm(audio))):
        raise SoundError(f"{what} came out with samples that are no numbers.")
    return audio


def peak(audio: Tensor) -> float:
    """Highest absolute sample; 0 for no sound."""
    if not audio.numel():
        return 0.0
    low, high = torch.aminmax(audio)
    return max(-float(low), float(high))
