"""What a player's volume, expression and pan controllers do to a finished stem, whatever has played it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from generator.render import envelope
from generator.score import AT_REST, Part, Score

_GLIDE_S = 0.02  # from one value to the next: a jump would click


def ride(stem: Tensor, score: Score, part: Part) -> Tensor:
    """Move the faders of a stem [2, n] in place as its part says.

    Volume and expression have the concave curve of General MIDI (40 dB a decade), pan keeps the power.
    """
    for kind in ("volume", "expression"):
        fader = _moved(stem, score, part, kind)
        if fader is not None:
            stem *= envelope.draw((fader / 127.0).square(), stem.shape[1])
    pan = _moved(stem, score, part, "pan")
    if pan is not None:
        angle = ((pan - AT_REST["pan"]) / 63.0).clamp(-1.0, 1.0).add(1.0) * (math.pi / 4)
        stem[0] *= envelope.draw(torch.cos(angle) * math.sqrt(2), stem.shape[1])
        stem[1] *= envelope.draw(torch.sin(angle) * math.sqrt(2), stem.shape[1])
    return stem


def _moved(stem: Tensor, score: Score, part: Part, kind: str) -> Tensor | None:
    """Where a controller stands at control times [T], gliding; None where it is never moved."""
    moves = [(score.seconds_at(control.tick), control.value) for control in part.controls if control.kind == kind]
    if not moves:
        return None
    times = envelope.points(stem.shape[1], stem.device)
    starts = torch.tensor([at for at, _ in moves], device=stem.device, dtype=times.dtype)
    values = torch.tensor([AT_REST[kind], *(value for _, value in moves)], device=stem.device, dtype=times.dtype)
    place = torch.searchsorted(starts, times, right=True)
    began = torch.cat([starts.new_full((1,), -1.0), starts])[place]
    share = ((times - began) / _GLIDE_S).clamp(max=1.0)
    return torch.lerp(values[(place - 1).clamp(min=0)], values[place], share)
