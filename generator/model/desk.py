"""Several writings at one desk: the model reads for all of them at once, for fetching its weights is what costs.

A writing is a generator. It yields the passage it wants next, is sent the passage's rows, and returns what it made of
them, as in `lead, drums = together(model, compose(…), improvise(…))`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from generator.model.decode import Decoder, Fresh, Past
from generator.model.reader import reader_of
from generator.model.sample import Passage, Sampler
from generator.model.transformer import Composer

_Made = TypeVar("_Made")
_Past = TypeVar("_Past", bound=Past)
Rows = list[list[int]]
"""Token ids from BOS to EOS, a row for each line of a passage."""
Writing = Generator[Passage, Rows, _Made]


def alone(model: Composer, writing: Writing[_Made]) -> _Made:
    """What one writing makes."""
    (made,) = together(model, writing)
    return made  # type: ignore[no-any-return]


@torch.inference_mode()
def together(model: Composer, *writings: Writing[Any]) -> list[Any]:
    """What each writing makes. Raises what they raise; a passage that does not fit the model's context is thrown into
    its writing as ValueError."""
    # With another number of threads BLAS adds up in another order, and a seed would be other music elsewhere.
    with threadpool_limits(1, "blas"):
        if model.embed.weight.device.type == "cpu":
            return _served(reader_of(model), writings)
        return _served(Decoder(model), writings)


class _Reading(Protocol[_Past]):
    """`Reader` or `Decoder`."""

    def past(self, rows: int) -> _Past: ...
    def read(self, asked: Sequence[tuple[_Past, Fresh]]) -> list[np.ndarray]: ...


def _served(reading: _Reading[_Past], writings: Sequence[Writing[Any]]) -> list[Any]:
    seats = [_Seat(reading, writing) for writing in writings]
    for seat in seats:
        seat.go_on(partial(next, seat.writing))
    while busy := [(seat, seat.passage) for seat in seats if seat.passage is not None]:
        read = reading.read([(seat.past, passage.unread) for seat, passage in busy])
        for (seat, passage), logits in zip(busy, read, strict=True):
            seat.hear(passage, logits)
    return [seat.made for seat in seats]


class _Seat(Generic[_Past]):
    """A writing, the passage it waits for with what the model has read of it, and in the end what it has made."""

    def __init__(self, reading: _Reading[_Past], writing: Writing[Any]) -> None:
        self.writing = writing
        self.passage: Sampler | None = None
        self.past = reading.past(0)
        self.made: Any = None
        self._reading = reading

    def go_on(self, step: Callable[[], Passage]) -> None:
        """Let the writing go on until it wants a passage that fits or has ended."""
        self.passage = None
        while self.passage is None:
            try:
                passage = step()
            except StopIteration as end:
                self.made = end.value
                return
            try:
                self.passage = Sampler(passage, self.past.context)
            except ValueError as error:
                step = partial(self.writing.throw, error)
            else:
                self.past = self._reading.past(len(self.passage.unread))

    def hear(self, passage: Sampler, logits: np.ndarray) -> None:
        """Write the passage on, and hand it over when it is finished."""
        kept = passage.write(logits)
        if kept is not None:
            self.past.keep(kept)
        if passage.done:
            self.go_on(partial(self.writing.send, passage.rows))
        elif not self.past.fits(passage.unread):
            too_long = ValueError(f"the music does not fit its memory of {self.past.context} tokens")
            self.go_on(partial(self.writing.throw, too_long))
