"""Is a melody too close to one the model learned from? An index of the training melodies, and what humans borrow.

A melody is a row of steps: the interval to the next note and the time until it begins, so transposition does not hide
a copy; tempo is not written into notes and does not either. Two figures say how much a melody borrows:

* longest run: the most consecutive notes that equal a training melody in every step. Runs of fewer than `CONTENT`
  different steps (a scale, a repeated note, a rocking pair) belong to everybody and do not count.
* similarity: over all windows of `WINDOW` notes, the largest share of (onset, pitch) points that lie on points of a
  training melody after the best translation in time and pitch, of the larger of the two point sets: the cardinality
  score of Yin et al. (SN Computer Science 3, 2022). It sees copies with changed or added notes.
  Translations are those that align a run of `SEED` steps or more.

Both must stay within what sung melodies of the same corpus borrow from each other in 95 of 100 cases. (Players'
figures and scales are shared more freely, and would make a lenient bound.)
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import starmap
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from generator.corpus.piece import Bar
from generator.corpus.shards import Corpus, PieceRef, open_corpus
from generator.errors import GeneratorError
from generator.measure.musical import notes_of
from generator.measure.runs import MAX_GAP, MAX_INTERVAL, SEED, Ints, Runs, find_runs, seeds_of, steps_of
from generator.seeds import stream

SHIPPED = Path(__file__).parent / "data" / "melodies.npz"
VERSION = 1
CONTENT = 4
WINDOW = 16  # notes, about four to eight bars
HOP = 4
EXCERPT_BARS = 32  # a piece of ours has so much melody of its own; longer human ones are cut for the bounds
BOUND_PIECES = 1000  # human pieces the bounds are taken from, at most
SUNG = ("song", "jazz", "hymn", "lied", "choral")
_TWIN_RUN = 8  # notes
_TWIN_SHARE = 0.4
_ALIGNMENTS = 192  # tried for each window, those with the longest runs


@dataclass(frozen=True, slots=True)
class Originality:
    """What a melody borrows. `nearest` names the training melody that shares most with it, "" when none does;
    `longest_run` is in notes, `similarity` 0 … 1; `passed`: both within the bounds."""

    nearest: str
    longest_run: int
    similarity: float
    passed: bool


class Melody(NamedTuple):
    """The melody part of some bars of `bar_steps` grid steps; `composer` as the source writes the name."""

    name: str
    bars: Sequence[Bar]
    bar_steps: int
    composer: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that may be borrowed."""

    longest_run: int
    similarity: float


