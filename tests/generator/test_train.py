"""Training from files to weights, on a small corpus of our own in the data sets' formats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from generator.corpus.build import build
from generator.corpus.shards import Corpus
from generator.errors import GeneratorError
from generator.model import checkpoint, tokens
from generator.model.examples import encode, example, section_role, whole
from generator.model.train import Settings, train
from tests.generator.scores import pieces


def _hymn(number: int) -> str:
    rng = np.random.default_rng(number)
    voice = "|".join("".join(f"{note}2" for note in rng.choice(list("CDEFGABcde"), 4)) for _ in range(16))
    lower = "|".join("C,4G,4" for _ in range(16))
    return (
        f"X:{number}\nT:Hymn {number}\nM:4/4\nL:1/8\nQ:1/4=90\nK:C\nV:1\n{voice}|]\n"
        f"w:{'la la la la, ' * 16}\nV:2\n{lower}|]\n"
    )


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Hymns and chord charts in little, built the way the real ones are."""
    data = tmp_path_factory.mktemp("data")
    hymns, charts = data / "open_hymnal", data / "mcgill_billboard_chords"
    (hymns / "abc").mkdir(parents=True)
    (charts / "SalamiFiles").mkdir(parents=True)
    rows = ["abc\ttitle"]
    for number in range(30):
        (hymns / "abc" / f"{number}.abc").write_text(_hymn(number))
        rows.append(f"abc/{number}.abc\tHymn {number}")
    (hymns / "labels.tsv").write_text("\n".join(rows) + "\n")
    rows = ["file\tmetre"]
    chords = ["C:maj", "A:min7", "F:maj", "G:7", "D:min", "E:7", "Bb:maj"]
    for number in range(30):
        bars = np.random.default_rng(number).choice(chords, 24).tolist()
        lines = [f"1.0\tA, verse, | {' | '.join(bars[i : i + 4])} |" for i in range(0, len(bars), 4)]
        text = f"# title: Song {number}\n# artist: Nobody\n# metre: 4/4\n# tonic: C\n\n" + "\n".join(lines) + "\n"
        (charts / "SalamiFiles" / f"{number}.txt").write_text(text)
        rows.append(f"SalamiFiles/{number}.txt\t4/4")
    (charts / "labels.tsv").write_text("\n".join(rows) + "\n")
    return build([data], tmp_path_factory.mktemp("corpus"), jobs=1)


def _settings(corpus: Corpus, out, **changes) -> Settings:
    return Settings(corpus.folder, out, **({"minutes": 5, "batch_tokens": 512, "validate_every": 2} | changes))


def test_training_ends_in_weights_with_a_card(corpus, tmp_path):
    out = tmp_path / "weights" / "composer.safetensors"
    lines: list[str] = []
    assert train(_settings(corpus, out, max_steps=4), lines.append) == out
    _, card = checkpoint.load(out)
    assert card["steps"] in {2, 4}
    assert {entry["data_set"] for entry in card["corpora"]} == {"open_hymnal", "billboard"}
    assert {entry["licence"] for entry in card["corpora"]} == {"public domain", "CC0-1.0"}
    assert any("step     4" in line for line in lines)
    assert not list(out.parent.glob("*.resume.pt"))


def test_an_interrupted_training_goes_on(corpus, tmp_path):
    out = tmp_path / "composer.safetensors"

    class Stop(Exception):
        pass

    def interrupt(line: str) -> None:
        if "step     4" in line:
            raise Stop

    with pytest.raises(Stop):
        train(_settings(corpus, out, max_steps=8), interrupt)
    lines: list[str] = []
    train(_settings(corpus, out, max_steps=6), lines.append)
    assert "resumed at step 2" in lines
    assert any("step     6" in line for line in lines)


def test_a_broken_or_foreign_resume_file_is_named(corpus, tmp_path):
    out = tmp_path / "composer.safetensors"
    resume = out.with_suffix(".resume.pt")
    resume.write_bytes(b"no such thing")
    with pytest.raises(GeneratorError, match="is broken"):
        train(_settings(corpus, out))
    torch.save({"size": "base", "version": tokens.VERSION}, resume)
    with pytest.raises(GeneratorError, match="another model"):
        train(_settings(corpus, out))
    assert resume.is_file()
    assert not out.exists(), "nothing was overwritten"


def test_an_unknown_size_and_a_missing_corpus_are_explained(corpus, tmp_path):
    with pytest.raises(GeneratorError, match="choose from small, base"):
        train(_settings(corpus, tmp_path / "x.safetensors", size="huge"))
    with pytest.raises(GeneratorError, match="no finished corpus"):
        train(Settings(tmp_path, tmp_path / "x.safetensors"))


@given(pieces(), st.integers(0, 2**40), st.sampled_from([64, 128, 512]))
@settings(deadline=None)
def test_examples_are_sequences_of_the_language(piece, seed, context):
    assume(piece.parts)
    rng = np.random.default_rng(seed)
    encoded = encode(piece)
    ids, start = example(encoded, context, rng)
    assert len(ids) <= context
    if not ids:
        return
    names = [tokens.FIELDS[token][0] for token in ids]
    assert names[:11] == [
        "BOS", "kind", "style", "style", "valence", "arousal", "mode", "meter", "tempo", "density", "complexity",
    ]  # fmt: skip
    assert set(names[11:start]) == {"part"}
    assert names.count("GIVEN") == names.count("WRITE") <= 1
    assert "bar" in names[names.index("WRITE") :] if "WRITE" in names else True
    tokens.decode(ids, tokens.frame_of(piece.bars, piece.key.tonic))


@given(pieces())
def test_a_whole_piece_says_all_its_bars(piece):
    assume(piece.parts)
    frame = tokens.frame_of(piece.bars, piece.key.tonic)
    ids, _ = whole(encode(piece), 100_000)
    assert tokens.decode(ids, frame) == piece.bars


@pytest.mark.parametrize(
    ("section", "role"),
    [
        ("verse", "verse"),
        ("pre-chorus", "prechorus"),
        ("Chorus 2", "chorus"),
        ("fadeout", "outro"),
        ("A", ""),
        ("", ""),
    ],
)
def test_section_names_become_roles(section, role):
    assert section_role(section) == role
