"""Opens a Debian package without dpkg: an `ar` archive with a compressed tar inside. Knows nothing of soundfonts."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import BinaryIO

from generator.errors import SoundError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_BLOCK = 1 << 20


def copy_member(package: Path, ending: str, target: BinaryIO, limit: int) -> None:
    """Copy the first file whose path ends with `ending` from a package into `target`.

    Raises SoundError when the file is no such package, lacks the file, or the file is larger than `limit` bytes.
    """
    try:
        with package.open("rb") as file:
            _seek_data(file)
            with tarfile.open(fileobj=file, mode="r|*") as archive:
                for member in archive:
                    if member.isfile() and member.name.endswith(ending):
                        _copy(archive, member, target, limit)
                        return
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise SoundError(f"The package {package.name} cannot be opened: {error}.") from error
    raise SoundError(f"The package {package.name} does not contain {ending}.")


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: BinaryIO, limit: int) -> None:
    source = archive.extractfile(member)
    if source is None or member.size > limit:
        raise SoundError(f"The file {member.name} in the package is not what was expected.")
    while block := source.read(_BLOCK):
        target.write(block)


def _seek_data(file: BinaryIO) -> None:
    """Go to the first byte of the package's data archive."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it is not a Debian package")
    while len(header := file.read(_HEADER)) == _HEADER:
        if header[58:60] != b"`\n":
            raise ValueError("it is damaged")
        if header[:16].startswith(b"data.tar"):
            return
        size = int(header[48:58])
        file.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError("it has no data")
