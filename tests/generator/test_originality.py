"""What a melody borrows: copies are found in any key, common property is not called a copy."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.brief import Key
from generator.corpus.codec import encode
from generator.corpus.piece import Bar, GridNote, Piece
from generator.corpus.shards import MANIFEST, VERSION, PieceRef, file_sha256, write_index, write_whole
from generator.errors import GeneratorError
from generator.measure.originality import Bounds, Index, Melody, index_corpus, load_index
from generator.score import Meter

BAR = 48


def melody(notes):
    """(duration, pitch) pairs, one after another -> bars."""
    bars, at = {}, 0
    for duration, pitch in notes:
        bars.setdefault(at // BAR, []).append(GridNote(at % BAR, duration, pitch))
        at += duration
    return [Bar(melody=tuple(bars.get(index, ()))) for index in range(at // BAR + 1)]


def tune(seed, length=48):
    rng = np.random.default_rng(seed)
    return [(int(rng.choice([6, 12, 18])), int(60 + rng.integers(0, 18))) for _ in range(length)]


def moved(notes, semitones):
    return [(duration, pitch + semitones) for duration, pitch in notes]


def bounded(index, run=11, similarity=0.6):
    return replace(index, bounds=Bounds(run, similarity))


@pytest.fixture(scope="module")
def index():
    return bounded(Index.build(Melody(f"tune {seed}", melody(tune(seed)), BAR) for seed in range(30)))


def test_a_copy_is_found_in_another_key_and_at_another_place(index):
    own = tune(99)
    stolen = own[:20] + moved(tune(7)[10:30], 5) + own[20:]
    found = index.check(melody(stolen), BAR)
    assert (found.nearest, found.similarity, found.passed) == ("tune 7", 1.0, False)
    assert found.longest_run == 20


def test_a_copy_with_every_sixth_note_changed_is_still_similar(index):
    disguised = [(d, p + 1 if i % 6 == 5 else p) for i, (d, p) in enumerate(tune(7))]
    found = index.check(melody(disguised), BAR)
    assert found.nearest == "tune 7"
    assert found.longest_run == 5
    assert found.similarity >= 13 / 16
    assert not found.passed


def test_an_own_tune_passes(index):
    found = index.check(melody(tune(99)), BAR)
    assert found.passed
    assert found.longest_run <= 5


def test_scales_and_repeated_notes_belong_to_everybody(index):
    scale = [(12, 60 + i) for i in range(24)]
    repeated = [(6, 60)] * 32
    everybody = bounded(Index.build([Melody("scale", melody(scale), BAR), Melody("drone", melody(repeated), BAR)]))
    for notes in (scale, repeated):
        found = everybody.check(melody(notes), BAR)
        assert (found.longest_run, found.similarity, found.passed) == (0, 0.0, True)


def test_a_human_piece_is_not_compared_with_itself_or_its_twins(index):
    own = Melody("tune 7", melody(tune(7)), BAR)
    same = bounded(Index.build([own, Melody("again", melody(moved(tune(7), 2)[1:]), BAR)]))
    assert same.twins(own.bars, BAR) == {"tune 7", "again"}
    assert same.check_human(own).longest_run == 0
    assert index.check(own.bars, BAR, leave_out=["tune 7"]).passed


def test_a_human_piece_is_not_compared_with_its_own_file_or_composer():
    theme, other = tune(1, 12), tune(2)
    index = bounded(Index.build([
        Melody("sonata#2", melody(theme + tune(3)), BAR), Melody("rondo", melody(theme + tune(4)), BAR, "A. Composer"),
    ]))  # fmt: skip
    bars = melody(other + theme)
    assert index.check_human(Melody("sonata", bars, BAR, "A. Composer")).longest_run < 12
    assert index.check_human(Melody("sonata", bars, BAR)).nearest == "rondo"
    assert index.check_human(Melody("song", bars, BAR, "A. Composer")).nearest == "sonata#2"


def test_bounds_are_what_most_humans_stay_within():
    shared = tune(500, 12)
    tunes = [Melody(f"tune {i}", melody(tune(i) + (moved(shared, i) if i < 2 else [])), BAR) for i in range(40)]
    index, borrowed = Index.build(tunes).with_bounds(tunes)
    assert [one.longest_run for one in borrowed[:2]] == [12, 12]
    assert index.bounds.longest_run < 12
    assert not index.check(tunes[0].bars, BAR, leave_out=["tune 0"]).passed


def test_the_index_comes_back_from_disk(tmp_path, index):
    path = tmp_path / "melodies.npz"
    index.save(path, {"credit": "nobody"})
    assert load_index(path).check(melody(tune(7)), BAR) == index.check(melody(tune(7)), BAR)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    load_index.cache_clear()
    with pytest.raises(GeneratorError, match="does not match its card"):
        load_index(path)
    with pytest.raises(GeneratorError, match="missing"):
        load_index(tmp_path / "none.npz")


def test_short_and_empty_melodies_pass(index):
    for notes in ([], [(12, 60)], [(12, 60), (12, 64), (12, 67)]):
        assert index.check(melody(notes), BAR).passed
    with pytest.raises(GeneratorError, match="no melody"):
        Index.build([Melody("short", melody([(12, 60)]), BAR)])


def _brute_force(own, others):
    """Notes of the longest equal run with four different steps."""
    best = 0
    for other in others:
        for i in range(len(own)):
            for j in range(len(other)):
                n = 0
                while i + n < len(own) and j + n < len(other) and own[i + n] == other[j + n]:
                    n += 1
                if n >= 4 and len(set(own[i : i + n])) >= 4:
                    best = max(best, n + 1)
    return best


few_steps = st.lists(st.tuples(st.sampled_from([6, 12]), st.sampled_from([60, 61, 63])), min_size=0, max_size=40)


@settings(max_examples=60, deadline=None)
@given(own=few_steps, others=st.lists(few_steps.filter(lambda notes: len(notes) > 5), min_size=1, max_size=3))
def test_the_longest_run_is_that_of_a_search_by_hand(own, others):
    def steps(notes):
        return [(b[1] - a[1], a[0]) for a, b in pairwise(notes)]

    index = bounded(Index.build(Melody(str(i), melody(notes), BAR) for i, notes in enumerate(others)))
    assert index.check(melody(own), BAR).longest_run == _brute_force(steps(own), [steps(notes) for notes in others])


def test_a_corpus_becomes_an_index_of_its_training_melodies(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    refs, shard = [], b""
    for number in range(6):
        piece = Piece(
            "set", "song", f"{number}.abc", "CC0-1.0", "", f"Song {number}", Key(0, "major"), Meter(4, 4),
            tuple(melody(tune(number))), composer=f"Composer {number}",
        )  # fmt: skip
        line = encode(piece)
        split = "valid" if number == 5 else "train"
        refs.append(PieceRef("set", piece.path, "song", split, len(piece.bars), 48, piece.parts, (), False, "set.jsonl",
                             len(shard), len(line)))  # fmt: skip
        shard += line
    write_whole(corpus / "set.jsonl", shard)
    about = {"shard": "set.jsonl", "sha256": file_sha256(corpus / "set.jsonl"), "credit": "nobody"}
    manifest = {"version": VERSION, "sets": {"set": about}, "index_sha256": write_index(corpus, refs)}
    write_whole(corpus / MANIFEST, json.dumps(manifest).encode())

    out = tmp_path / "data" / "melodies.npz"
    index_corpus(corpus, out, lambda _line: None)
    found = load_index(out).check(melody(moved(tune(3), -4)), BAR)
    assert (found.nearest, found.passed) == ("set/3.abc", False)
    assert load_index(out).check(melody(tune(5)), BAR).passed
    assert json.loads(out.with_suffix(".json").read_text())["credits"] == {"set": "nobody"}
