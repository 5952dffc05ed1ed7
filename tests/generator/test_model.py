"""The composer's language and its model: what goes in comes out, and nothing invalid can be sampled."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.brief import Key
from generator.corpus.licences import ALLOWED
from generator.corpus.piece import PARTS, GridChord, Piece
from generator.errors import IncompatibleWeights, MissingWeights
from generator.model import checkpoint, tokens
from generator.model.desk import alone, together
from generator.model.rules import Rules
from generator.model.sample import Boldness, Line, Passage, Prompt, Search
from generator.model.transformer import Composer, Config
from generator.score import Meter, function_of
from tests.generator.scores import pieces

SMALL = Config(vocabulary=len(tokens.VOCABULARY), width=32, layers=2, heads=2, hidden=64, dropout=0.0)
TONIC = 9


def sample(model, lines, boldness=Boldness(), *, search=None):  # noqa: B008 - frozen
    def one():
        return (yield Passage(lines, boldness, search))

    return alone(model, one())


def lines(prompt: Prompt, rules: Rules, seeds: Iterable[int]) -> list[Line]:
    return [Line(prompt, rules, seed) for seed in seeds]


@pytest.fixture(scope="module")
def model() -> Composer:
    torch.manual_seed(3)
    return Composer(SMALL).eval()


@given(pieces())
def test_a_piece_survives_tokens(piece):
    frame = tokens.frame_of(piece.bars, piece.key.tonic)
    controls = tokens.Controls(piece.key.mode, str(piece.meter), piece.parts)
    ids = controls.prefix()
    for index, bar in enumerate(piece.bars):
        ids += tokens.head(index, len(piece.bars), role="verse", energy=0.6)
        for part in piece.parts:
            ids += tokens.encode_block(bar, part, frame, lyrics=piece.has_lyrics)
    assert tokens.decode([*ids, tokens.EOS], frame) == piece.bars


@given(pieces(), st.integers(0, 11))
def test_transposition_does_not_change_tokens(piece, up):
    def moved(notes):
        return tuple(replace(note, pitch=note.pitch + up) for note in notes)

    bars = tuple(
        replace(
            bar,
            chords=tuple(replace(chord, root=(chord.root + up) % 12) for chord in bar.chords),
            melody=moved(bar.melody), bass=moved(bar.bass), accompaniment=moved(bar.accompaniment),
            voices=moved(bar.voices),
        )
        for bar in piece.bars
    )  # fmt: skip
    if not {"melody", "voices", "accompaniment"} & set(piece.parts):
        return  # nothing says where the middle is
    there = tokens.frame_of(piece.bars, piece.key.tonic)
    here = tokens.frame_of(bars, (piece.key.tonic + up) % 12)
    for before, after in zip(piece.bars, bars, strict=True):
        for part in piece.parts:
            assert tokens.encode_block(after, part, here) == tokens.encode_block(before, part, there)


@pytest.mark.parametrize("ids", [[], [tokens.EOS], [tokens.BOS, tokens.ID["bar=0"], tokens.ID["pos=0"]]])
def test_broken_sequences_are_refused(ids):
    with pytest.raises(ValueError, match=r".+"):
        tokens.decode(ids, tokens.Frame(0, 60))


@settings(max_examples=40, deadline=None)
@given(
    bars=st.integers(1, 9),
    meter=st.sampled_from(tokens.METERS),
    parts=st.sets(st.sampled_from(PARTS), min_size=1),
    seed=st.integers(0, 2**40),
    closing=st.booleans(),
    max_hold=st.integers(1, 3),
    lyrics=st.booleans(),
)
def test_even_an_untrained_model_writes_valid_bars(model, bars, meter, parts, seed, closing, max_hold, lyrics):
    steps = Piece("", "", "", "", "", "", Key(0, "major"), Meter.parse(meter), ()).bar_steps
    ordered = tuple(part for part in PARTS if part in parts)
    sung = {0: ("word", "inner"), 2: ("word_end",)} if lyrics and "melody" in parts else {}
    rules = Rules(
        bars, steps, parts=ordered, closing=closing, low=-5, high=12, max_leap=7, max_hold=max_hold,
        echo={4: 0, 5: 1}, lyrics=bool(sung), sung=sung, roles={0: "intro"}, energies=dict.fromkeys(range(bars), 2),
    )  # fmt: skip
    controls = tokens.Controls("minor", meter, (*ordered, "lyrics") if sung else ordered)
    rows = sample(model, lines(Prompt(controls), rules, [seed, seed + 1]), Boldness(1.3, 0.0))
    for row in rows:
        music = tokens.decode(row, tokens.Frame(TONIC, 60))
        assert len(music) == bars
        assert row[-1] == tokens.EOS
        _check_bars(music, rules, steps)


def _check_bars(music, rules, steps):
    busy, previous, firsts = 0, None, []
    for index, bar in enumerate(music):
        assert all(not getattr(bar, part) for part in PARTS if part not in rules.parts)
        assert bool(bar.chords) == ("chords" in rules.parts)
        assert len(bar.chords) <= rules.max_chords
        for note in bar.melody:
            absolute = index * steps + note.pos
            assert absolute >= busy, "the melody has one voice"
            assert 55 <= note.pitch <= 72
            assert previous is None or abs(note.pitch - previous) <= rules.max_leap
            busy, previous = absolute + note.dur, note.pitch
        if index in rules.sung:
            assert tuple(map(tokens.mark_of, bar.lyrics)) == rules.sung[index], "one note for each syllable"
        for part in ("bass", "accompaniment", "voices"):
            onsets = [(note.pos, note.pitch) for note in getattr(bar, part)]
            assert onsets == sorted(set(onsets))
        strokes = [(hit.pos, hit.drum) for hit in bar.drums]
        assert len(strokes) == len(set(strokes))
        if bar.chords:
            firsts.append((bar.chords[0].root, function_of((bar.chords[0].root - TONIC) % 12, bar.chords[0].quality)))
    assert busy <= len(music) * steps + 2, "nothing reaches over the end"
    for start in range(len(firsts) - rules.max_hold):
        assert len(set(firsts[start : start + rules.max_hold + 1])) > 1, "harmony moves"


def test_harmony_moves_across_bars_that_come_back(model):
    rules = Rules(8, 48, home=("",), copies={2: 0, 3: 1, 5: 4})
    prompt = Prompt(tokens.Controls("major", "4/4"))
    for row in sample(model, lines(prompt, rules, range(12)), Boldness(1.3, 0.0)):
        roots = [bar.chords[0].root for bar in tokens.decode(row, tokens.Frame(0, 60))]
        assert roots[:2] == roots[2:4]
        assert max(len(list(held)) for _, held in groupby(roots)) <= rules.max_hold


def test_given_chords_are_kept(model):
    wanted = {0: (GridChord(0, 0, "m7"),), 1: (GridChord(0, 5, "7"), GridChord(24, 10, "maj7"))}
    rules = Rules(2, 48, given_chords=wanted)
    (row,) = sample(model, lines(Prompt(tokens.Controls("minor", "4/4")), rules, [1]))
    assert [bar.chords for bar in tokens.decode(row, tokens.Frame(0, 60))] == [wanted[0], wanted[1]]


def test_same_seed_same_music_and_takes_differ(model):
    rules = Rules(4, 48)
    prompt = Prompt(tokens.Controls("major", "4/4"))
    first = sample(model, lines(prompt, rules, [11, 12]))
    assert sample(model, lines(prompt, rules, [11, 12])) == first
    assert first[0] != first[1]


def test_guidance_steers_and_one_means_none(model):
    rules = Rules(4, 48)
    prompt = Prompt(tokens.Controls("major", "4/4", kind="jazz", density=9))
    plain = sample(model, lines(prompt, rules, [5]), Boldness(guidance=1.0))
    assert sample(model, lines(prompt, rules, [5]), Boldness(guidance=4.0)) != plain


def test_a_search_keeps_what_its_score_likes(model):
    """Many notes are liked: with the search there are more of them, and the survivors are whole pieces."""
    asked = lines(Prompt(tokens.Controls("major", "4/4")), Rules(8, 48), range(6))
    seen = []

    def count(row):
        return sum(tokens.FIELDS[token][0] == "dur" for token in row)

    def score(rows):
        bars = {sum(tokens.FIELDS[token][0] == "bar" for token in row) for row in rows}
        seen.append(bars)
        return [count(row) for row in rows]

    found = sample(model, asked, search=Search(score, 2))
    plain = sample(model, asked)
    assert seen == [{3}, {5}, {7}], "all takes stand at the same barline"
    assert sum(map(count, found)) > sum(map(count, plain))
    for row in found:
        assert len(tokens.decode(row, tokens.Frame(0, 60))) == 8
    assert len({tuple(row) for row in found}) == 6, "survivors go on in different ways"


def test_rivals_compete_among_themselves_alone(model):
    """Many notes are liked in the first two rows, few in the others; each pair keeps its own better one."""
    asked = lines(Prompt(tokens.Controls("major", "4/4")), Rules(8, 48), range(4))

    def count(row):
        return sum(tokens.FIELDS[token][0] == "dur" for token in row)

    def score(rows):
        return [count(row) if place < 2 else -count(row) for place, row in enumerate(rows)]

    first, second, third, fourth = sample(model, asked, search=Search(score, 2, rivals=2))
    plain = sample(model, asked)
    assert count(first) + count(second) > count(third) + count(fourth)
    assert sample(model, asked[:2], search=Search(score, 2, rivals=2)) == [first, second]
    assert [first, second, third, fourth] != plain


def test_chords_are_drawn_in_their_own_way(model):
    """With no boldness at all the likeliest chords come whatever the seed is; the tune is still drawn."""
    prompt, rules = Prompt(tokens.Controls("major", "4/4", ("chords", "melody"))), Rules(1, 48)
    sure = Boldness(1.3, 0.0, chords=Boldness(1e-6, 0.0))

    def halves(row):
        at = row.index(tokens.ID["part=melody"], len(prompt.ids()))
        return tuple(row[:at]), tuple(row[at:])

    found = [halves(row) for row in sample(model, lines(prompt, rules, range(6)), sure)]
    assert len({chords for chords, _ in found}) == 1
    assert len({tune for _, tune in found}) > 1


def test_writings_at_one_desk_do_not_know_of_each_other(model):
    """One asks for two passages after another, one is refused and makes do, one only reads along."""
    short, long = Rules(2, 48), Rules(6, 48)
    prompt = Prompt(tokens.Controls("minor", "4/4", ("chords", "melody")))

    def twice():
        first = yield Passage(lines(prompt, short, [1, 2]))
        second = yield Passage(lines(prompt, short, [len(first)]))
        return first + second

    def refused():
        try:
            yield Passage(lines(prompt, Rules(400, 48), [1]))
        except ValueError:
            return (yield Passage(lines(prompt, short, [4])))

    def once():
        return (yield Passage(lines(prompt, long, [5])))

    def nothing():
        return "nothing"
        yield

    made = together(model, twice(), refused(), nothing(), once())
    assert made == [alone(model, twice()), alone(model, refused()), "nothing", alone(model, once())]
    assert [len(rows) for rows in (made[0], made[1], made[3])] == [3, 1, 1]


def test_a_piece_too_long_for_the_model_says_so(model):
    with pytest.raises(ValueError, match="do not fit"):
        sample(model, lines(Prompt(tokens.Controls("major", "4/4")), Rules(400, 48), [1]))


def test_weights_survive_the_disk(model, tmp_path):
    path = tmp_path / "composer.safetensors"
    checkpoint.save(model, path, {"name": "test"})
    loaded, card = checkpoint.load(path)
    assert card["parameters"] == model.parameter_count
    ids = torch.arange(20)[None]
    torch.testing.assert_close(loaded(ids), model(ids), atol=2e-3, rtol=0)


def test_missing_and_foreign_weights_are_explained(model, tmp_path):
    path = tmp_path / "composer.safetensors"
    with pytest.raises(MissingWeights, match="tunesmith train"):
        checkpoint.load(path)
    checkpoint.save(model, path, {})
    card = json.loads(checkpoint.card_path(path).read_text())
    checkpoint.card_path(path).write_text(json.dumps(card | {"token_version": 0}))
    with pytest.raises(IncompatibleWeights, match="token version 0"):
        checkpoint.load(path)
    checkpoint.card_path(path).write_text(json.dumps(card))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(IncompatibleWeights, match="damaged"):
        checkpoint.load(path)
    checkpoint.card_path(path).write_text("{ not json")
    with pytest.raises(IncompatibleWeights, match="cannot be read"):
        checkpoint.load(path)


def test_the_shipped_weights_load_and_name_their_sources():
    _, card = checkpoint.load()
    assert 3e6 < card["parameters"] < 6e6
    assert {licence for entry in card["corpora"] for licence in entry["licence"].split(" and ")} <= set(ALLOWED)
    assert card["data_sha256"]
    losses = card["validation_nats_per_token"]
    assert losses["openewld"] < 1.0
    assert losses["all"] < 1.3
