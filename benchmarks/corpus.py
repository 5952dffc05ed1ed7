"""Build the corpus from scratch: what each data set gives, what fails, how long it takes and how much memory.

A corpus that `tunesmith corpus build` has finished remembers these figures, so `--data` may also name one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.result import Must, Options, Result, Rows
from bot.errors import UserError
from generator.corpus.build import build, find_sets
from generator.corpus.report import SetReport, reports
from generator.corpus.shards import MANIFEST, Corpus, open_corpus

MAX_FAILED_PERCENT, MAX_MINUTES, MAX_MB = 3.0, 20.0, 3072
_LARGEST = "polish_scores"
"""Left away in the quick run: more than half of all pieces."""
_COLUMNS = {
    "name": "set", "licence": "licence", "files": "files", "pieces": "pieces", "bars": "bars", "notes": "notes",
    "with_lyrics": "words", "merged": "twins", "left_out": "left out", "failed_percent": "failed %",
    "minutes": "minutes",
}  # fmt: skip


def run(options: Options) -> Result:
    """Raises UserError without the data sets."""
    if options.data is None or not options.data.is_dir():
        raise UserError("Say where the data sets lie: python -m benchmarks corpus --data DIR.")
    corpus = _built(options.data, quick=options.quick)
    found = reports(corpus.manifest)
    minutes, memory = corpus.manifest["seconds"] / 60, corpus.manifest["peak_mb"]
    worst = max(found, key=lambda one: one.failed_percent)
    valid = sum(one.valid for one in found) / sum(one.pieces for one in found)
    musts = [
        Must(
            "files that fail, worst set", f"≤ {MAX_FAILED_PERCENT:g} %", f"{worst.failed_percent:.1f} % ({worst.name})",
            worst.failed_percent <= MAX_FAILED_PERCENT,
        ),
        Must("minutes", f"≤ {MAX_MINUTES:g}", f"{minutes:.1f}", minutes <= MAX_MINUTES),
        Must("memory of all processes", f"≤ {MAX_MB} MB", f"{memory} MB", memory <= MAX_MB),
        Must("pieces that never train", "5 to 15 %", f"{100 * valid:.1f} %", 0.05 <= valid <= 0.15),
    ]  # fmt: skip
    rows = Rows("The corpus, set by set", _COLUMNS, [*map(_row, found), _total(found, minutes)], {"failed_percent": 1})
    return Result("corpus", [rows], musts, _notes(found))


def _built(data: Path, *, quick: bool) -> Corpus:
    if (data / MANIFEST).is_file():
        return open_corpus(data)
    sources = [folder for dataset, folder in find_sets([data]) if not quick or dataset.name != _LARGEST]
    with tempfile.TemporaryDirectory() as folder:
        return build(sources, Path(folder) / "corpus")


def _row(one: SetReport) -> dict[str, Any]:
    figures = {name: getattr(one, name) for name in _COLUMNS if hasattr(one, name)}
    licence = one.licences[0] + (" …" if len(one.licences) > 1 else "") if one.licences else "–"
    return figures | {"licence": licence, "minutes": one.seconds / 60}


def _total(found: tuple[SetReport, ...], minutes: float) -> dict[str, Any]:
    names = ("files", "pieces", "bars", "notes", "with_lyrics", "merged", "left_out")
    failed, wanted = sum(one.failed for one in found), sum(one.files - one.left_out for one in found)
    totals = {name: sum(getattr(one, name) for one in found) for name in names}
    return {"name": "all", "licence": "", **totals, "failed_percent": 100 * failed / wanted, "minutes": minutes}


def _notes(found: tuple[SetReport, ...]) -> list[str]:
    """Every reason of a failure or of leaving out, with an example."""
    return [
        f"{one.name}: {len(paths)} {verdict}, {reason} (such as {paths[0]})"
        for one in found
        for verdict, reasons in (("failed", one.reasons), ("left out", one.reasons_left_out))
        for reason, paths in reasons.items()
    ]
