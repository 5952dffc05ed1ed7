"""The last step to a listener: a file that measures right after it is decoded again.

Lossy coding moves loudness and peaks; so the file is decoded, measured, corrected and coded again, at most twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from generator.measure.loudness import SILENCE_LUFS, Loudness, integrated_lufs, measure_loudness
from generator.produce.encode import decode, encode_mp3
from generator.produce.formats import encode_as
from generator.produce.master import CODEC_LOSS_LU, to_target
from generator.produce.settings import Master
from generator.produce.tags import Tags
from generator.render.timing import SAMPLE_RATE

_ROUNDS = 3
_CLOSE_LU = 0.3
_METER_DB = 0.12  # other meters interpolate otherwise and read a peak that much higher


@dataclass(frozen=True, slots=True)
class DeliveredAudio:
    """The decoded file as a listener hears it, [2, n] at `rate`, and what it measures."""

    audio: Tensor
    rate: int
    loudness: Loudness
    rounds: int


def deliver_mp3(audio: Tensor, path: Path, tags: Tags, cover: Path | None, settings: Master) -> DeliveredAudio:
    """Encode a mastered piece [2, n] so that the decoded file meets target and ceiling. Raises EncodeError."""
    return _deliver(audio, audio, path, settings, CODEC_LOSS_LU, lambda sound: encode_mp3(sound, path, tags, cover))


def deliver_as(
    kind: str, audio: Tensor, path: Path, tags: Tags, cover: Path | None, settings: Master
) -> DeliveredAudio:  # fmt: skip
    """The same in another of `formats.FORMATS`; these take no loudness away. Raises EncodeError."""
    if integrated_lufs(audio, SAMPLE_RATE) <= SILENCE_LUFS:
        sound = audio
    else:
        sound = to_target(audio, settings.target_lufs, settings.ceiling_dbtp - settings.codec_db)
    return _deliver(audio, sound, path, settings, 0.0, lambda heard: encode_as(kind, heard, path, tags, cover))


def _deliver(
    audio: Tensor, first: Tensor, path: Path, settings: Master, loss_lu: float, encode: Callable[[Tensor], None]
) -> DeliveredAudio:
    """Encode `first`, and while what is decoded again is off, `audio` with the gain and ceiling that make up for it."""
    sound = first
    target, ceiling = settings.target_lufs + loss_lu, settings.ceiling_dbtp - settings.codec_db
    for rounds in range(1, _ROUNDS + 1):
        encode(sound)
        heard, rate = decode(path)
        loudness = measure_loudness(heard, rate)
        over = loudness.true_peak_dbtp - (settings.ceiling_dbtp - _METER_DB)
        off = settings.target_lufs - loudness.integrated_lufs
        if (over <= 0 and abs(off) <= _CLOSE_LU) or rounds == _ROUNDS or loudness.integrated_lufs < -100:
            break
        target += off
        if over > 0:
            ceiling -= over + 0.1 * rounds**2  # coding answers a lower ceiling with other peaks; the last try must hold
        sound = to_target(audio, target, ceiling)
    return DeliveredAudio(heard, rate, loudness, rounds)