@dataclass(frozen=True)
class Index:
    """The training melodies: `names`, `composers` (a number for each name, 0 when it is not known), where each
    `begins`, and per note its step to the next one.

    A melody's last note has the step (0, 0), which equals no other. All arrays run over all melodies, one after
    another: `intervals` in semitones (int8), `gaps` in grid steps (uint8).
    """

    names: tuple[str, ...]
    composers: NDArray[np.uint32]
    begins: Ints
    intervals: NDArray[np.int8]
    gaps: NDArray[np.uint8]
    bounds: Bounds | None = None

    @staticmethod
    def build(melodies: Iterable[Melody | tuple[str, Sequence[Bar], int]]) -> Index:
        """Index melodies, or plain (name, bars, bar_steps) of unknown composers; what is shorter than a run, and exact
        copies, are left out. Raises GeneratorError when nothing is left."""
        names, composers, begins, parts = [], [], [], []
        known: set[bytes] = set()
        total = 0
        for melody in starmap(Melody, melodies):
            onsets, pitches = _line(melody.bars, melody.bar_steps)
            steps = np.stack((_intervals(pitches), _gaps(onsets)), axis=1)
            if len(steps) < SEED or steps.tobytes() in known:
                continue
            known.add(steps.tobytes())
            names.append(melody.name)
            composers.append(_number(melody.composer))
            begins.append(total)
            parts += [steps, np.zeros((1, 2), np.int64)]
            total += len(steps) + 1
        if not names:
            raise GeneratorError("There is no melody to index.")
        rows = np.concatenate(parts)
        return Index(
            tuple(names), np.array(composers, np.uint32), np.array(begins), rows[:, 0].astype(np.int8),
            rows[:, 1].astype(np.uint8),
        )  # fmt: skip

    def check(self, bars: Sequence[Bar], bar_steps: int, leave_out: Collection[str] = ()) -> Originality:
        """How much the melody of these bars borrows, melodies named in `leave_out` not looked at.

        Raises GeneratorError when the index has no bounds.
        """
        if self.bounds is None:
            raise GeneratorError("The index of melodies has no bounds; build it with them.")
        onsets, pitches = _line(bars, bar_steps)
        steps = steps_of(_intervals(pitches), _gaps(onsets))
        runs = self._runs(steps, leave_out)
        run, run_place = _longest(runs, steps)
        similarity, place = self._similarity(runs, steps, onsets, pitches)
        passed = run <= self.bounds.longest_run and similarity <= self.bounds.similarity
        nearest = place if place >= 0 else run_place
        name = self.names[self._melody_of[nearest]] if nearest >= 0 else ""
        return Originality(name, run, round(similarity, 4), passed)

    def twins(self, bars: Sequence[Bar], bar_steps: int) -> frozenset[str]:
        """Names of the melodies that are this one again: they share runs of `_TWIN_RUN` notes over `_TWIN_SHARE` of
        its length."""
        onsets, pitches = _line(bars, bar_steps)
        steps = steps_of(_intervals(pitches), _gaps(onsets))
        runs = self._runs(steps)
        runs = runs.where(runs.length >= _TWIN_RUN - 1)
        runs = runs.where(_distinct(runs, steps) >= CONTENT)
        covered: dict[int, set[int]] = {}
        for start, length, melody in zip(runs.query, runs.length, self._melody_of[runs.place], strict=True):
            covered.setdefault(int(melody), set()).update(range(start, start + length + 1))
        return frozenset(self.names[m] for m, notes in covered.items() if len(notes) >= _TWIN_SHARE * len(pitches))

    def with_bounds(self, melodies: Iterable[Melody]) -> tuple[Index, list[Originality]]:
        """The same index with the 95 % bounds of what these human melodies borrow; and what each of them borrows.

        Raises GeneratorError when there is none.
        """
        open_ended = replace(self, bounds=Bounds(10**6, 1.0))
        borrowed = [open_ended.check_human(melody) for melody in melodies]
        if not borrowed:
            raise GeneratorError("There is no melody to take the bounds from.")
        run = int(np.quantile([one.longest_run for one in borrowed], 0.95))
        similarity = float(np.quantile([one.similarity for one in borrowed], 0.95))
        return replace(self, bounds=Bounds(run, round(similarity, 4))), borrowed

    def check_human(self, melody: Melody) -> Originality:
        """What the first bars of a human melody, as many as a piece of ours has, borrow from all but its twins, the
        rest of its file (names that are equal up to a #) and its composer's other works."""
        file = melody.name.partition("#")[0]
        composer = _number(melody.composer)
        same = {
            name for name, other in zip(self.names, self.composers.tolist(), strict=True)
            if name.partition("#")[0] == file or (composer and other == composer)
        }  # fmt: skip
        return self.check(
            melody.bars[:EXCERPT_BARS], melody.bar_steps, same | self.twins(melody.bars, melody.bar_steps)
        )

    def save(self, path: Path, provenance: dict[str, Any] | None = None) -> None:
        """Write the index, and beside it a JSON file that says what it is."""
        if self.bounds is None:
            raise GeneratorError("The index of melodies has no bounds; build it with them.")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path, names=np.frombuffer("\n".join(self.names).encode(), np.uint8), composers=self.composers,
            begins=self.begins.astype(np.int32), intervals=self.intervals, gaps=self.gaps,
        )  # fmt: skip
        card = {
            "version": VERSION, "melodies": len(self.names), "notes": len(self.gaps),
            "bounds": {"longest_run": self.bounds.longest_run, "similarity": self.bounds.similarity},
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }  # fmt: skip
        text = json.dumps((provenance or {}) | card, indent=2, ensure_ascii=False)
        path.with_suffix(".json").write_text(text + "\n", encoding="utf-8")

    @cached_property
    def _steps(self) -> Ints:
        return steps_of(self.intervals.astype(np.int64), self.gaps.astype(np.int64))

    @cached_property
    def _melody_of(self) -> Ints:
        """Which melody each note belongs to."""
        lengths = np.diff(np.append(self.begins, len(self.gaps)))
        return np.repeat(np.arange(len(self.names), dtype=np.int32), lengths)

    @cached_property
    def _seeds(self) -> tuple[Ints, Ints]:
        return seeds_of(self._steps)

    @cached_property
    def _onsets(self) -> Ints:
        return _sums(self.gaps)

    @cached_property
    def _pitches(self) -> Ints:
        return _sums(self.intervals)

    def _runs(self, steps: Ints, leave_out: Collection[str] = ()) -> Runs:
        kept = None
        if leave_out:
            kept = np.array([name not in leave_out for name in self.names])[self._melody_of]
        return find_runs(steps, self._steps, self._seeds, kept)

    def _similarity(self, runs: Runs, steps: Ints, onsets: Ints, pitches: Ints) -> tuple[float, int]:
        """The highest cardinality score of any window, and a place in the melody it is shared with (-1: none)."""
        best, best_place = 0.0, -1
        size = min(WINDOW, len(pitches))
        for start in range(0, len(pitches) - size + 1, HOP):
            if len(set(steps[start : start + size - 1].tolist())) < CONTENT:
                continue
            overlap = np.minimum(runs.query + runs.length, start + size - 1) - np.maximum(runs.query, start)
            chosen = np.flatnonzero(overlap >= 2)
            if not len(chosen):
                continue
            chosen = chosen[np.argsort(-overlap[chosen], kind="stable")[:_ALIGNMENTS]]
            anchor = np.maximum(runs.query[chosen], start)
            place = runs.place[chosen] + anchor - runs.query[chosen]
            scores = self._cardinality(onsets[start : start + size], pitches[start : start + size],
                                       onsets[anchor], pitches[anchor], place)  # fmt: skip
            if scores.max() > best:
                best, best_place = float(scores.max()), int(place[scores.argmax()])
        return best, best_place

    def _cardinality(self, onsets: Ints, pitches: Ints, from_onset: Ints, from_pitch: Ints, place: Ints) -> Any:
        """Score of a window for every alignment: its point (from_onset, from_pitch) on the note at `place`."""
        around = place[:, None] + np.arange(-2 * WINDOW, 2 * WINDOW + 1)  # (alignments, notes)
        inside = (around >= 0) & (around < len(self.gaps))
        around = around.clip(0, len(self.gaps) - 1)
        inside &= self._melody_of[around] == self._melody_of[place][:, None]
        their_onsets = self._onsets[around] - (self._onsets[place] - from_onset)[:, None]
        their_pitches = self._pitches[around] - (self._pitches[place] - from_pitch)[:, None]
        inside &= (their_onsets >= onsets[0]) & (their_onsets <= onsets[-1])
        theirs = np.where(inside, their_onsets * 512 + their_pitches, -1)
        shared = (theirs[:, :, None] == (onsets * 512 + pitches)[None, None, :]).any(1).sum(1)
        return shared / np.maximum(len(onsets), inside.sum(1))


