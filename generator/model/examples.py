"""Training examples: stretches of pieces as token sequences, each set as one of the tasks the composer must do.

* compose: nothing given
* a part from the others: some parts of every bar given, the rest written (harmonising is one of these)
* repaint: all parts of the bars around a gap given, the gap written
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from generator.corpus.features import energies, piece_features
from generator.corpus.piece import PARTS, Piece
from generator.model import tokens
from generator.model.tokens import Controls, class_of

CONTROL_DROPOUT = 0.15  # of each control alone
FREE_SHARE = 0.1  # sequences without any control, for guidance
BAR_CONTROL_SHARE = 0.5  # sequences that say section roles and energies
LYRICS_SHARE = 0.4  # sequences of sung pieces that mark the syllables
TASKS = {"compose": 0.6, "part": 0.25, "repaint": 0.15}

_MARKS = frozenset(tokens.ID[f"mark={name}"] for name in tokens.MARKS)
_SECTION_ROLES = {
    "intro": "intro", "verse": "verse", "prechorus": "prechorus", "pre-chorus": "prechorus", "chorus": "chorus",
    "refrain": "chorus", "hook": "chorus", "bridge": "bridge", "middle": "bridge", "solo": "solo",
    "instrumental": "solo", "interlude": "break", "transition": "break", "break": "break", "outro": "outro",
    "coda": "outro", "fadeout": "outro", "ending": "outro",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoded:
    """A piece and its tokens: of each bar its section role, energy and blocks by part.

    A melody's block has marks when `lyrics` is set.
    """

    piece: Piece
    lyrics: bool
    roles: tuple[str, ...]
    energies: tuple[float, ...]
    blocks: tuple[Mapping[str, tuple[int, ...]], ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that the piece has, though a stretch of it may rest."""
        return tuple(self.blocks[0])

    @property
    def said(self) -> tuple[str, ...]:
        """The parts as the controls say them."""
        return (*self.parts, "lyrics") if self.lyrics else self.parts


def section_role(section: str) -> str:
    """A source's name of a section in the vocabulary's words, empty when it says nothing."""
    word = section.lower().strip().split(" ")[0].rstrip("0123456789")
    return _SECTION_ROLES.get(word, "")


def controls_of(piece: Piece, parts: tuple[str, ...] = ()) -> Controls:
    """The controls a finished piece answers to; `parts` are those it says it has, by default those it has.

    Mood is asked only of pieces that have a melody or harmony.
    """
    features = piece_features(piece)
    pitched = piece.parts != ("drums",)
    return Controls(
        mode=piece.key.mode,
        meter=str(piece.meter),
        parts=parts or (*piece.parts, *(("lyrics",) if piece.has_lyrics else ())),
        kind=piece.kind,
        styles=piece.styles[:2],
        valence=class_of(features.valence, tokens.MOOD_EDGES) if pitched else None,
        arousal=class_of(features.arousal, tokens.MOOD_EDGES) if pitched else None,
        tempo=None if piece.tempo_bpm is None else class_of(piece.tempo_bpm, tokens.TEMPO_EDGES),
        density=class_of(features.density, tokens.DENSITY_EDGES),
        complexity=class_of(features.complexity, tokens.COMPLEXITY_EDGES) if "chords" in piece.parts else None,
    )


def encode(piece: Piece) -> Encoded:
    """Raises ValueError when the vocabulary has no word for something in the piece (another metre, another place)."""
    controls_of(piece).prefix()  # refuses what cannot be said
    frame = tokens.frame_of(piece.bars, piece.key.tonic)
    lyrics = piece.has_lyrics
    try:
        blocks = tuple(
            {part: tuple(tokens.encode_block(bar, part, frame, lyrics=lyrics)) for part in piece.parts}
            for bar in piece.bars
        )
    except KeyError as error:
        raise ValueError(f"the vocabulary has no word for {error}") from error
    roles = tuple(section_role(bar.section) for bar in piece.bars)
    return Encoded(piece, lyrics, roles, energies(piece), blocks)


def drop_controls(controls: Controls, rng: np.random.Generator) -> Controls:
    """Some controls become "any", sometimes all of them; one draw for each whatever is there."""
    free, draws = rng.random() < FREE_SHARE, rng.random(7)
    if free:
        return controls.free()
    gone = {
        name: None
        for name, draw in zip(("kind", "valence", "arousal", "tempo", "density", "complexity"), draws[:6], strict=True)
        if draw < CONTROL_DROPOUT
    }
    styles = () if draws[6] < CONTROL_DROPOUT else controls.styles
    return replace(controls, styles=styles, **gone)  # type: ignore[arg-type]


