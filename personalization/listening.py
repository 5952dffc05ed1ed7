"""The process that listens to one sound file: `python -m personalization.listening FILE` prints JSON.

* tempo: autocorrelation of the onset envelope (Ellis 2007), folded into 60 to 180
* key: mean chroma against the profiles of Krumhansl & Kessler (1982)
* brightness: the spectral centroid on a logarithmic scale from 400 Hz (0) to 4 kHz (1)
* energy: loudness and onsets, half each; arousal from tempo, energy and brightness, valence from mode, brightness and
  tempo, as `generator.measure.attributes` weighs them
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from personalization.likeness import LEAST_S, LISTEN_S

RATE_HZ = 22050
MEMORY_BYTES = 4 * 1024**3
_SILENCE_RMS = 1e-4
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def main() -> None:
    _bound_memory()
    json.dump(listen(sys.argv[1]), sys.stdout)


def _bound_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def listen(path: str) -> dict[str, Any]:
    """The fields of a Likeness, or {"error": what is wrong with the file}."""
    import librosa  # noqa: PLC0415 - takes seconds to import
    import numpy as np  # noqa: PLC0415
    import soundfile  # noqa: PLC0415

    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            sound = file.read(int(LISTEN_S * rate), dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.LibsndfileError, OSError):
        return {"error": "is no sound file I can read; send a WAV, FLAC, OGG or MP3 file"}
    if len(sound) < LEAST_S * rate:
        return {"error": f"is too short; send at least {LEAST_S:.0f} seconds"}
    sound = np.nan_to_num(sound)
    level = float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))
    if level < _SILENCE_RMS:
        return {"error": "is silent"}
    y = librosa.resample(sound, orig_sr=rate, target_sr=RATE_HZ)
    envelope = librosa.onset.onset_strength(y=y, sr=RATE_HZ)
    tempo = _folded(float(librosa.feature.tempo(onset_envelope=envelope, sr=RATE_HZ)[0]))
    onsets = len(librosa.onset.onset_detect(onset_envelope=envelope, sr=RATE_HZ)) * 60 * RATE_HZ / len(y)
    centroid = float(np.median(librosa.feature.spectral_centroid(y=y, sr=RATE_HZ)))
    chroma = librosa.feature.chroma_stft(y=librosa.effects.harmonic(y), sr=RATE_HZ).mean(axis=1)
    key, minor = _key([float(value) for value in chroma])
    brightness = _share(math.log(max(centroid, 1.0) / 400) / math.log(10))
    density = _share(onsets / tempo / 4)
    energy = 0.5 * _share((20 * math.log10(level) + 40) / 30) + 0.5 * _share(onsets / 360)
    pace = _share((tempo - 60) / 100)
    return {
        "tempo_bpm": round(tempo, 1), "key": key, "energy": round(energy, 3), "brightness": round(brightness, 3),
        "density": round(density, 3), "heard_s": round(len(y) / RATE_HZ, 1),
        "arousal": round(2 * (0.4 * pace + 0.4 * energy + 0.2 * brightness) - 1, 3),
        "valence": round(0.5 * (1 - 2 * minor) + 0.25 * (2 * brightness - 1) + 0.25 * (2 * pace - 1), 3),
    }  # fmt: skip


def _folded(tempo: float) -> float:
    """Half or double time, so that it lies where people tap."""
    while tempo > 180:
        tempo /= 2
    while 0 < tempo < 60:
        tempo *= 2
    return tempo or 90.0


def _key(chroma: list[float]) -> tuple[str, int]:
    """The likeliest key, and 1 if it is minor."""
    import numpy as np  # noqa: PLC0415 - see above

    scores = {
        (tonic, minor): float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1])
        for minor, profile in ((0, _MAJOR), (1, _MINOR))
        for tonic in range(12)
    }
    tonic, minor = max(scores, key=lambda key: scores[key])
    return f"{_TONICS[tonic]} {'minor' if minor else 'major'}", minor


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


if __name__ == "__main__":
    main()
