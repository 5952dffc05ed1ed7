"""“Make something like this”: what a sound file is like, in the words of a request.

The file never leaves the machine and is not kept. It is decoded and analysed in a process of its own, with a bound on
time and memory, since decoders meet hostile files there. Only the first minute and a half is heard.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personalization.explain import pace

MAX_BYTES = 64 * 1024**2
LISTEN_S = 90.0
LEAST_S = 5.0
TIMEOUT_S = 120.0


class LikenessError(ValueError):
    """Raised for a file that cannot be likened to; the message is one sentence for the person."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What was heard: tempo in quarter notes a minute, key as a Brief writes it, `energy`, `brightness` and `density`
    from 0 to 1, valence and arousal from -1 to 1, and how much was heard."""

    tempo_bpm: float
    key: str
    energy: float
    brightness: float
    density: float
    valence: float
    arousal: float
    heard_s: float

    def wishes(self) -> dict[str, Any]:
        """Options of a Request that ask for something like it."""
        return {
            "tempo_bpm": self.tempo_bpm, "key": self.key, "mood": (self.valence, self.arousal),
            "brightness": self.brightness, "density": self.density,
        }  # fmt: skip

    @property
    def sentence(self) -> str:
        """What was heard, to show back."""
        light = "bright" if self.brightness > 0.6 else "dark in sound" if self.brightness < 0.4 else "of middling light"
        force = "loud and busy" if self.energy > 0.6 else "quiet" if self.energy < 0.35 else "of middling force"
        return f"{pace(self.tempo_bpm)} ({self.tempo_bpm:.0f} bpm), in {self.key}, {light}, {force}"


async def liken(path: Path) -> Likeness:
    """Analyse a sound file (WAV, FLAC, OGG, MP3).

    Raises:
        LikenessError: it is too large, too short, no sound, silent, or takes too long.
    """
    try:
        size = (await asyncio.to_thread(path.stat)).st_size
    except OSError as error:
        raise LikenessError(f"{path.name} cannot be read: {error.strerror}.") from error
    if size > MAX_BYTES:
        raise LikenessError(f"{path.name} has {size / 1024**2:.0f} MB; send at most {MAX_BYTES // 1024**2} MB.")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "personalization.listening", str(path),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer, _ = await asyncio.wait_for(child.communicate(), TIMEOUT_S)
    except TimeoutError as error:
        raise LikenessError(f"Listening to {path.name} took too long; send a shorter piece.") from error
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):  # it ended this very moment
                child.kill()
            await child.wait()
    return _read(answer, path.name)


def _read(answer: bytes, name: str) -> Likeness:
    try:
        found = json.loads(answer)
    except ValueError as error:  # the decoder crashed or ran out of memory
        raise LikenessError(f"{name} cannot be decoded; send a WAV, FLAC, OGG or MP3 file.") from error
    if "error" in found:
        raise LikenessError(f"{name} {found['error']}.")
    return Likeness(**found)
