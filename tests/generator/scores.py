"""Hypothesis strategies and small fixed pieces for the tests of the generator."""

from __future__ import annotations

from hypothesis import strategies as st

from generator.brief import METERS, Brief, Key, Mood
from generator.corpus.piece import DRUMS, GRID, PARTS, Bar, GridChord, GridNote, Hit, Piece, Syllable
from generator.model import tokens
from generator.render.instruments import INSTRUMENTS
from generator.score import (
    CHORD_TONES,
    CONTROLLERS,
    PPQ,
    Chord,
    Control,
    Meter,
    Note,
    Part,
    Score,
    Section,
    TempoChange,
)

keys = st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"]))
meters = st.sampled_from(METERS).map(Meter.parse)


def brief(style: str = "lofi", **changes: object) -> Brief:
    """A plain Brief for a style; any field can be changed."""
    values: dict[str, object] = {
        "styles": ((style, 1.0),), "mood": Mood(0.2, -0.2), "tempo_bpm": 90.0, "key": "C major", "meter": "4/4",
        "length_s": 20.0, "seed": 7,
    }  # fmt: skip
    return Brief(**(values | changes))


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    """Any piece that the tokens can say exactly."""
    key, meter = draw(keys), Meter.parse(draw(st.sampled_from(tokens.METERS)))
    steps = meter.beats * GRID * 4 // meter.beat_unit
    places = [pos for pos in tokens.POSITIONS if pos < steps]
    parts = draw(st.sets(st.sampled_from(PARTS), min_size=1))
    bars = []
    busy = 0
    for _ in range(draw(st.integers(1, 5))):
        content: dict[str, tuple[object, ...]] = {}
        if "chords" in parts:
            beats = draw(st.lists(st.sampled_from(range(0, steps, GRID)), unique=True, max_size=3))
            content["chords"] = tuple(
                GridChord(p, draw(st.integers(0, 11)), draw(st.sampled_from(tokens.QUALITIES))) for p in sorted(beats)
            )
        if "melody" in parts:
            content["melody"] = draw(_melodies(places, busy))
            busy = max([busy - steps, 0, *(note.pos + note.dur - steps for note in content["melody"])])  # type: ignore[attr-defined]
            content["lyrics"] = tuple(
                Syllable(note.pos, "", draw(st.booleans()), draw(st.booleans()))  # type: ignore[attr-defined]
                for note in content["melody"]
                if draw(st.booleans())
            )
        for part in sorted(parts & {"bass", "accompaniment", "voices"}):
            # Further apart, a note may lie out of the reach of the tokens, which fold it by an octave.
            found = draw(st.sets(st.tuples(st.sampled_from(places), st.integers(47, 72)), max_size=6))
            content[part] = tuple(GridNote(p, draw(st.sampled_from(tokens.DURATIONS)), n) for p, n in sorted(found))
        if "drums" in parts:
            struck = draw(st.sets(st.tuples(st.sampled_from(places), st.integers(0, len(DRUMS) - 1)), max_size=6))
            content["drums"] = tuple(
                Hit(
                    p,
                    DRUMS[drum],
                    tokens.velocity_of(draw(st.integers(0, 7))),
                    tokens.shift_of(draw(st.integers(0, 10))),
                )
                for p, drum in sorted(struck)
            )
        bars.append(Bar(**content))  # type: ignore[arg-type]
    return Piece("test", "song", "a.mxl", "CC0-1.0", "0" * 64, "", key, meter, tuple(bars))


