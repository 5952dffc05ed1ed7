"""Reading token by token: the same as reading it all at once, in whatever bits it comes."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from generator.model import checkpoint, tokens
from generator.model.decode import Decoder
from generator.model.desk import alone
from generator.model.reader import NO_KERNELS, SMALL_PRODUCTS, Reader, reader_of
from generator.model.rules import Rules
from generator.model.sample import Line, Passage, Prompt
from generator.model.transformer import Composer, Config

SMALL = Config(vocabulary=len(tokens.VOCABULARY), width=48, layers=2, heads=3, hidden=80, dropout=0.0)


@pytest.fixture(scope="module")
def model() -> Composer:
    """With weights that all matter: as it is made, norms do nothing and hardly anything is attended to."""
    torch.manual_seed(3)
    made = Composer(SMALL).eval()
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight), alpha=0.1)
    return made


def draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, SMALL.vocabulary, shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=[Reader, Decoder])
def reading(request, model):
    with torch.inference_mode():
        yield request.param(model)


def test_reading_bit_by_bit_changes_nothing(model, reading):
    """Rows read other numbers of tokens at a time, wait, and go on from another row's past, beside another group."""
    ids = draw(3, 24)
    first, second, third = ids.tolist()
    whole = model(ids).numpy()
    past, other = reading.past(2), reading.past(1)

    def read(*fresh):
        (logits,) = reading.read([(past, fresh)])
        return logits

    np.testing.assert_allclose(read(first[:10], second[:10]), whole[:2, 9], atol=2e-5)
    np.testing.assert_allclose(read(first[10:11], second[10:11]), whole[:2, 10], atol=2e-5)
    np.testing.assert_allclose(read(first[11:15], second[11:12])[0], whole[0, 14], atol=2e-5)
    here, there = reading.read([(past, [[], second[12:18]]), (other, [third[:7]])])
    np.testing.assert_allclose(here[1], whole[1, 17], atol=2e-5)
    np.testing.assert_allclose(there[0], whole[2, 6], atol=2e-5)
    past.keep([1, 0])
    there, here = reading.read([(other, [third[7:9]]), (past, [second[18:19], first[15:20]])])
    np.testing.assert_allclose(here, [whole[1, 18], whole[0, 19]], atol=2e-5)
    np.testing.assert_allclose(there[0], whole[2, 8], atol=2e-5)
    assert past.lengths == [19, 20]
    assert other.lengths == [9]


def test_the_last_place_of_the_context_can_be_read(model, reading):
    ids = draw(1, SMALL.context, seed=2)
    (row,) = ids.tolist()
    past = reading.past(2)
    reading.read([(past, [row[:-1], row[:-4]])])
    (read,) = reading.read([(past, [row[-1:], row[-4:]])])
    np.testing.assert_allclose(read, np.repeat(model(ids)[:, -1].numpy(), 2, axis=0), atol=2e-5)
    with pytest.raises(ValueError, match="does not fit"):
        reading.read([(past, [row[:1], []])])
    assert past.lengths == [SMALL.context] * 2


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_groups_of_any_rows_read_as_the_whole_model_does(model, data):
    """Row by row what is read is kept beside, and in the end compared with all of it read at once."""
    reader = Reader(model, data.draw(st.sampled_from([SMALL_PRODUCTS, NO_KERNELS])))
    pasts = [reader.past(rows) for rows in data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))]
    heard: list[list[list[int]]] = [[[] for _ in past.lengths] for past in pasts]
    for step in range(data.draw(st.integers(1, 4))):
        counts = [[data.draw(st.sampled_from([0, 1, 1, 2, 9, 63, 64, 130, 270])) for _ in rows] for rows in heard]
        fresh = [[draw(count, seed=step + 7 * row).tolist() for row, count in enumerate(group)] for group in counts]
        if not any(map(any, counts)):
            continue
        read = reader.read(list(zip(pasts, fresh, strict=True)))
        for past, rows, new, logits in zip(pasts, heard, fresh, read, strict=True):
            assert logits.dtype == np.float32
            for row, more in enumerate(new):
                rows[row] = rows[row] + more
                if more:
                    whole = model(torch.tensor([rows[row]]))[0, -1].detach().numpy()
                    np.testing.assert_allclose(logits[row], whole, atol=1e-4)
            places = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=len(rows), max_size=len(rows)))
            past.keep(places)
            rows[:] = [rows[place] for place in places]
            assert past.lengths == [len(row) for row in rows]


def test_a_refused_reading_changes_no_past(model):
    reader = Reader(model)
    first, second = reader.past(1), reader.past(1)
    ids = draw(1, 12)
    (row,) = ids.tolist()
    reader.read([(first, [row[:10]])])
    with pytest.raises(ValueError, match="does not fit"):
        reader.read([(first, [row[:1]]), (second, [[0] * (SMALL.context + 1)])])
    (logits,) = reader.read([(first, [row[10:]])])
    np.testing.assert_allclose(logits, model(ids)[:, -1].detach().numpy(), atol=2e-5)


def test_the_shipped_model_is_read_as_it_is():
    model, _ = checkpoint.load()
    row = np.random.default_rng(4).integers(0, model.config.vocabulary, 300).tolist()
    reader = Reader(model)
    past = reader.past(1)
    with torch.inference_mode():
        whole = model(torch.tensor([row]))[0].numpy()
    reader.read([(past, [row[:-10]])])
    for place in range(len(row) - 10, len(row)):
        (logits,) = reader.read([(past, [row[place : place + 1]])])
        np.testing.assert_allclose(logits[0], whole[place], atol=1e-4)


def test_a_model_has_one_reader_until_its_weights_change(model):
    ids = draw(1, 5)

    def read(of):
        reader = reader_of(of)
        (logits,) = reader.read([(reader.past(1), ids.tolist())])
        np.testing.assert_allclose(logits, of(ids)[:, -1].detach().numpy(), atol=2e-5)
        return reader

    mine = Composer(SMALL).eval()
    before = read(mine)
    assert read(mine) is before
    assert read(model) is not before
    with torch.no_grad():
        mine.norm.weight *= 2
    after = read(mine)
    assert after is not before
    mine.load_state_dict(model.state_dict())
    assert read(mine) is not after


def test_a_reader_goes_with_its_model():
    made = Composer(SMALL).eval()
    reader = weakref.ref(reader_of(made))
    del made
    gc.collect()
    assert reader() is None


def test_one_thread_multiplies_whatever_the_machine_has(model):
    """With two, BLAS may add up in another order, and a seed would be other music there."""

    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    def watched():
        before = threads()
        yield Passage([Line(Prompt(tokens.Controls("major", "4/4")), Rules(1, 48), 1)])
        return before | threads()

    with threadpool_limits(2, "blas"):
        assert alone(model, watched()) == {1}
        assert threads() == {2}
