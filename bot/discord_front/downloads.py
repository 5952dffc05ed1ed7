"""Files of a piece as a chat can take them: one archive of stems, or the stems one by one, never more than fits."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

_HEADERS = 512  # bytes of an archive beside its members, for each of them
MOST_FILES = 10  # of one message


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent, and the names of what is too large for this place."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...] = ()


def pack_stems(stems: list[Path], target: Path, limit_bytes: int) -> Parcel:
    """All stems in the archive `target` if that fits, else those that fit by themselves, at most ten.

    FLAC does not shrink, so the archive only holds things together.
    """
    sizes = {stem: stem.stat().st_size for stem in stems}
    if sum(size + _HEADERS for size in sizes.values()) <= limit_bytes:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for stem in stems:
                archive.write(stem, stem.name)
        return Parcel((target,))
    fitting = [stem for stem in stems if sizes[stem] <= limit_bytes][:MOST_FILES]
    return Parcel(tuple(fitting), tuple(stem.name for stem in stems if stem not in fitting))
