"""Everything that is measured on a finished piece, against what was asked for: numbers and gates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from generator import hands
from generator.brief import Brief, Key
from generator.measure.loudness import Loudness, measure_loudness
from generator.measure.pitch import chroma_rotation, harmonic_tempo, key_of, related
from generator.measure.spectrum import spectral_balance
from generator.measure.tempo import Tempo, aligned_tempo, measure_tempo
from generator.score import Score

TARGET_LUFS = -14.0
LOUDNESS_TOLERANCE_LU = 0.5
CEILING_DBTP = -1.0
TEMPO_TOLERANCE = 0.02
_SILENCE_DB = -60.0
_AUDIBLE_LUFS = -60.0
_PULSE_CLARITY = 3.0
_ONSET_CLARITY = 1.2


@dataclass(frozen=True, slots=True)
class Measured:
    """What the finished audio measures; `gates` say what passed, `parts` which parts are heard.

    `bands_db` is the energy of each band against all of them, `part_lufs` the loudness of each stem in the mix.
    """

    tempo_bpm: float
    key: str
    length_s: float
    integrated_lufs: float
    true_peak_dbtp: float
    lra: float
    parts: tuple[str, ...]
    tempo_clarity: float
    tempo_source: str
    dc: float
    longest_silence_s: float
    chroma_rotation: int
    chroma_correlation: float
    correlation: float
    clipped: int
    end_level_db: float
    bands_db: dict[str, float]
    part_lufs: dict[str, float]
    silent_parts: tuple[str, ...]
    gates: dict[str, bool]

    @property
    def verified(self) -> bool:
        return all(self.gates.values())

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the gates that did not pass."""
        return tuple(name for name, passed in self.gates.items() if not passed)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, the contract's keys first, rounded to what the measurement resolves."""
        return {
            "tempo_bpm": round(self.tempo_bpm, 2),
            "key": self.key,
            "length_s": round(self.length_s, 2),
            "integrated_lufs": round(self.integrated_lufs, 2),
            "true_peak_dbtp": round(self.true_peak_dbtp, 2),
            "lra": round(self.lra, 2),
            "parts": list(self.parts),
            "tempo_clarity": round(self.tempo_clarity, 2),
            "tempo_source": self.tempo_source,
            "dc": round(self.dc, 6),
            "longest_silence_s": round(self.longest_silence_s, 2),
            "chroma_rotation": self.chroma_rotation,
            "chroma_correlation": round(self.chroma_correlation, 3),
            "correlation": round(self.correlation, 3),
            "clipped": self.clipped,
            "end_level_db": round(self.end_level_db, 1),
            "bands_db": {name: round(level, 1) for name, level in self.bands_db.items()},
            "part_lufs": {name: round(level, 1) for name, level in self.part_lufs.items()},
            "silent_parts": list(self.silent_parts),
            "gates": dict(self.gates),
            "verified": self.verified,
        }