def choose_parts(parts: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    """All parts, or the lead sheet alone, or any of them: the model has to write each of these."""
    draw, order = rng.random(), rng.random(len(parts))
    lead = tuple(part for part in parts if part in {"chords", "melody"})
    if draw < 0.5 or len(parts) < 2:
        return parts
    if draw < 0.85 and len(parts) > 2 and lead:
        return lead
    count = 1 + int(draw * 1e6) % (len(parts) - 1)
    kept = np.argsort(order)[:count]
    return tuple(part for index, part in enumerate(parts) if index in kept)


def view(encoded: Encoded, parts: tuple[str, ...], *, lyrics: bool) -> Encoded:
    """The piece with only these parts, its melody with or without marks."""
    lyrics = lyrics and "melody" in parts
    gone: dict[str, Any] = {part: () for part in (*PARTS, "lyrics") if part not in (*parts, "lyrics" if lyrics else "")}
    bars = tuple(replace(bar, **gone) for bar in encoded.piece.bars)
    blocks = tuple(
        {
            part: bar[part] if lyrics or part != "melody" else tuple(t for t in bar[part] if t not in _MARKS)
            for part in parts
        }
        for bar in encoded.blocks
    )
    return replace(encoded, piece=replace(encoded.piece, bars=bars), lyrics=lyrics, blocks=blocks)


def example(encoded: Encoded, context: int, rng: np.random.Generator) -> tuple[list[int], int]:
    """One sequence of at most `context` tokens, and where the controls end in it.

    The controls are those of the stretch that is shown, not of the whole piece. Empty when not even one bar fits.
    """
    task = str(rng.choice(list(TASKS), p=list(TASKS.values())))
    said = rng.random() < BAR_CONTROL_SHARE
    parts = choose_parts(encoded.parts, rng)
    lyrics = rng.random() < LYRICS_SHARE and encoded.lyrics
    room = context - 14 - len(parts)
    if task != "compose":
        room = room * 5 // 6  # heads stand twice
    first = _first_bar(encoded, parts, room, rng)
    count = stretch(encoded, parts, first, room)
    if count == 0:
        return [], 0
    shown = view(_cut(encoded, first, count), parts, lyrics=lyrics)
    prefix = drop_controls(controls_of(shown.piece, shown.said), rng).prefix()
    place = _Place(first, len(encoded.blocks), encoded.piece.phrase_offset)
    is_given = _given(task, shown, rng)
    given = _stream(shown, place, is_given, said=False)
    written = _stream(shown, place, lambda bar, part: not is_given(bar, part), said=said)
    if given:
        given = [tokens.GIVEN, *given, tokens.WRITE]
    ended = first + count == len(encoded.blocks) or bool(given)
    return [*prefix, *given, *written, *([tokens.EOS] if ended else [])], len(prefix)


def whole(encoded: Encoded, context: int) -> tuple[list[int], int]:
    """The piece from its beginning with all its controls, nothing given: what held-out losses are measured on."""
    count = stretch(encoded, encoded.parts, 0, context - 14 - len(encoded.parts))
    shown = _cut(encoded, 0, count)
    prefix = controls_of(shown.piece, shown.said).prefix()
    place = _Place(0, len(encoded.blocks), encoded.piece.phrase_offset)
    ids = _stream(shown, place, lambda _bar, _part: True, said=False)
    return [*prefix, *ids, *([tokens.EOS] if count == len(encoded.blocks) else [])], len(prefix)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a stretch stands in its piece: its first bar, how many there are, the bars before the first phrase."""

    first: int
    count: int
    offset: int


def _cut(encoded: Encoded, first: int, count: int) -> Encoded:
    last = first + count
    return replace(
        encoded,
        piece=replace(encoded.piece, bars=encoded.piece.bars[first:last]),
        roles=encoded.roles[first:last],
        energies=encoded.energies[first:last],
        blocks=encoded.blocks[first:last],
    )


def stretch(encoded: Encoded, parts: Sequence[str], first: int, room: int) -> int:
    """How many bars from `first` on fit `room` tokens, heads included."""
    count = used = 0
    for blocks in encoded.blocks[first:]:
        used += 4 + sum(len(blocks[part]) for part in parts)
        if used > room:
            break
        count += 1
    return count


def _first_bar(encoded: Encoded, parts: Sequence[str], room: int, rng: np.random.Generator) -> int:
    """The beginning when all fits, else a random phrase."""
    draw = rng.random()
    if stretch(encoded, parts, 0, room) == len(encoded.blocks):
        return 0
    offset = encoded.piece.phrase_offset
    chosen = int(draw * max(1, (len(encoded.blocks) - offset) // 4))
    return 0 if chosen == 0 else offset + 4 * chosen


def _given(task: str, shown: Encoded, rng: np.random.Generator) -> Callable[[int, str], bool]:
    """Which parts of which bars are there already."""
    parts, count = shown.parts, len(shown.blocks)
    if task == "part" and len(parts) > 1:
        chosen = set(rng.permutation(np.array(parts))[: int(rng.integers(1, len(parts)))].tolist())
        return lambda _bar, part: part in chosen
    if task == "repaint" and count > 2:
        length = int(rng.integers(1, max(2, count // 2)))
        start = int(rng.integers(0, count - length))
        return lambda bar, _part: not start <= bar < start + length
    return lambda _bar, _part: False


def _stream(shown: Encoded, place: _Place, wanted: Callable[[int, str], bool], *, said: bool) -> list[int]:
    ids: list[int] = []
    for bar, blocks in enumerate(shown.blocks):
        parts = [part for part in blocks if wanted(bar, part)]
        if not parts:
            continue
        role, energy = (shown.roles[bar], shown.energies[bar]) if said else ("", None)
        ids += tokens.head(place.first + bar, place.count, offset=place.offset, role=role, energy=energy)
        for part in parts:
            ids += blocks[part]
    return ids