@st.composite
def _melodies(draw: st.DrawFn, places: list[int], busy: int) -> tuple[GridNote, ...]:
    notes = []
    for pos in places:
        if pos >= busy and draw(st.booleans()):
            notes.append(GridNote(pos, draw(st.sampled_from(tokens.DURATIONS)), draw(st.integers(60, 72))))
            busy = pos + notes[-1].dur
    return tuple(notes)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Any score that a MIDI file can hold: a pitch sounds once at a time, tempos have two decimals."""
    meter = draw(meters)
    bars = draw(st.integers(1, 6))
    end = bars * meter.bar_ticks
    parts = tuple(draw(_parts(f"part{index}", end)) for index in range(draw(st.integers(1, 4))))
    cuts = sorted(draw(st.sets(st.integers(0, end - 1), max_size=5)))
    chords = tuple(
        Chord(onset, draw(st.sampled_from([following - onset, max(1, (following - onset) // 2)])),
              draw(st.integers(0, 11)), draw(st.sampled_from(list(CHORD_TONES))), draw(st.none() | st.integers(0, 11)))
        for onset, following in zip(cuts, [*cuts[1:], end], strict=False)
    )  # fmt: skip
    changes = sorted({0, *draw(st.sets(st.integers(1, end - 1), max_size=2))})
    tempos = tuple(TempoChange(tick, draw(st.integers(4000, 22000)) / 100) for tick in changes)
    title = draw(st.text(st.characters(categories=["L", "N"]), max_size=12))
    return Score(title, draw(keys), meter, bars, tempos, chords, draw(_sections(bars)), parts)


@st.composite
def _parts(draw: st.DrawFn, name: str, end: int) -> Part:
    role = draw(st.sampled_from(["melody", "chords", "bass", "drums"]))
    fitting = [name for name, instrument in INSTRUMENTS.items() if instrument.kit == (role == "drums")]
    notes = {}
    for _ in range(draw(st.integers(0, 12))):
        onset = draw(st.integers(0, end - 60))
        pitch = draw(st.integers(30, 90))
        notes[pitch] = Note(
            onset, draw(st.integers(1, end - onset)), pitch, draw(st.integers(1, 127)),
            lyric=draw(st.sampled_from(["", "la", "Hal-", "jah", "déjà", "o'er"])) if role == "melody" else "",
            slide=draw(st.sampled_from([0, 0, 0, 12, -5])) if role == "bass" else 0,
        )  # fmt: skip
    ordered = tuple(sorted(notes.values(), key=lambda note: (note.onset, note.pitch)))
    moves = []
    for _ in range(draw(st.integers(0, 4)) if ordered else 0):
        kind = draw(st.sampled_from(sorted(CONTROLLERS)))
        moves.append(Control(draw(st.integers(0, end)), kind, draw(st.integers(*CONTROLLERS[kind]))))
    return Part(name, role, draw(st.sampled_from(fitting)), ordered, tuple(sorted(moves, key=lambda move: move.tick)))


@st.composite
def _sections(draw: st.DrawFn, bars: int) -> tuple[Section, ...]:
    starts = [0, *sorted(draw(st.sets(st.integers(1, bars), max_size=2)) - {bars})]
    return tuple(
        Section(draw(st.sampled_from(["A", "A'", "intro", "Verse 1"])), start, following - start,
                draw(st.integers(0, 1000)) / 1000, draw(st.sampled_from(["A", "B"])))
        for start, following in zip(starts, [*starts[1:], bars], strict=True)
    )  # fmt: skip


def scale(instrument: str = "grand_piano") -> Score:
    """Two bars of a C major scale over two chords."""
    pitches = (60, 62, 64, 65, 67, 69, 71, 72)
    notes = tuple(Note(index * PPQ, PPQ, pitch) for index, pitch in enumerate(pitches))
    chords = (Chord(0, 4 * PPQ, 0, "maj7"), Chord(4 * PPQ, 4 * PPQ, 7, "7"))
    return Score(
        "Scale", Key(0, "major"), Meter(4, 4), 2, (TempoChange(0, 120.0),), chords, (Section("A", 0, 2, 0.6, "A"),),
        (Part("melody", "melody", instrument, notes),),
    )  # fmt: skip


def band() -> Score:
    """Four bars with an introduction in C minor: a sung tune, slash chords, bass, drums, a slower end."""
    words = {4: "Ev-", 5: "ery", 6: "day"}
    tune = tuple(
        Note(4 * PPQ + index * PPQ, PPQ, pitch, 70 + index, lyric=words.get(index + 4, ""))
        for index, pitch in enumerate((67, 68, 67, 65, 63, 62, 60, 59, 60))
    )
    bass = tuple(Note(bar * 4 * PPQ, 3 * PPQ, pitch) for bar, pitch in enumerate((36, 36, 41, 43)))
    drums = tuple(Note(beat * PPQ, PPQ // 4, 36 if beat % 2 == 0 else 38, 100) for beat in range(16))
    chords = (
        Chord(0, 4 * PPQ, 0, "m7"), Chord(4 * PPQ, 4 * PPQ, 8, "maj7", 0), Chord(8 * PPQ, 4 * PPQ, 5, "m9"),
        Chord(12 * PPQ, 4 * PPQ, 7, "7", 11),
    )  # fmt: skip
    sections = (Section("intro", 0, 1, 0.3, "A"), Section("A", 1, 3, 0.7, "A"))
    parts = (
        Part("melody", "melody", "violin", tune), Part("bass", "bass", "upright_bass", bass),
        Part("drums", "drums", "jazz_kit", drums),
    )  # fmt: skip
    tempos = (TempoChange(0, 96.0), TempoChange(12 * PPQ, 80.0))
    return Score("Every Day", Key(0, "minor"), Meter(4, 4), 4, tempos, chords, sections, parts)
