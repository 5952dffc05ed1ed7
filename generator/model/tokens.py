"""The composer's vocabulary: music as a bar-major sequence of tokens, and back.

    BOS kind style style valence arousal mode meter tempo density complexity (part=)*      the controls
    [ GIVEN ( bar left (part= block)* )* WRITE ]                                           what is there already
    ( bar left [role] [energy] (part= block)* )*  EOS                                      what is written

    block of chords                       (pos root qual)*
    block of melody                       (pos pitch dur [mark])*          marks when "lyrics" is among the parts
    block of bass, accompaniment, voices  (pos (pitch dur)+)*              pitches ascend within one onset
    block of drums                        (pos (hit vel shift)+)*

* Pitches and chord roots are relative to the tonic, so every key is one key and transposition is free.
* Every control but mode and meter may be "any": the model saw it dropped and can do without.
* `part=` in the controls says what the music contains, in a block what follows; an absent part is absent, not faked.
* `bar` is the place in the eight-bar phrase, `left` how many bars remain (so that endings can be planned).
* Time within a bar: 6 places per quarter note (sixteenths and triplet eighths), grid of `GRID` steps.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from generator.brief import STYLES
from generator.corpus.piece import DRUMS, GRID, PARTS, Bar, GridChord, GridNote, Hit, Syllable
from generator.score import CHORD_TONES

VERSION = 2
"""Changes whenever a token changes its meaning; checkpoints carry it."""

KINDS = ("song", "jazz", "hymn", "lied", "chart", "choral", "piano", "chamber", "band", "groove", "progression")
MODES = ("major", "minor")
METERS = ("4/4", "3/4", "2/4", "6/8", "3/8", "9/8", "12/8", "5/4", "7/8")
ROLES = ("intro", "verse", "prechorus", "chorus", "bridge", "solo", "break", "outro")
MARKS = ("word", "inner", "melisma", "word_end", "inner_end")
"""A syllable that begins a word, goes on with one, none, and the same two at the end of a verse line."""
QUALITIES = tuple(CHORD_TONES)
PLACES = (0, 3, 4, 6, 8, 9)  # grid steps within a beat
POSITIONS = tuple(beat * GRID + place for beat in range(6) for place in PLACES)
DURATIONS = (3, 4, 6, 8, 9, 12, 15, 16, 18, 21, 24, 27, 30, 33, 36, 42, 48, 60, 72, 84, 96)
LOWEST, HIGHEST = -40, 40  # semitones from the reference tonic
PHRASE = 8
MANY_LEFT = 16  # left counts 1 … 15 bars, then "many"
DENSITY_EDGES = (0.35, 0.55, 0.7, 0.85, 1.0, 1.2, 1.45, 1.8, 2.4)  # onsets per quarter, upper edges of classes 0 … 8
COMPLEXITY_EDGES = (0.03, 0.1, 0.2, 0.35, 0.55)  # of `features.complexity`, upper edges of classes 0 … 4
TEMPO_EDGES = (60.0, 76.0, 92.0, 108.0, 126.0, 144.0, 168.0)  # bpm, upper edges of classes 0 … 6
MOOD_EDGES = (-0.5, -0.15, 0.15, 0.5)  # valence and arousal, upper edges of classes 0 … 3
ENERGY_EDGES = (0.25, 0.5, 0.75)  # upper edges of classes 0 … 2
VELOCITY_CLASSES = 8
SHIFT_CLASSES, SHIFT_TICKS = 11, 10  # -5 … 5 tenths of 100 ticks at PPQ 480


def _build_vocabulary() -> tuple[str, ...]:
    words = ["PAD", "BOS", "EOS", "GIVEN", "WRITE"]
    words += [f"kind={name}" for name in (*KINDS, "any")]
    words += [f"style={name}" for name in (*STYLES, "any")]
    for control, edges in (
        ("valence", MOOD_EDGES), ("arousal", MOOD_EDGES), ("tempo", TEMPO_EDGES), ("density", DENSITY_EDGES),
        ("complexity", COMPLEXITY_EDGES),
    ):  # fmt: skip
        words += [f"{control}={index}" for index in (*range(len(edges) + 1), "any")]
    words += [f"mode={name}" for name in MODES]
    words += [f"meter={name}" for name in METERS]
    words += [f"part={name}" for name in (*PARTS, "lyrics")]
    words += [f"bar={index}" for index in range(PHRASE)]
    words += [f"left={index}" for index in range(1, MANY_LEFT + 1)]
    words += [f"role={name}" for name in ROLES]
    words += [f"energy={index}" for index in range(len(ENERGY_EDGES) + 1)]
    words += [f"pos={index}" for index in POSITIONS]
    words += [f"root={index}" for index in range(12)]
    words += [f"qual={name}" for name in QUALITIES]
    words += [f"pitch={index}" for index in range(LOWEST, HIGHEST + 1)]
    words += [f"dur={index}" for index in DURATIONS]
    words += [f"mark={name}" for name in MARKS]
    words += [f"hit={name}" for name in DRUMS]
    words += [f"vel={index}" for index in range(VELOCITY_CLASSES)]
    words += [f"shift={index}" for index in range(SHIFT_CLASSES)]
    return tuple(words)


VOCABULARY = _build_vocabulary()
ID = {word: index for index, word in enumerate(VOCABULARY)}
FIELDS = tuple(tuple(word.partition("=")[::2]) for word in VOCABULARY)
"""(name, value) of every token."""
PAD, BOS, EOS, GIVEN, WRITE = (ID[word] for word in ("PAD", "BOS", "EOS", "GIVEN", "WRITE"))


@dataclass(frozen=True, slots=True)
class Controls:
    """What is asked of a sequence; None or an empty tuple means "any". Classes count from 0, see the edges above."""

    mode: str
    meter: str
    parts: tuple[str, ...] = ("chords", "melody")
    kind: str | None = None
    styles: tuple[str, ...] = ()
    valence: int | None = None
    arousal: int | None = None
    tempo: int | None = None
    density: int | None = None
    complexity: int | None = None

    def prefix(self) -> list[int]:
        """Raises ValueError when a control is out of its range."""
        first, second, *_ = (*self.styles, None, None)
        words = [
            "BOS", f"kind={_any(self.kind)}", f"style={_any(first)}", f"style={_any(second)}",
            f"valence={_any(self.valence)}", f"arousal={_any(self.arousal)}", f"mode={self.mode}",
            f"meter={self.meter}", f"tempo={_any(self.tempo)}", f"density={_any(self.density)}",
            f"complexity={_any(self.complexity)}", *(f"part={part}" for part in self.parts),
        ]  # fmt: skip
        unknown = [word for word in words if word not in ID]
        if unknown:
            raise ValueError(f"the composer has no control {unknown[0]}")
        return [ID[word] for word in words]

    def free(self) -> Controls:
        """The same music, nothing asked of it: what guidance steers away from."""
        return Controls(self.mode, self.meter, self.parts)


def _any(value: str | int | None) -> str | int:
    return "any" if value is None else value


def class_of(value: float, edges: Sequence[float]) -> int:
    return bisect.bisect_left(edges, value)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where pitches are counted from: the tonic's pitch class and the MIDI pitch of the reference tonic."""

    tonic: int
    reference: int


