"""Pieces one after the other without a gap, cross-faded with equal power: 48 kHz, 16 bit, stereo, 20 ms a frame.

`read` is called by the one thread that plays; `follow` and `close`, which touch files too, by another that may wait.
The rest never waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from generator.produce.ffmpeg import convert

RATE, CHANNELS = 48_000, 2
FRAME_S = 0.02
SAMPLES = int(RATE * FRAME_S)  # of each channel in a frame
FRAME_BYTES = SAMPLES * CHANNELS * 2
SILENCE = bytes(FRAME_BYTES)
FADE_S = 4.0
SKIP_S = 1.5  # of a fade that somebody asked for


def decode(audio: Path, target: Path) -> None:
    """An audio file as plain samples that `Mixer` can read. Blocks; raises EncodeError."""
    convert(audio, target, ["-f", "s16le", "-ar", str(RATE), "-ac", str(CHANNELS)])


@dataclass(slots=True)
class _Reel:
    """One piece being read."""

    track_id: str
    file: BinaryIO
    left: int  # frames

    @classmethod
    def open(cls, track_id: str, path: Path) -> _Reel:
        frames = max(1, -(-path.stat().st_size // FRAME_BYTES))
        return cls(track_id, path.open("rb"), frames)

    def frame(self) -> bytes:
        self.left -= 1
        return self.file.read(FRAME_BYTES).ljust(FRAME_BYTES, b"\0")


@dataclass(slots=True)
class _Fade:
    """From what plays to `to`, or to silence; `at` of `frames` are done."""

    to: _Reel | None
    frames: int
    at: int = 0


@dataclass(slots=True)
class Mixer:
    """Plays what follows; silence while nothing does. `changed` is told of a piece that begins, in the playing thread.

    `fade_s` is the length of a cross-fade in seconds.
    """

    fade_s: float = FADE_S
    changed: Callable[[str], None] = lambda _track_id: None
    _now: _Reel | None = None
    _next: _Reel | None = None
    _fade: _Fade | None = None
    _skip: bool = False
    _closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, track_id: str, path: Path) -> None:
        """Play this after what plays now; it takes the place of what was to follow. Raises OSError."""
        reel = _Reel.open(track_id, path)
        with self._lock:
            dropped, self._next = (reel, None) if self._closed else (self._next, reel)
        if dropped is not None:
            dropped.file.close()

    def skip(self) -> None:
        """Leave what plays now: for what follows if that is there, else for silence."""
        self._skip = True

    @property
    def waiting(self) -> str | None:
        """The piece that follows, if it is there."""
        following = self._next
        return None if following is None else following.track_id

    @property
    def left_s(self) -> float:
        """How long what plays now (or fades in) still lasts."""
        fade, now = self._fade, self._now
        reel = now if fade is None else fade.to
        return 0.0 if reel is None else max(0, reel.left) * FRAME_S

    def read(self) -> bytes:
        """The next 20 ms."""
        begun: str | None = None
        with self._lock:
            if self._now is None:
                self._now, self._next = self._next, None
                self._skip = False
                begun = None if self._now is None else self._now.track_id
            elif self._fade is None:
                begun = self._turn()
            frame = self._frame()
        if begun is not None:
            self.changed(begun)
        return frame

    def close(self) -> None:
        """Silence from now on, also for what would still follow."""
        with self._lock:
            self._closed = True
            for reel in (self._now, self._next, self._fade.to if self._fade else None):
                if reel is not None:
                    reel.file.close()
            self._now = self._next = self._fade = None

    def _turn(self) -> str | None:
        """Begin a fade when it is time; the piece that begins with it."""
        fade = int((SKIP_S if self._skip else self.fade_s) / FRAME_S)
        if self._now is None or not (self._skip or (self._next is not None and self._now.left <= fade)):
            return None
        longest = fade if self._next is None else min(fade, self._next.left // 2)
        self._fade = _Fade(self._next, max(1, min(longest, self._now.left)))
        self._next, self._skip = None, False
        return None if self._fade.to is None else self._fade.to.track_id

    def _frame(self) -> bytes:
        if self._now is None:
            return SILENCE
        frame = self._now.frame()
        if self._fade is not None:
            frame = _crossed(frame, self._fade)
            self._fade.at += 1
            if self._fade.at >= self._fade.frames:
                self._now.file.close()
                self._now, self._fade = self._fade.to, None
        elif self._now.left <= 0:
            self._now.file.close()
            self._now = None
        return frame


def _crossed(frame: bytes, fade: _Fade) -> bytes:
    """cos² + sin² = 1: two pieces that know nothing of each other stay as loud as one."""
    angle = (fade.at + np.arange(SAMPLES) / SAMPLES) / fade.frames * (np.pi / 2)
    mixed = _samples(frame) * np.cos(angle)[:, None]
    if fade.to is not None:
        mixed += _samples(fade.to.frame()) * np.sin(angle)[:, None]
    return np.clip(np.round(mixed), -32768, 32767).astype("<i2").tobytes()


def _samples(frame: bytes) -> NDArray[np.float64]:
    return np.frombuffer(frame, "<i2").reshape(SAMPLES, CHANNELS).astype(np.float64)