@cache
def load_index(path: Path = SHIPPED) -> Index:
    """The shipped index. Raises GeneratorError when it is missing or damaged."""
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise GeneratorError(f"The index of melodies is missing at {path}; restore the file.") from error
    if card.get("version") != VERSION or hashlib.sha256(data).hexdigest() != card.get("sha256"):
        raise GeneratorError(f"The index of melodies {path.name} does not match its card; restore both files.")
    with np.load(path, allow_pickle=False) as file:
        names = tuple(file["names"].tobytes().decode().split("\n"))
        bounds = Bounds(**card["bounds"])
        begins = file["begins"].astype(np.int64)
        return Index(names, file["composers"], begins, file["intervals"], file["gaps"], bounds)


def _number(composer: str) -> int:
    """0 for those who are nobody in particular."""
    name = composer.strip().lower()
    return 0 if name in {"", "anonim", "anonymous", "traditional", "trad."} else crc32(name.encode())


def _line(bars: Sequence[Bar], bar_steps: int) -> tuple[Ints, Ints]:
    """Onsets and pitches of the melody; of notes that begin together the highest."""
    line = {onset: pitch for onset, _, pitch in notes_of(bars, bar_steps, ("melody",))}
    return np.array(list(line), dtype=np.int64), np.array(list(line.values()), dtype=np.int64)


