"""A look-ahead true-peak limiter, computed over whole pieces at once.

It works on a gain curve in decibels at a control rate; see `dynamics` for how its release is computed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from generator.measure.loudness import peak_envelope
from generator.produce.dynamics import apply_gain, released, smooth
from generator.render.timing import SAMPLE_RATE

STEP = 16
_LOOK_STEPS = 6  # 2.2 ms either side
_RELEASE_DB_S = 45.0


def limit(audio: Tensor, ceiling_db: float, gain_db: float = 0.0, peaks: Tensor | None = None) -> Tensor:
    """Amplify audio [2, n] by `gain_db` and keep its true peak at or below `ceiling_db` dBTP.

    `peaks` may be `envelope_of(audio)` computed before, when several gains are tried.
    """
    curve = gain_curve(envelope_of(audio) if peaks is None else peaks, ceiling_db, gain_db)
    limited = audio.clone()
    apply_gain(limited, curve, STEP, audio.shape[-1])
    return limited


def gain_curve(peaks: Tensor, ceiling_db: float, gain_db: float) -> Tensor:
    """The gain in dB, a point for every 16 samples, that `limit` applies."""
    need = (20 * torch.log10(peaks.clamp(min=1e-9)) + gain_db - ceiling_db).clamp(min=0.0)
    wide = torch.nn.functional.max_pool1d(need[None, None], 2 * _LOOK_STEPS + 3, 1, _LOOK_STEPS + 1)[0, 0]
    return gain_db - smooth(released(wide, _RELEASE_DB_S * STEP / SAMPLE_RATE), 2 * _LOOK_STEPS + 1)


def envelope_of(audio: Tensor, *, above: float = 0.0) -> Tensor:
    """True peaks every 16 samples, as `limit` wants them; exact where they exceed `above`."""
    return peak_envelope(audio, STEP, above=above)
