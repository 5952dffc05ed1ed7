"""Data sets in, a corpus out: every set staged, twins merged, pieces split, and the whole described in a manifest."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import generator.corpus.sets  # noqa: F401 - registers the built-in sets
from generator.corpus.registry import DataSet, datasets
from generator.corpus.shards import MANIFEST, VERSION, Corpus, PieceRef, open_corpus, write_index, write_whole
from generator.corpus.stage import Entry, Progress, Staged, stage
from generator.corpus.twins import Groups, find_twins, split_of
from generator.errors import CorpusError


def find_sets(sources: Sequence[Path]) -> list[tuple[DataSet, Path]]:
    """The registered sets in these folders, each a set's folder itself or one that holds sets.

    Raises CorpusError when a folder is not there or holds no set we know.
    """
    found: dict[str, tuple[DataSet, Path]] = {}
    for source in sources:
        if not source.is_dir():
            raise CorpusError(f"There is no folder {source}.")
        here = [(d, source / d.folder) for d in datasets() if (source / d.folder).is_dir()]
        here += [(d, source) for d in datasets() if source.resolve().name == d.folder]
        if not here:
            names = ", ".join(d.folder for d in datasets())
            raise CorpusError(f"The folder {source} holds none of the data sets we can read: {names}.")
        found |= {dataset.name: (dataset, folder) for dataset, folder in here}
    return list(found.values())


def build(sources: Sequence[Path], out: Path, jobs: int = 0, progress: Progress | None = None) -> Corpus:
    """Build a corpus, or finish an interrupted build.

    Args:
        sources: see `find_sets`.
        out: a new folder, or one with an unfinished build; a finished corpus is never overwritten.
        jobs: processes; 0 means one for each core.
        progress: called as sets advance.

    Raises CorpusError.
    """
    sets, jobs = find_sets(sources), jobs or os.cpu_count() or 1
    if (out / MANIFEST).exists():
        raise CorpusError(f"There is already a finished corpus in {out}; choose another folder.")
    _make_folder(out)
    started = time.perf_counter()
    staged: dict[str, Staged] = {}
    seconds: dict[str, float] = {}
    pool = _pool(jobs)
    try:
        for dataset, folder in sets:
            begun = time.perf_counter()
            staged[dataset.name] = stage(dataset, folder, out, pool, progress or (lambda *_: None))
            seconds[dataset.name] = round(time.perf_counter() - begun, 1)
    except BrokenProcessPool as error:
        raise CorpusError("A reading process died, probably for want of memory; run the build again.") from error
    except OSError as error:
        raise CorpusError(f"The corpus cannot be written to {out}: {error.strerror}.") from error
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupted build stops at once
    refs, twins = _index(staged)
    manifest = {
        "version": VERSION,
        "sets": {d.name: _describe(d, staged[d.name], refs, twins, seconds[d.name]) for d, _ in sets},
        "missing": [d.folder for d in datasets() if d.name not in staged],
        "twins": twins,
        "pieces": len(refs),
        "index_sha256": write_index(out, refs),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mb": _peak_mb(jobs),
    }
    write_whole(out / MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
    return open_corpus(out)


def _pool(jobs: int) -> Executor:
    """One job runs in this process. Several are spawned, not forked: this process may hold threads."""
    if jobs == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(jobs, get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN))


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(f"The folder {out} cannot be made: {error.strerror}.") from error
    strangers = [p.name for p in out.iterdir() if not p.name.endswith((".json", ".jsonl", ".part"))]
    if strangers:
        raise CorpusError(f"The folder {out} holds other files, such as {min(strangers)}; choose another folder.")


def _index(staged: dict[str, Staged]) -> tuple[list[PieceRef], dict[str, list[str]]]:
    """All pieces but merged twins, and for each piece that has twins their names."""
    rows = [(name, one.shard, entry) for name, one in staged.items() for entry in one.entries]
    groups = find_twins([entry.fingerprint for _, _, entry in rows])
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    richest = {group: max(same, key=lambda i: (_richness(rows[i][2]), -i)) for group, same in members.items()}
    twins = {
        _name(rows, richest[group]): [_name(rows, i) for i in same if i != richest[group]]
        for group, same in members.items()
        if len(same) > 1
    }
    splits = _splits(rows, groups)
    refs = [
        PieceRef(
            name, e.path, e.kind, splits[index], e.bars, e.notes, e.parts, e.styles, e.has_lyrics, shard, e.offset,
            e.length,
        )
        for index, (name, shard, e) in enumerate(rows)
        if richest[groups[index]] == index
    ]  # fmt: skip
    return refs, twins


def _richness(entry: Entry) -> tuple[int, bool, int]:
    """Of twins we keep the one with most parts, then words, then notes."""
    return len(entry.parts), entry.has_lyrics, entry.notes


def _name(rows: Sequence[tuple[str, str, Entry]], index: int) -> str:
    return f"{rows[index][0]}/{rows[index][2].path}"


def _splits(rows: Sequence[tuple[str, str, Entry]], twins: Sequence[int]) -> list[str]:
    """The split of each piece; twins, and the movements of one file, go together."""
    groups = Groups(len(rows))
    files: dict[tuple[str, str], int] = {}
    for index, ((name, _, entry), twin) in enumerate(zip(rows, twins, strict=True)):
        groups.join(index, twin)
        groups.join(index, files.setdefault((name, entry.path.partition("#")[0]), index))
    smallest: dict[int, Entry] = {}
    for index, (_, _, entry) in enumerate(rows):
        group = groups.of(index)
        if group not in smallest or entry.hashes < smallest[group].hashes:
            smallest[group] = entry
    return [split_of(smallest[groups.of(index)].fingerprint) for index in range(len(rows))]


def _describe(
    dataset: DataSet, staged: Staged, refs: Sequence[PieceRef], twins: dict[str, list[str]], seconds: float
) -> dict[str, Any]:
    kept = [ref for ref in refs if ref.source == dataset.name]
    merged = sum(name.startswith(f"{dataset.name}/") for others in twins.values() for name in others)
    return {
        "folder": dataset.folder,
        "licences": dict(Counter(entry.licence for entry in staged.entries)),
        "credit": dataset.credit,
        "kind": dataset.kind,
        "files": staged.files,
        "pieces": len(kept),
        "valid": sum(ref.split == "valid" for ref in kept),
        "bars": sum(ref.bars for ref in kept),
        "notes": sum(ref.notes for ref in kept),
        "with_lyrics": sum(ref.has_lyrics for ref in kept),
        "merged_twins": merged,
        "failures": [list(pair) for pair in staged.failures],
        "left_out": [list(pair) for pair in staged.left_out],
        "seconds": seconds,
        "shard": staged.shard,
        "sha256": staged.sha256,
    }


def _peak_mb(jobs: int) -> int:
    """An upper bound of the build's memory: this process and, for each job, the largest child."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + jobs * child) // 1024
