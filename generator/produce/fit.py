"""Making a finished MP3 small enough for where it goes: a lower bitrate, then Opus, then a preview of its beginning.

Loads no torch, so that a chat front can use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from generator.errors import EncodeError
from generator.produce.ffmpeg import convert
from generator.produce.files import whole_file

_MP3_KBPS = (160, 128, 112, 96)  # below 96 kbit/s Opus sounds better at the same size
_OPUS_KBPS = (80, 64, 48)
_PREVIEW_KBPS = 96
_PREVIEW_S = (10, 90)  # a shorter one says nothing of a piece, a longer one is no preview
_FADE_S = 3
_ROOM = 0.95  # of the limit: container, tags and the picture take the rest


@dataclass(frozen=True, slots=True)
class Fit:
    """One way to make a piece smaller. `preview_s` is how much of its beginning is kept; None for all of it."""

    codec: str
    bitrate_kbps: int
    preview_s: int | None = None

    @property
    def sentence(self) -> str:
        """What a listener is told."""
        if self.preview_s is not None:
            return f"A preview, the first {self.preview_s} seconds: the whole piece is too large for this place."
        name = "MP3" if self.codec == "mp3" else "Opus"
        return f"{name} at {self.bitrate_kbps} kbit/s, so that it fits this place."


def choices(length_s: float, limit_bytes: int) -> Iterator[Fit]:
    """What should fit the limit, best first."""
    kept_bytes = limit_bytes * _ROOM
    for codec, rates in (("mp3", _MP3_KBPS), ("opus", _OPUS_KBPS)):
        for kbps in rates:
            if kbps * 125 * length_s <= kept_bytes:
                yield Fit(codec, kbps)
    seconds = min(int(kept_bytes / (_PREVIEW_KBPS * 125)), _PREVIEW_S[1])
    if _PREVIEW_S[0] <= seconds < length_s:
        yield Fit("mp3", _PREVIEW_KBPS, seconds)


def fit(mp3: Path, length_s: float, limit_bytes: int) -> tuple[Path, Fit | None]:
    """`mp3` itself and None if it fits, else the best smaller file beside it and how it was made.

    Raises EncodeError when not even a preview fits, or ffmpeg fails; nothing half-written is left.
    """
    if _bytes(mp3) <= limit_bytes:
        return mp3, None
    for choice in choices(length_s, limit_bytes):
        smaller = mp3.with_name(_name(mp3.stem, choice))
        if not smaller.exists():
            with whole_file(smaller) as place:
                convert(mp3, place, _options(choice))
        if _bytes(smaller) <= limit_bytes:
            return smaller, choice
        smaller.unlink()  # the picture in it was larger than the room left for it
    raise EncodeError(f"The piece is larger than this place takes ({limit_bytes / 2**20:.1f} MiB).")


def _name(stem: str, choice: Fit) -> str:
    start = "" if choice.preview_s is None else f"-first-{choice.preview_s}s"
    return f"{stem}{start}-{choice.bitrate_kbps}k.{'mp3' if choice.codec == 'mp3' else 'ogg'}"


def _options(choice: Fit) -> list[str]:
    rate = ["-b:a", f"{choice.bitrate_kbps}k"]
    if choice.preview_s is not None:
        fade = f"afade=t=out:st={choice.preview_s - _FADE_S}:d={_FADE_S}"
        return ["-map", "0:a", "-t", str(choice.preview_s), "-af", fade, "-c:a", "libmp3lame", *rate]
    if choice.codec == "opus":
        return ["-map", "0:a", "-c:a", "libopus", *rate]
    return ["-map", "0", "-c:v", "copy", "-c:a", "libmp3lame", *rate]


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
