"""Several writings at one desk: the model reads for all of them at once, for fetching its weights is what costs.

A writing is a generator. It yields the passage it wants next, is sent the passage's rows, and returns what it made of
them, as in `lead, drums = together(model, compose(…), improvise(…))`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch

from generator.model.decode import Decoder, Past
from generator.model.sample import Passage, Sampler
from generator.model.transformer import Composer

_Made = TypeVar("_Made")
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
    decoder, seats = Decoder(model), [_Seat(model, writing) for writing in writings]
    for seat in seats:
        seat.go_on(partial(next, seat.writing))
    while busy := [(seat, seat.passage) for seat in seats if seat.passage is not None]:
        read = decoder.read([(seat.past, passage.unread) for seat, passage in busy])
        for (seat, passage), logits in zip(busy, read, strict=True):
            seat.hear(passage, logits)
    return [seat.made for seat in seats]


class _Seat:
    """A writing, the passage it waits for with what the model has read of it, and in the end what it has made."""

    def __init__(self, model: Composer, writing: Writing[Any]) -> None:
        self.writing = writing
        self.passage: Sampler | None = None
        self.past = Past(model, 0)
        self.made: Any = None
        self._model = model

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
                self.passage = Sampler(passage, self._model.config.context)
            except ValueError as error:
                step = partial(self.writing.throw, error)
            else:
                self.past = Past(self._model, len(self.passage.unread))

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
