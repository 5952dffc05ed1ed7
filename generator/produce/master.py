"""From a mix to a finished sound: clean low end, tonal balance, glue, soft clip, loudness, true-peak ceiling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from generator import blocks, hands
from generator.measure.loudness import SILENCE_LUFS, gated_lufs, nearly_lufs, weighted_power
from generator.produce import bands, effects
from generator.produce.dynamics import apply_gain, compress, glue
from generator.produce.limiter import STEP, envelope_of, gain_curve
from generator.produce.settings import Master
from generator.render.timing import SAMPLE_RATE

CODEC_LOSS_LU = 0.26
"""Loudness that LAME takes away at 192 kbit/s; the same within 0.02 LU on quiet, dense and percussive pieces."""

_MATCH_LIMIT_DB = 4.0
_MATCH_STRENGTH = 0.5
_SLOPE_DB_PER_OCTAVE = -4.5  # the long-term spectrum of finished records above 100 Hz
_MAX_GAIN_DB = 40.0
_TRIES, _MORE_DB = 7, 1.5  # gains that are tried for a loudness; they rise by less in most pieces
_INNER_LUFS = -18.0  # loudness at which the soft clip works
_POWER_STEPS_PER_S = 900  # 49 samples: a limiter's gain hardly moves within


def master(bus: Tensor, settings: Master, into: Tensor | None = None) -> Tensor:
    """Finish a mix [2, n] so that it has the target loudness and room under the ceiling once it is an MP3.

    The result is new, or `into`, which may be the mix itself. Silence comes back unchanged.
    Raises SoundError for samples that are no numbers: they would measure as silence.
    """
    blocks.sound(bus, "The mix")
    sound = _balance(bus, settings.tilt_db, torch.zeros_like(bus) if into is None else into)
    if settings.glue > 0:
        compress(sound, glue(settings.glue))
    loudness = nearly_lufs(sound, SAMPLE_RATE)
    if loudness <= SILENCE_LUFS:
        return bus
    sound *= 10 ** ((_INNER_LUFS - loudness) / 20)
    if settings.drive > 0:
        sound = _soft_clip(sound, settings.drive)
    to_target(sound, settings.target_lufs + CODEC_LOSS_LU, settings.ceiling_dbtp - settings.codec_db, into=sound)
    return blocks.sound(sound, "The master")


def to_target(sound: Tensor, lufs: float, ceiling_db: float, into: Tensor | None = None) -> Tensor:
    """Amplify and limit until the limited sound measures `lufs` (to 0.05 LU where the limiter allows).

    The result is new, or `into`, which may be `sound` itself.

    The limiter's gain moves slowly against the weighting of the loudness, so what it does to the loudness is known
    from the weighted power before it, and only the last of several tries is computed on the sound.
    """
    power = weighted_power(sound, SAMPLE_RATE, _POWER_STEPS_PER_S)
    gain_db = min(lufs - gated_lufs(_tenths(power)), _MAX_GAIN_DB)
    seen_db = -math.inf  # the gain up to which the peaks have been looked at closely
    for _ in range(_TRIES):
        if gain_db > seen_db:
            seen_db = gain_db + _MORE_DB
            peaks = envelope_of(sound, above=10 ** ((ceiling_db - seen_db) / 20))
        curve = gain_curve(peaks, ceiling_db, gain_db)
        short = lufs - gated_lufs(_tenths(power * _at_power(curve, len(power))))
        if abs(short) < 0.02:
            break
        gain_db = min(gain_db + 1.15 * short, _MAX_GAIN_DB)
    limited = sound.clone() if into is None else into
    apply_gain(limited, curve, STEP, sound.shape[-1])
    return limited


def _at_power(curve_db: Tensor, steps: int) -> Tensor:
    """A limiter's curve as factors of the power steps."""
    width = SAMPLE_RATE // _POWER_STEPS_PER_S
    place = ((torch.arange(steps, device=curve_db.device) + 0.5) * (width / STEP)).long().clamp(max=len(curve_db) - 1)
    return torch.pow(10.0, curve_db.double() / 10)[place]


def _tenths(power: Tensor) -> Tensor:
    """Fine power steps gathered to tenths of a second, the last one filled up with silence."""
    each = _POWER_STEPS_PER_S // 10
    filled = torch.nn.functional.pad(power, (0, -len(power) % each))
    return filled.view(-1, each).mean(1)


def _balance(bus: Tensor, tilt_db: float, out: Tensor) -> Tensor:
    """High-pass at 25 Hz, no offset, tilt, and half of what would bring the spectrum to a record's."""
    hertz = blocks.frequencies(SAMPLE_RATE, bus.device)
    octaves = torch.log2(hertz.clamp(100.0, 10000.0) / 1000.0)
    tilt = torch.pow(10.0, tilt_db * octaves / math.log2(100.0) / 20)
    response = effects.highpass(hertz, 25.0) * tilt * bands.response(_match(bus, hertz), hertz)

    def side(at: slice) -> None:
        blocks.filtered(bus[at], lambda spectra: spectra.mul_(response), into=out[at])

    hands.each(side, (slice(1), slice(1, 2)), bus.device)
    return out


def _match(bus: Tensor, hertz: Tensor) -> Tensor:
    """Bounded correction in dB of every third octave."""
    power = torch.zeros(len(hertz), dtype=torch.float64, device=hertz.device)
    for spectra in blocks.sampled(bus):
        power += blocks.power(spectra)
    band = bands.levels(power, hertz)
    # Third-octave bands of a spectrum falling s dB an octave per bin fall s + 3 dB an octave per band.
    wanted = (_SLOPE_DB_PER_OCTAVE + 3.0) * torch.log2(bands.centres(hertz.device) / 1000.0)
    off = wanted - band
    off = (off - off.median()) * _MATCH_STRENGTH
    # What a piece does not have (no bass, no cymbals) cannot be equalised into being.
    off = torch.where(band < band.max() - 45, 0.0, off).clamp(-_MATCH_LIMIT_DB, _MATCH_LIMIT_DB)
    return bands.smoothed(off)


def _soft_clip(sound: Tensor, drive: float) -> Tensor:
    """Round off in place what rises above -6 … -2 dBFS of a sound at -18 LUFS; quieter samples stay as they are."""
    knee = 0.8 - 0.35 * drive
    room = 1 - knee

    def rounded(some: Tensor) -> Tensor:
        within = some.clamp(-knee, knee)
        return torch.tanh((some - within).div_(room)).mul_(room).add_(within)

    return blocks.pointwise(sound, rounded, into=sound)
