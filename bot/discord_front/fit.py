"""Making an MP3 small enough for where it goes, by a lower bitrate; quality is kept while it fits."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import imageio_ffmpeg

from bot.errors import FrontError

_BITRATES_KBPS = (160, 128, 112, 96, 80, 64)
_ROOM = 0.95  # tags and the picture inside


async def fitting_mp3(mp3: Path, length_s: float, limit_bytes: int) -> Path:
    """`mp3` itself if it fits, else a smaller one beside it.

    Raises FrontError when even the lowest bitrate is too large.
    """
    if _bytes(mp3) <= limit_bytes:
        return mp3
    possible = [rate for rate in _BITRATES_KBPS if rate * 125 * length_s <= limit_bytes * _ROOM]
    if not possible:
        raise FrontError(f"The piece is larger than this place takes ({limit_bytes / 2**20:.0f} MiB).")
    smaller = mp3.with_name(f"track-{possible[0]}k.mp3")
    if _bytes(smaller) == 0:
        await _encode(mp3, smaller, possible[0])
    if _bytes(smaller) > limit_bytes:
        raise FrontError(f"The piece is larger than this place takes ({limit_bytes / 2**20:.0f} MiB).")
    return smaller


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _encode(source: Path, target: Path, kbps: int) -> None:
    draft = target.with_suffix(".draft.mp3")
    process = await asyncio.create_subprocess_exec(
        shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe(),
        *("-nostdin", "-loglevel", "error", "-y", "-protocol_whitelist", "file,pipe", "-f", "mp3"),
        *("-i", str(source), "-map", "0", "-c:v", "copy", "-c:a", "libmp3lame", "-b:a", f"{kbps}k"),
        str(draft),
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    if process.returncode != 0:
        reason = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
        raise FrontError(f"The piece could not be made smaller: {reason[0]}.")
    draft.replace(target)