def frame_of(bars: Sequence[Bar], tonic: int) -> Frame:
    """The reference is the tonic nearest below the middle of the melody, or of all notes where there is none."""
    pitches = sorted(note.pitch for bar in bars for note in bar.melody)
    if not pitches:
        pitches = sorted(note.pitch for bar in bars for note in (*bar.voices, *bar.accompaniment))
    middle = pitches[len(pitches) // 2] if pitches else 67
    return Frame(tonic, middle - 3 - (middle - 3 - tonic) % 12)


def head(index: int, count: int, *, offset: int = 0, role: str = "", energy: float | None = None) -> list[int]:
    """The tokens that open bar `index` of `count`; `offset` bars come before the first full phrase."""
    ids = [ID[f"bar={(index - offset) % PHRASE}"], ID[f"left={min(count - index, MANY_LEFT)}"]]
    if role in ROLES:
        ids.append(ID[f"role={role}"])
    if energy is not None:
        ids.append(ID[f"energy={class_of(energy, ENERGY_EDGES)}"])
    return ids


def encode_block(bar: Bar, part: str, frame: Frame, *, lyrics: bool = False) -> list[int]:
    """One part of one bar. Pitches out of range move by octaves; durations round to the nearest class."""
    ids = [ID[f"part={part}"]]
    if part == "chords":
        for chord in bar.chords:
            ids += [ID[f"pos={chord.pos}"], ID[f"root={(chord.root - frame.tonic) % 12}"], ID[f"qual={chord.quality}"]]
    elif part == "drums":
        ids += _encode_drums(bar.drums)
    elif part == "melody":
        marks = _marks(bar.lyrics) if lyrics else {}
        for note in bar.melody:
            ids += [ID[f"pos={note.pos}"], *_pitch_and_duration(note, frame)]
            if lyrics:
                ids.append(ID[f"mark={marks.get(note.pos, 'melisma')}"])
    else:
        ids += _encode_voices(getattr(bar, part), frame)
    return ids


def _pitch_and_duration(note: GridNote, frame: Frame) -> tuple[int, int]:
    return ID[f"pitch={_in_range(note.pitch - frame.reference)}"], ID[f"dur={nearest_duration(note.dur)}"]


def _encode_voices(notes: Iterable[GridNote], frame: Frame) -> list[int]:
    ids: list[int] = []
    onsets: dict[int, dict[int, int]] = {}
    for note in notes:
        pitch, duration = _pitch_and_duration(note, frame)
        onsets.setdefault(note.pos, {})[pitch] = duration
    for pos, chord in sorted(onsets.items()):
        ids.append(ID[f"pos={pos}"])
        for pitch, duration in sorted(chord.items()):
            ids += [pitch, duration]
    return ids


def _encode_drums(hits: Iterable[Hit]) -> list[int]:
    ids: list[int] = []
    onsets: dict[int, dict[int, Hit]] = {}
    for hit in hits:
        onsets.setdefault(hit.pos, {})[ID[f"hit={hit.drum}"]] = hit
    for pos, strokes in sorted(onsets.items()):
        ids.append(ID[f"pos={pos}"])
        for token, hit in sorted(strokes.items()):
            ids += [token, ID[f"vel={velocity_class(hit.velocity)}"], ID[f"shift={shift_class(hit.shift_ticks)}"]]
    return ids


def velocity_class(velocity: int) -> int:
    return min(VELOCITY_CLASSES - 1, velocity * VELOCITY_CLASSES // 128)


def velocity_of(index: int) -> int:
    """The middle of a class."""
    return (2 * index + 1) * 64 // VELOCITY_CLASSES


def shift_class(ticks: int) -> int:
    half = SHIFT_CLASSES // 2
    return max(-half, min(half, round(ticks / SHIFT_TICKS))) + half


def shift_of(index: int) -> int:
    return (index - SHIFT_CLASSES // 2) * SHIFT_TICKS


def mark_of(syllable: Syllable) -> str:
    return ("inner" if syllable.inner else "word") + ("_end" if syllable.line_end else "")


def _marks(lyrics: Iterable[Syllable]) -> dict[int, str]:
    return {syllable.pos: mark_of(syllable) for syllable in lyrics}


def _in_range(pitch: int) -> int:
    while pitch < LOWEST:
        pitch += 12
    while pitch > HIGHEST:
        pitch -= 12
    return pitch


def nearest_duration(duration: int) -> int:
    return min(DURATIONS, key=lambda value: (abs(value - duration), value))


def given_stream(
    bars: Sequence[Bar],
    given: Sequence[Sequence[str]],
    frame: Frame,
    *,
    count: int,
    offset: int = 0,
    lyrics: bool = False,
) -> list[int]:
    """GIVEN … WRITE: of each of `bars` the parts in `given`; empty when nothing is given. The rest as in `head`."""
    ids: list[int] = []
    for index, (bar, parts) in enumerate(zip(bars, given, strict=True)):
        if parts:
            ids += head(index, count, offset=offset)
            for part in parts:
                ids += encode_block(bar, part, frame, lyrics=lyrics)
    return [GIVEN, *ids, WRITE] if ids else []


def decode(ids: Sequence[int], frame: Frame) -> tuple[Bar, ...]:
    """The written bars of one sequence, in order; controls, given bars and EOS may be there and are skipped.

    Raises ValueError when the tokens break the grammar of this module.
    """
    words = [FIELDS[token] for token in ids]
    if not words or words[0][0] != "BOS":
        raise ValueError("a sequence begins with BOS and its controls")
    start = next((index for index, (name, _) in enumerate(words) if name in {"WRITE", "bar"}), len(words))
    if ("GIVEN", "") in words:
        start = words.index(("WRITE", "")) if ("WRITE", "") in words else len(words)
    bars: list[dict[str, list[tuple[str, str]]]] = []
    part = ""
    for name, value in words[start:]:
        match name:
            case "WRITE" | "EOS" | "PAD":
                continue
            case "bar":
                bars.append({})
                part = ""
            case "left" | "role" | "energy":
                continue
            case "part":
                part = value
                bars[-1][part] = []
            case _ if not part:
                raise ValueError(f"{name}={value} belongs to no part")
            case _:
                bars[-1][part].append((name, value))
    return tuple(_decode_bar(blocks, frame) for blocks in bars)


def _decode_bar(blocks: dict[str, list[tuple[str, str]]], frame: Frame) -> Bar:
    chords, notes, lyrics = [], {part: [] for part in PARTS}, []  # type: ignore[var-annotated]
    hits: list[Hit] = []
    for part, words in blocks.items():
        pos = at = 0
        while at < len(words):
            names = [name for name, _ in words[at : at + 3]]
            values = [value for _, value in words[at : at + 3]]
            if names[0] == "pos":
                pos = int(values[0])
                at += 1
            elif names[:2] == ["root", "qual"]:
                chords.append(GridChord(pos, (int(values[0]) + frame.tonic) % 12, values[1]))
                at += 2
            elif names[:2] == ["pitch", "dur"]:
                notes[part].append(GridNote(pos, int(values[1]), int(values[0]) + frame.reference))
                at += 2
            elif names == ["hit", "vel", "shift"]:
                hits.append(Hit(pos, values[0], velocity_of(int(values[1])), shift_of(int(values[2]))))
                at += 3
            elif names[0] == "mark":
                if values[0] != "melisma":
                    inner, _, end = values[0].partition("_")
                    lyrics.append(Syllable(pos, "", inner == "inner", bool(end)))
                at += 1
            else:
                raise ValueError(f"{names[0]} cannot stand in a block of {part}")
    return Bar(
        chords=tuple(chords), melody=tuple(notes["melody"]), bass=tuple(notes["bass"]),
        accompaniment=tuple(notes["accompaniment"]), voices=tuple(notes["voices"]), drums=tuple(hits),
        lyrics=tuple(lyrics),
    )  # fmt: skip