def _intervals(pitches: Ints) -> Ints:
    return np.diff(pitches).clip(-MAX_INTERVAL, MAX_INTERVAL)


def _gaps(onsets: Ints) -> Ints:
    return np.diff(onsets).clip(0, MAX_GAP)


def _sums(steps: NDArray[Any]) -> Ints:
    """What has been added up before each note; differences within a melody are what counts."""
    return np.concatenate(([0], np.cumsum(steps, dtype=np.int64)[:-1]))


def _distinct(runs: Runs, steps: Ints) -> Ints:
    """How many different steps each run has."""
    rows = zip(runs.query.tolist(), runs.length.tolist(), strict=True)
    return np.array([len(set(steps[start : start + length].tolist())) for start, length in rows], dtype=np.int64)


def _longest(runs: Runs, steps: Ints) -> tuple[int, int]:
    """Notes of the longest run with content, and its place in the index (0, -1 when there is none)."""
    order = np.argsort(-runs.length, kind="stable")
    for index in order:
        one = runs.where(np.array([index]))
        if _distinct(one, steps)[0] >= CONTENT:
            return int(one.length[0]) + 1, int(one.place[0])
    return 0, -1


def index_corpus(folder: Path, out: Path = SHIPPED, report: Callable[[str], None] = print) -> Index:
    """Index the training melodies of a corpus, take the bounds from a sample of them, and write the index.

    Raises GeneratorError when the corpus cannot be read or has no melody.
    """
    corpus = open_corpus(folder)
    refs = [ref for ref in corpus.refs if ref.split == "train" and "melody" in ref.parts]
    sung = [ref for ref in refs if ref.kind in SUNG]
    chosen = [sung[i] for i in stream(0, "bounds").permutation(len(sung))[:BOUND_PIECES]]
    index, borrowed = Index.build(melodies(corpus, refs)).with_bounds(melodies(corpus, chosen))
    credits_ = {name: one["credit"] for name, one in corpus.manifest["sets"].items()}
    index.save(out, {
        "what": "melodies of the training corpus as intervals and time to the next note, to find copies",
        "corpus_index_sha256": corpus.manifest["index_sha256"], "split": "train", "credits": credits_,
        "bounds_from": f"{len(borrowed)} sung training pieces, each without its file, twins and composer; 95 %",
    })  # fmt: skip
    report(f"{len(index.names)} melodies, {len(index.gaps)} notes, {out.stat().st_size / 1e6:.1f} MB; {index.bounds}")
    return index


def melodies(corpus: Corpus, refs: Iterable[PieceRef]) -> Iterator[Melody]:
    """The melodies of these pieces."""
    for ref in refs:
        piece = corpus.load(ref)
        yield Melody(f"{ref.source}/{ref.path}", piece.bars, piece.bar_steps, piece.composer)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the index of training melodies.")
    parser.add_argument("corpus", type=Path, help="a corpus folder")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    chosen_options = parser.parse_args()
    index_corpus(chosen_options.corpus, chosen_options.out)
