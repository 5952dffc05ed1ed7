"""Measure a sound file from outside: ffmpeg's meters and a blind tempo estimate.

Shares no code with `generator.measure`: what that gets wrong would otherwise be wrong here too.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

RATE = 44100
_HOP = 220
_WINDOW = 1024
_BANDS = 32
_SLOWEST, _FASTEST = 35.0, 250.0
# Ratios of the tempo that is heard to the one that was asked for which a listener would call the same music.
_LEVELS = {"duple": (0.25, 0.5, 1.0, 2.0, 4.0), "triple": (1 / 3, 0.5, 2 / 3, 1.0, 1.5, 2.0, 3.0)}

Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """`longest_silence_s` counts stretches under -60 dBFS of at least 0.3 s; the end of the piece counts too."""

    length_s: float
    integrated_lufs: float
    true_peak_dbtp: float
    longest_silence_s: float


@dataclass(frozen=True, slots=True)
class Pulse:
    """The strongest pulse between 35 and 250 bpm; `strength` is its mean autocorrelation, about 0 … 1."""

    bpm: float
    strength: float

    def off(self, asked_bpm: float, beats_per_bar: int) -> float:
        """Signed deviation from the asked tempo at the nearest metrical level, as a share."""
        levels = _LEVELS["triple" if beats_per_bar % 3 == 0 else "duple"]
        return min((self.bpm / (asked_bpm * level) - 1 for level in levels), key=abs)


def decode(path: Path) -> Audio:
    """Samples [n, 2] at 44.1 kHz."""
    command = [_ffmpeg(), "-v", "error", "-nostdin", "-i", str(path), "-map", "0:a:0"]
    command += ["-f", "f32le", "-ac", "2", "-ar", str(RATE), "-"]
    done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 -- ffmpeg, no shell
    return np.frombuffer(done.stdout, "<f4").reshape(-1, 2)


def hear(path: Path) -> Heard:
    """Loudness and true peak by ebur128, silence by silencedetect, length by counting samples."""
    filters = "ebur128=peak=true,silencedetect=n=-60dB:d=0.3"
    command = [_ffmpeg(), "-hide_banner", "-nostats", "-nostdin", "-i", str(path), "-map", "0:a:0"]
    command += ["-af", filters, "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 -- ffmpeg, no shell
    summary = done.stderr[done.stderr.rindex("Summary:") :]
    silences = [float(value) for value in re.findall(r"silence_duration: ([\d.]+)", done.stderr)]
    return Heard(
        length_s=len(decode(path)) / RATE,
        integrated_lufs=_figure(r"I:\s+(-?[\d.]+) LUFS", summary),
        true_peak_dbtp=_figure(r"Peak:\s+(-?[\d.]+) dBFS", summary),
        longest_silence_s=max(silences, default=0.0),
    )


def pulse(audio: Audio) -> Pulse:
    """Blind: the comb of autocorrelation peaks of the spectral flux, with a listener's leaning to about 110 bpm."""
    flux, frames_per_s = _flux(audio)
    size = 1 << (2 * len(flux) - 1).bit_length()
    power = np.abs(np.fft.rfft(flux, size)) ** 2
    correlation = np.fft.irfft(power, size)[: len(flux)]
    correlation /= np.arange(len(flux), 0, -1) * max(correlation[0] / len(flux), 1e-12)

    def salience(bpm: NDArray[np.float64], teeth: int) -> NDArray[np.float64]:
        lags = 60.0 / bpm[:, None] * np.arange(1, teeth + 1) * frames_per_s
        inside = lags < 0.6 * len(flux)
        values = np.interp(lags, np.arange(len(flux)), correlation)
        mean: NDArray[np.float64] = (values * inside).sum(1) / inside.sum(1).clip(min=1)
        return mean

    coarse = np.geomspace(_SLOWEST, _FASTEST, 1200)
    leaning = np.exp(-0.5 * (np.log2(coarse / 110.0) / 1.0) ** 2)
    found = coarse[int(np.argmax(salience(coarse, 4).clip(min=0.0) * leaning))]
    fine = found * np.linspace(0.985, 1.015, 241)
    values = salience(fine, 24)
    return Pulse(float(fine[int(np.argmax(values))]), float(values.max()))


def residual_db(parts: list[Path], whole: Audio) -> float:
    """What is left when the sum of sound files is taken from `whole` [n, 2], against `whole`, in dB."""
    total = np.zeros(whole.shape, dtype=np.float64)
    for part in parts:
        sound = decode(part)
        total[: len(sound)] += sound[: len(whole)]
    left = float(np.sqrt(np.mean((total - whole) ** 2)))
    level = float(np.sqrt(np.mean(np.square(whole, dtype=np.float64))))
    return float(20 * np.log10(max(left, 1e-12) / max(level, 1e-12)))


def _flux(audio: Audio) -> tuple[NDArray[np.float64], float]:
    """Rise of the log spectrum in logarithmic bands, its slow part taken off [frames], and frames per second."""
    mono = audio.mean(1, dtype=np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(mono, _WINDOW)[::_HOP]
    spectrum = np.concatenate([
        np.abs(np.fft.rfft(frames[start : start + 2048] * np.hanning(_WINDOW))) for start in range(0, len(frames), 2048)
    ])  # fmt: skip
    edges = np.unique(np.geomspace(1, _WINDOW // 2, _BANDS).astype(int))
    bands = np.log1p(100.0 * np.add.reduceat(spectrum, edges, axis=1) / max(float(spectrum.mean()) * 50, 1e-9))
    rise = np.diff(bands, axis=0).clip(min=0.0).sum(1)
    width = 2 * int(0.75 * RATE / _HOP) + 1
    slow = np.convolve(rise, np.ones(width) / width, mode="same")
    flux = (rise - slow).clip(min=0.0)
    return flux - flux.mean(), RATE / _HOP


def _figure(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    return float(match.group(1)) if match else float("nan")


def _ffmpeg() -> str:
    return str(imageio_ffmpeg.get_ffmpeg_exe())
