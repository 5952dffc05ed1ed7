"""Words under notes: where verse lines end, and syllables on the grid."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from generator.corpus.grid import snap
from generator.corpus.music import Word
from generator.corpus.piece import Syllable

_CLOSING = tuple(";.!?:")
_QUOTES = "\"'”’»)"
MIN_SYLLABLES = 4
"""No verse line is shorter, unless punctuation says so."""
LONG_WAIT = 4
_MANY_CAPITALS = 0.25  # above this share of capitalised words a capital says nothing (German nouns)
_NAMES = frozenset({"i", "o", "i'm", "i'll", "i've", "i'd", "god", "lord", "jesus", "christ", "thee", "thou", "thy",
                    "he", "him", "his", "king", "father", "son"})  # fmt: skip


def mark_lines(words: Sequence[Word]) -> tuple[Word, ...]:
    """Mark the last syllable of each verse line.

    A line ends before ; . ! ? : and, after MIN_SYLLABLES, before a comma or where the singer waits LONG_WAIT times
    as long as usual. After as many it also ends before a word with a capital letter when the singer waits longer
    than usual, the word is no usual name, and capitals are rare.
    """
    telling = _capitals_tell(words)
    waits = [after.onset - word.onset for word, after in pairwise(words)]
    usual = sorted(waits)[len(waits) // 2] if waits else 0
    marked: list[Word] = []
    since = 0
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else None
        since += 1
        text = word.text.rstrip(_QUOTES)
        end = following is None or text.endswith(_CLOSING) or (since >= MIN_SYLLABLES and text.endswith(","))
        if following is not None and not end and since >= MIN_SYLLABLES and waits[index] > usual:
            end = waits[index] >= LONG_WAIT * usual or (telling and _opens_line(following.text))
        if following is not None and following.inner:
            end = False
        since = 0 if end else since
        marked.append(word._replace(line_end=end))
    return tuple(marked)


def mark_verse(words: Sequence[Word], lengths: Sequence[int]) -> tuple[Word, ...]:
    """Mark verse lines whose lengths in syllables are known (8 6 8 6); as `mark_lines` when they do not add up."""
    if not lengths or sum(lengths) != len(words):
        return mark_lines(words)
    ends = {end - 1 for end in accumulate(lengths)}
    return tuple(word._replace(line_end=index in ends) for index, word in enumerate(words))


def _capitals_tell(words: Sequence[Word]) -> bool:
    starts = [word for word in words if not word.inner and word.text]
    return sum(word.text[:1].isupper() for word in starts) <= _MANY_CAPITALS * len(starts)


def _opens_line(text: str) -> bool:
    return text[:1].isupper() and text.strip(".,;:!?").lower() not in _NAMES


def syllables_by_bar(words: Iterable[Word], steps: int, count: int) -> list[tuple[Syllable, ...]]:
    """Syllables dealt out to bars, one on each place."""
    bars: list[dict[int, Syllable]] = [{} for _ in range(count)]
    for word in words:
        index, pos = divmod(snap(word.onset, steps), steps)
        if 0 <= index < count and word.text:
            bars[index].setdefault(pos, Syllable(pos, word.text, word.inner, word.line_end))
    return [tuple(bar[pos] for pos in sorted(bar)) for bar in bars]
