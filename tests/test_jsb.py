"""The chorale benchmark: its likelihood is honest, its files are read safely, its training runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.chorales import REST, SYMBOLS, Chorales, Shape
from benchmarks.jsb import FILE, Settings, load, note_nats, onsets, read, run, train
from benchmarks.result import Options
from generator.errors import GeneratorError

TINY = Shape(width=32, heads=2, hidden=64, outer_layers=1, inner_layers=1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Chorales(TINY).eval()


def chorale(seed, steps=24):
    """MIDI pitches of four voices, quarter notes, with a rest."""
    rng = np.random.default_rng(seed)
    pitches = np.array([72, 65, 60, 50]) + rng.integers(-3, 4, (steps // 4 + 1, 4))
    voices = np.repeat(pitches, 4, axis=0)[:steps].astype(np.float16)
    voices[4:8, 1] = np.nan
    return voices


@pytest.fixture
def data(tmp_path):
    sets = {}
    for name, count in (("train", 4), ("valid", 2), ("test", 2)):
        pieces = np.empty(count, dtype=object)
        for index in range(count):
            pieces[index] = chorale(index, 24 + 4 * index)
        sets[name] = pieces
    np.savez(tmp_path / FILE, **sets)
    return tmp_path


def test_the_file_is_read_with_its_rests_and_voices(data):
    piece = read(data)["train"][1]
    assert piece.shape == (28, 4)
    assert (piece[4:8, 2] == REST).all()  # the alto is written third
    assert piece[0, 0] > piece[0, 1]  # soprano, then bass


def test_a_missing_file_is_said_in_one_sentence(tmp_path):
    with pytest.raises(GeneratorError, match="chorales are missing"):
        read(tmp_path)
    with pytest.raises(GeneratorError, match="--data"):
        run(Options())


def test_no_note_is_known_before_it_is_scored(model, data):
    """Changing a note changes nothing that is said of it or of anything before it."""
    notes = read(data)["train"][0][None]
    before = model(notes)
    for step, voice in ((0, 0), (7, 1), (7, 3), (23, 2)):
        changed = notes.clone()
        changed[0, step, voice] += 2
        after = model(changed)
        assert torch.allclose(after[0, :step], before[0, :step], atol=1e-5)
        assert torch.allclose(after[0, step, : voice + 1], before[0, step, : voice + 1], atol=1e-5)


def test_the_probabilities_of_all_symbols_sum_to_one(model, data):
    sums = model(read(data)["train"][0][None]).exp().sum(-1)
    assert sums.shape == (1, 24, 4)
    assert torch.allclose(sums, torch.ones_like(sums), atol=1e-4)
    assert model(read(data)["train"][0][None]).shape[-1] == SYMBOLS


def test_pieces_of_other_lengths_in_the_batch_change_nothing(model, data):
    pieces = read(data)["train"]
    together = note_nats(model, pieces)
    for piece, nats in zip(pieces, together, strict=True):
        assert torch.allclose(nats, note_nats(model, [piece])[0], atol=1e-4)


def test_a_mixture_of_keys_lies_between_the_best_and_the_worst(model, data):
    piece = read(data)["train"][0]
    alone = torch.stack([note_nats(model, [piece], (shift,))[0] for shift in (-1, 0, 1)])
    mixed = note_nats(model, [piece], (-1, 0, 1))[0]
    assert (mixed >= alone.min(0).values - 1e-6).all()
    assert (mixed <= alone.max(0).values + 1e-6).all()


def test_onsets_are_changes():
    piece = torch.tensor([[5, 5, 5, 5], [5, 6, 5, 5], [5, 6, 5, 4]])
    assert onsets(piece).tolist() == [[True] * 4, [False, True, False, False], [False, False, False, True]]


def test_training_writes_weights_that_come_back(data, tmp_path):
    out = tmp_path / "weights" / "jsb.safetensors"
    said = []
    train(Settings(data=data, out=out, minutes=60, steps_per_batch=64, validate_every=4, max_steps=8, shape=TINY),
          said.append)  # fmt: skip
    model, card = load(out)
    assert said[-1].endswith(f"valid {card['valid_nats']:.4f}")
    assert model.temperature == card["temperature"] >= 1.0
    model.temperature = 1.0
    assert float(torch.cat(note_nats(model, read(data)["valid"])).mean()) == pytest.approx(card["valid_nats"], abs=0.05)
    out.write_bytes(out.read_bytes()[:-1] + b"?")
    with pytest.raises(GeneratorError, match="do not match"):
        load(out)
