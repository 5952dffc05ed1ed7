"""A look-ahead true-peak limiter and a bus compressor, computed over whole pieces at once.

Both work on gain curves in decibels. An instant attack with a release of constant decibels per second is a
running maximum of (reduction + rate × time), so no loop runs over samples.
"""

from __future__ import annotations

import torch
from torch import Tensor

from generator.measure.loudness import peak_envelope
from generator.render.timing import SAMPLE_RATE

_STEP = 16
_LOOK_STEPS = 6  # 2.2 ms either side
_RELEASE_DB_S = 45.0
_GLUE_STEP = 64


def limit(audio: Tensor, ceiling_db: float, gain_db: float = 0.0, peaks: Tensor | None = None) -> Tensor:
    """Amplify audio [2, n] by `gain_db` and keep its true peak at or below `ceiling_db` dBTP.

    `peaks` may be `envelope_of(audio)` computed before, when several gains are tried.
    """
    envelope = envelope_of(audio) if peaks is None else peaks
    need = (20 * torch.log10(envelope.clamp(min=1e-9)) + gain_db - ceiling_db).clamp(min=0.0)
    if float(need.max()) > 0:
        wide = torch.nn.functional.max_pool1d(need[None, None], 2 * _LOOK_STEPS + 3, 1, _LOOK_STEPS + 1)[0, 0]
        smooth = _smooth(_released(wide, _RELEASE_DB_S * _STEP / SAMPLE_RATE), 2 * _LOOK_STEPS + 1)
        curve = _draw(gain_db - smooth, _STEP, audio.shape[-1])
        return audio * torch.pow(10.0, curve / 20)
    return audio * 10 ** (gain_db / 20)


def envelope_of(audio: Tensor) -> Tensor:
    """True peaks every 16 samples, as `limit` wants them."""
    return peak_envelope(audio, _STEP)


def glue(audio: Tensor, amount: float) -> Tensor:
    """Gentle bus compression, at most about 6 dB: 10 ms level, soft knee, slow attack, 18 dB/s release."""
    length = audio.shape[-1]
    padded = torch.nn.functional.pad(audio, (0, -length % _GLUE_STEP))
    power = padded.view(2, -1, _GLUE_STEP).pow(2).mean((0, 2))
    power = _smooth(power, 7)
    level = 10 * torch.log10(power.clamp(min=1e-10))
    loud = level[level > level.max() - 40]
    threshold = float(loud.median()) - 2.0
    over = level - threshold
    knee = 8.0
    soft = torch.where(over.abs() < knee / 2, (over + knee / 2) ** 2 / (2 * knee), over.clamp(min=0.0))
    slope = 0.25 + 0.5 * amount  # ratios from 1.3 to 4
    reduction = (soft * slope * min(1.0, amount * 2)).clamp(max=6.0)
    held = _released(reduction, 18.0 * _GLUE_STEP / SAMPLE_RATE)
    smooth = torch.roll(_smooth(held, 21), 8)  # centred 12 ms late: the front of a hit passes
    smooth[:8] = smooth[8]
    return audio * torch.pow(10.0, -_draw(smooth, _GLUE_STEP, length) / 20)


def _released(reduction: Tensor, fall: float) -> Tensor:
    """Hold a reduction and let it fall by `fall` dB a step."""
    slope = torch.arange(len(reduction), device=reduction.device, dtype=torch.float64) * fall
    return (torch.cummax(reduction.double() + slope, 0).values - slope).float()


def _smooth(curve: Tensor, width: int) -> Tensor:
    """Average under a Hann window of an odd number of steps, ends held."""
    window = torch.hann_window(width + 2, periodic=False, device=curve.device)[1:-1]
    held = torch.nn.functional.pad(curve[None, None], (width // 2, width // 2), mode="replicate")
    return torch.nn.functional.conv1d(held, (window / window.sum())[None, None])[0, 0]


def _draw(curve: Tensor, step: int, length: int) -> Tensor:
    """Straight lines from points in the middle of each step to samples [length]."""
    held = torch.cat([curve[:1], curve, curve[-1:]])
    ramp = (torch.arange(step, device=curve.device) + 0.5) / step
    lines = held[:-1, None] + held.diff()[:, None] * ramp
    return lines.flatten()[step // 2 : step // 2 + length]
