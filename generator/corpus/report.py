"""What a corpus holds, set by set, and why files are not in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SetReport:
    """One data set in a corpus.

    Attributes:
        merged: pieces that are twins of a richer one, here or in another set, and stand behind it.
        left_out: files that are no pieces or may not enter; they count neither as read nor as failed.
        failed_percent: of the files that should have given a piece.
        reasons: why files failed, with their paths; the same for `reasons_left_out`.
    """

    name: str
    licences: tuple[str, ...]
    credit: str
    files: int
    pieces: int
    valid: int
    bars: int
    notes: int
    with_lyrics: int
    merged: int
    left_out: int
    failed: int
    failed_percent: float
    seconds: float
    reasons: Mapping[str, tuple[str, ...]]
    reasons_left_out: Mapping[str, tuple[str, ...]]


def reports(manifest: Mapping[str, Any]) -> tuple[SetReport, ...]:
    """A report of each set of a corpus's manifest, in the order of the build."""
    return tuple(_report(name, data) for name, data in manifest["sets"].items())


def _report(name: str, data: Mapping[str, Any]) -> SetReport:
    failures, left_out = data["failures"], data["left_out"]
    wanted = data["files"] - len(left_out)
    return SetReport(
        name=name,
        licences=tuple(data["licences"]),
        credit=data["credit"],
        files=data["files"],
        pieces=data["pieces"],
        valid=data["valid"],
        bars=data["bars"],
        notes=data["notes"],
        with_lyrics=data["with_lyrics"],
        merged=data["merged_twins"],
        left_out=len(left_out),
        failed=len(failures),
        failed_percent=round(100 * len(failures) / wanted, 2) if wanted else 0.0,
        seconds=data["seconds"],
        reasons=_by_reason(failures),
        reasons_left_out=_by_reason(left_out),
    )


def _by_reason(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path, reason in pairs:
        found[reason].append(path)
    return {reason: tuple(paths) for reason, paths in sorted(found.items(), key=lambda item: -len(item[1]))}
