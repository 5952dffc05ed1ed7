"""Where ffmpeg is, and running it; a separate process always, so that its licence stays its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from generator.errors import EncodeError


def find_ffmpeg() -> str:
    """The system's ffmpeg, else imageio-ffmpeg's. Raises EncodeError when there is none."""
    if system := shutil.which("ffmpeg"):
        return system
    try:
        import imageio_ffmpeg  # noqa: PLC0415 - only where the system has none

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise EncodeError(
            "No ffmpeg was found; install it (for example “apt install ffmpeg”) or the Python package imageio-ffmpeg."
        ) from error


def convert(source: Path, target: Path, options: Sequence[str]) -> None:
    """One of our own files into another, bit-exact for the same input. Raises EncodeError with ffmpeg's last line."""
    command = [find_ffmpeg(), "-nostdin", "-v", "error", "-y", "-protocol_whitelist", "file,pipe", "-i", str(source)]
    command += [*options, "-threads", "1", "-fflags", "+bitexact", str(target)]
    try:
        subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own ffmpeg, no shell
    except OSError as error:
        raise EncodeError(f"ffmpeg could not be started: {error.strerror or error}.") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
        raise EncodeError(f"ffmpeg could not write {target.name}: {reason[0]}.") from error
