"""Where a piece comes from, for machines to read: versions, weights, seed, brief, corpora, files, and that an AI
made it.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from generator import hands
from generator.brief import Brief

AI_NOTICE = "This music was composed and produced by an artificial intelligence (Tunesmith)."
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""The IPTC's term for media made by a trained model."""

_PACKAGES = ("tunesmith", "torch", "numpy", "scipy", "pydub", "pillow")


def compact(brief: Brief, weights_card: Mapping[str, Any], originality: Mapping[str, Any] | None) -> str:
    """The provenance that travels inside the audio file, as one line of JSON; the same piece gives the same line."""
    record = {
        "ai_generated": True,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "generator": f"tunesmith {_version('tunesmith')}",
        "weights_sha256": weights_card.get("sha256"),
        "seed": brief.seed,
        "brief": brief.to_dict(),
        "corpora": [
            {key: entry.get(key) for key in ("data_set", "licence")} for entry in weights_card.get("corpora", [])
        ],
        "nearest": None if originality is None else originality.get("nearest"),
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def comment(seed: int) -> str:
    """The comment written into the file's tags."""
    return f"{AI_NOTICE} Seed {seed}."


def provenance(
    brief: Brief,
    track_id: str,
    weights_card: Mapping[str, Any],
    files: Mapping[str, str | list[str]],
    *,
    originality: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    soundfont: Path | None = None,
    made_at: datetime | None = None,
) -> dict[str, Any]:
    """JSON values that name everything a piece was made from.

    `weights_card` is the model's own card; its `sha256`, `version` and `corpora` (with licences) are kept.
    `originality` is what the check against the training melodies found; None where nothing was composed.
    `files` are paths relative to `folder`; where the folder is given, each file's SHA-256 and size are noted.
    """
    return {
        "track_id": track_id,
        "made_at": (made_at or datetime.now(UTC)).isoformat(timespec="seconds"),
        "ai_generated": True,
        "notice": AI_NOTICE,
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "generator": {name: _version(name) for name in _PACKAGES} | {"python": platform.python_version()},
        "weights": {key: value for key, value in weights_card.items() if key != "corpora"},
        "corpora": weights_card.get("corpora", []),
        "originality": None if originality is None else dict(originality),
        "sounds": {"soundfont": soundfont.name, "sha256": _digest_of_sounds(soundfont)}
        if soundfont is not None
        else {"soundfont": None, "instruments": "synthesised"},
        "seed": brief.seed,
        "brief": brief.to_dict(),
        "files": _all_described(files, folder),
    }


def _all_described(files: Mapping[str, str | list[str]], folder: Path | None) -> dict[str, Any]:
    """`files` with what there is to say of each; a digest lets go of Python's lock."""
    names = [name for entry in files.values() for name in ([entry] if isinstance(entry, str) else entry)]
    described = hands.each(lambda name: _described(name, folder), names)
    said = dict(zip(names, described, strict=True))
    return {
        kind: said[entry] if isinstance(entry, str) else [said[name] for name in entry] for kind, entry in files.items()
    }


def _described(name: str, folder: Path | None) -> dict[str, Any]:
    path = None if folder is None else folder / name
    if path is None or not path.is_file():
        return {"name": name}
    return {"name": name, "sha256": _digest(path), "bytes": path.stat().st_size}


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of_sounds(path: Path) -> str | None:
    """A soundfont is large, and the same for every piece: an unchanged file is read once."""
    if not path.is_file():
        return None
    status = path.stat()
    return _digest_once(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _digest_once(path: Path, _size: int, _changed_ns: int) -> str | None:
    return _digest(path)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