def measure(
    audio: Tensor,
    rate: int,
    score: Score,
    brief: Brief,
    part_lufs: Mapping[str, float],
    *,
    target_lufs: float = TARGET_LUFS,
    loudness: Loudness | None = None,
) -> Measured:
    """Measure decoded audio [2, n]. `part_lufs` are the levels of the mixed stems by part name, for who is heard;
    `loudness` is the audio's, where it has been measured before.

    The tempo gate holds the audio to the score's first tempo, at the level that was asked for.
    The key gate reads the notes and accepts the relative key.
    """
    audio = audio.cpu()
    (tempo, source), (rotation, bands_db) = hands.both(
        lambda: _tempo(audio, rate, score),
        lambda: (chroma_rotation(audio, rate, score), spectral_balance(audio, rate)),
        audio.device,
    )
    loudness = loudness or measure_loudness(audio, rate)
    heard = {name for name, level in part_lufs.items() if level > _AUDIBLE_LUFS}
    written = [part.name for part in score.parts if part.notes]
    measured = Measured(
        tempo_bpm=tempo.bpm,
        key=str(key_of(score)),
        length_s=audio.shape[-1] / rate,
        integrated_lufs=loudness.integrated_lufs,
        true_peak_dbtp=loudness.true_peak_dbtp,
        lra=loudness.range_lu,
        parts=tuple(name for name in written if name in heard),
        silent_parts=tuple(name for name in written if name not in heard),
        tempo_clarity=tempo.clarity,
        tempo_source=source,
        dc=float(audio.mean(-1, dtype=torch.float64).abs().max()),
        longest_silence_s=longest_silence(audio, rate),
        chroma_rotation=rotation.semitones,
        chroma_correlation=rotation.correlation,
        correlation=channel_correlation(audio),
        clipped=int((audio >= 0.9999).sum() + (audio <= -0.9999).sum()),
        end_level_db=_level_db(audio[:, -rate // 20 :]),
        bands_db=bands_db,
        part_lufs=dict(part_lufs),
        gates={},
    )
    return replace(measured, gates=_gates(measured, score, brief, target_lufs))


def _tempo(audio: Tensor, rate: int, score: Score) -> tuple[Tempo, str]:
    """The tempo of the pulse; where none stands out, that of the written onsets, and for pads that of the harmony."""
    pulse = measure_tempo(audio, rate, score.tempo_bpm, score.meter.beats)
    if pulse.clarity >= _PULSE_CLARITY:
        return pulse, "pulse"
    loudest: dict[float, float] = {}
    for part in score.parts:
        for note in part.notes if part.role != "texture" else ():
            at = round(score.seconds_at(note.onset + note.micro), 3)
            loudest[at] = max(loudest.get(at, 0.0), note.velocity / 127.0)
    onsets = aligned_tempo(audio, rate, list(loudest), list(loudest.values()), score.tempo_bpm)
    if onsets.clarity >= _ONSET_CLARITY or not score.pitched:
        return onsets, "onsets"
    bpm, _ = harmonic_tempo(audio, rate, score)
    return Tempo(bpm, pulse.clarity), "harmony"


def _gates(measured: Measured, score: Score, brief: Brief, target_lufs: float) -> dict[str, bool]:
    return {
        "loudness": abs(measured.integrated_lufs - target_lufs) <= LOUDNESS_TOLERANCE_LU,
        "true_peak": measured.true_peak_dbtp <= CEILING_DBTP,
        "tempo": abs(measured.tempo_bpm / score.tempo_bpm - 1) <= TEMPO_TOLERANCE,
        "key": related(Key.parse(measured.key), Key.parse(brief.key)),
        "pitches": measured.chroma_rotation == 0,
        "length": abs(measured.length_s - brief.length_s) <= max(6.0, 0.1 * brief.length_s),
        "dc": measured.dc < 1e-3,
        "clipping": measured.clipped == 0,
        "stereo": measured.correlation > 0.2,
        "silence": measured.longest_silence_s <= 2.0,
        "ending": brief.loop or measured.end_level_db < -40.0,
        "parts": not measured.silent_parts,
    }


def longest_silence(audio: Tensor, rate: int) -> float:
    """Longest stretch below -60 dBFS in seconds, to 20 ms."""
    block = rate // 50
    count = audio.shape[-1] // block
    if count == 0:
        return 0.0
    stretches = audio[:, : count * block].view(len(audio), count, block)
    highest = torch.maximum(stretches.amax((0, 2)), -stretches.amin((0, 2)))
    quiet = highest < 10 ** (_SILENCE_DB / 20)
    longest = run = 0
    for is_quiet in quiet.tolist():
        run = run + 1 if is_quiet else 0
        longest = max(longest, run)
    return longest * block / rate


def channel_correlation(audio: Tensor) -> float:
    """Correlation of left and right, 1 for mono; 1 for silence."""
    left, right = audio[0], audio[1]
    power = float(torch.linalg.vector_norm(left)) * float(torch.linalg.vector_norm(right))
    return float(torch.dot(left, right)) / power if power > 1e-9 else 1.0


def _level_db(audio: Tensor) -> float:
    power = float(audio.double().pow(2).mean()) if audio.numel() else 0.0
    return 10 * math.log10(max(power, 1e-12))
