"""From a file's music to pieces: the stretch in one metre, the bar lines, key, chords, parts and words on the grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from generator.corpus.barlines import find_shift
from generator.corpus.drums import hits_by_bar
from generator.corpus.grid import TICKS, beat_steps, by_bar, chords_by_bar, skyline, snap, snap_notes
from generator.corpus.harmony import infer_chords
from generator.corpus.keys import find_key
from generator.corpus.lyrics import syllables_by_bar
from generator.corpus.meters import MAX_BARS, MIN_BARS, Stretch, stretches, usable
from generator.corpus.music import LeftOut, Music, RawChord, RawNote, Track, Unusable
from generator.corpus.piece import GRID, Bar, Piece
from generator.score import CHORD_TONES, Meter

_TEXTURE = 1.25
"""Notes sounding at once, on the average, from which harmony can be heard."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a file besides its notes; the fields of `Piece` that do not come from the music."""

    source: str
    kind: str
    path: str
    licence: str
    sha256: str
    title: str
    composer: str = ""
    year: int | None = None
    genres: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    tempo_bpm: float | None = None


def assemble(music: Music, about: About) -> Iterator[Piece]:
    """The pieces in a file whose tracks have roles: one for each long stretch in one metre.

    The first keeps the file's path, the second has "#2" behind it, and so on. Raises Unusable.
    """
    if not any(track.notes for track in music.tracks) and not music.chords:
        raise Unusable("no notes")
    if not music.meters:
        raise Unusable("no metre")
    found = usable(music)
    if not found and sum(stretch.bars for stretch in stretches(music)) < 2 * MIN_BARS:
        raise LeftOut("shorter than four bars of one metre")
    if not found:
        raise Unusable("no stretch of four bars in a metre we write")
    if any(stretch.bars > MAX_BARS for stretch in found):
        raise Unusable(f"longer than {MAX_BARS} bars")
    names = [about.path, *(f"{about.path}#{number}" for number in range(2, len(found) + 1))]
    pieces = [_piece(_cut(music, s), s, replace(about, path=name)) for s, name in zip(found, names, strict=True)]
    if not any(pieces):
        raise LeftOut("shorter than four bars")
    yield from filter(None, pieces)


def _cut(music: Music, stretch: Stretch) -> Music:
    """The stretch alone, its ticks counted from its start and restated in its metre."""
    start, end, scale = stretch.start, stretch.end, stretch.scale

    def at(tick: int) -> int:
        return (tick - start) * scale.numerator // scale.denominator

    def inside(tick: int) -> bool:
        return start <= tick < end

    tracks = tuple(
        replace(
            track,
            notes=tuple(
                RawNote(at(n.onset), n.duration * scale.numerator // scale.denominator, n.pitch, n.velocity)
                for n in track.notes
                if inside(n.onset)
            ),
            words=tuple(word._replace(onset=at(word.onset)) for word in track.words if inside(word.onset)),
        )
        for track in music.tracks
    )
    earlier = [key for key in music.keys if key.tick <= start][-1:]
    keys = [*(key._replace(tick=0) for key in earlier)]
    keys += [key._replace(tick=at(key.tick)) for key in music.keys if start < key.tick < end]
    tempos = [(0, bpm) for tick, bpm in music.tempos if tick <= start][-1:]
    tempos += [(at(tick), bpm) for tick, bpm in music.tempos if start < tick < end]
    return replace(
        music,
        tracks=tracks,
        tempos=tuple(tempos),
        keys=tuple(keys),
        chords=tuple(chord._replace(onset=at(chord.onset)) for chord in music.chords if inside(chord.onset)),
        sections=tuple((at(tick), name) for tick, name in music.sections if inside(tick)),
        pickup=music.pickup * scale.numerator // scale.denominator if start == 0 else 0,
    )


def _piece(music: Music, stretch: Stretch, about: About) -> Piece | None:
    """None when fewer than MIN_BARS sound."""
    meter = stretch.meter
    pitched = [note for track in music.tracks if not track.drums for note in track.notes]
    sounding = [*pitched, *_tones(music.chords, music.end)]
    shift = 0 if music.barred else find_shift(sounding, meter.bar_ticks)
    music = _shifted(music, shift)
    chords = music.chords or _inferred([note for t in music.tracks if not t.drums for note in t.notes], meter)
    bars = _bars(music, chords, meter, max(1, -(-music.end // meter.bar_ticks)))
    key = find_key(pitched or sounding, *_signature(music))
    tempo = music.tempo_bpm or about.tempo_bpm
    piece = Piece(
        source=about.source, kind=about.kind, path=about.path, licence=about.licence, sha256=about.sha256,
        title=about.title, key=key, meter=meter, bars=tuple(bars), composer=about.composer, year=about.year,
        genres=about.genres, styles=about.styles, tempo_bpm=_beats_per_minute(tempo, stretch.scale, meter),
        phrase_offset=int(shift > 0 or music.pickup > 0), chords_inferred=not music.chords and bool(chords),
    )  # fmt: skip
    return _trimmed(piece)


def _bars(music: Music, chords: Sequence[RawChord], meter: Meter, count: int) -> list[Bar]:
    steps = meter.bar_ticks // TICKS
    parts: dict[str, list[RawNote]] = {"melody": [], "bass": [], "accompaniment": [], "voices": []}
    for track in music.tracks:
        if track.drums or not track.notes:
            continue
        notes = snap_notes(track.notes, steps)
        if track.role == "melody":
            parts["melody"] += notes
        elif track.role == "keyboard":
            top = skyline(notes)
            places = {(note.onset, note.pitch) for note in top}
            parts["melody"] += top
            parts["accompaniment"] += [note for note in notes if (note.onset, note.pitch) not in places]
        else:
            parts[track.role] += notes
    melody = skyline(sorted(parts["melody"]))
    onsets = {note.onset for note in melody}
    words = [word for track in music.tracks for word in track.words]
    texts = syllables_by_bar([word for word in words if snap(word.onset, steps) in onsets], steps, count)
    drums = hits_by_bar([n for t in music.tracks if t.drums for n in t.notes], steps, count)
    symbols = chords_by_bar(chords, meter, count)
    sections = {snap(tick, steps) // steps: name for tick, name in music.sections}
    dealt = {name: by_bar(notes, steps, count) for name, notes in (parts | {"melody": melody}).items()}
    return [
        Bar(
            chords=symbols[i], melody=dealt["melody"][i], bass=dealt["bass"][i],
            accompaniment=dealt["accompaniment"][i], voices=dealt["voices"][i], drums=drums[i], lyrics=texts[i],
            section=sections.get(i, ""),
        )
        for i in range(count)
    ]  # fmt: skip


def _inferred(notes: Sequence[RawNote], meter: Meter) -> tuple[RawChord, ...]:
    """Chords worked out from all voices, one a beat at most; none for a voice alone, which does not tell them."""
    span = max((note.onset + note.duration for note in notes), default=0) - min((n.onset for n in notes), default=0)
    if sum(note.duration for note in notes) < _TEXTURE * span or not notes:
        return ()
    beat = beat_steps(meter)
    steps = [(note.onset // TICKS, max(1, note.duration // TICKS), note.pitch) for note in notes]
    named = infer_chords(steps, max(onset + duration for onset, duration, _ in steps), beat)
    return tuple(RawChord(i * beat * TICKS, *chord) for i, chord in enumerate(named) if chord is not None)


def _tones(chords: Sequence[RawChord], end: int) -> Iterator[RawNote]:
    """The tones of chord symbols as notes, each until the next symbol, the root lowest."""
    ends = [*(chord.onset for chord in chords[1:]), end]
    for chord, until in zip(chords, ends, strict=False):
        for tone in CHORD_TONES[chord.quality]:
            yield RawNote(chord.onset, max(1, until - chord.onset), 36 + chord.root + tone)


def _shifted(music: Music, shift: int) -> Music:
    if not shift:
        return music

    def move(track: Track) -> Track:
        notes = tuple(note._replace(onset=note.onset + shift) for note in track.notes)
        return replace(track, notes=notes, words=tuple(w._replace(onset=w.onset + shift) for w in track.words))

    chords = tuple(chord._replace(onset=chord.onset + shift) for chord in music.chords)
    return replace(music, tracks=tuple(move(track) for track in music.tracks), chords=chords)


def _signature(music: Music) -> tuple[int | None, str]:
    """The signature under which most of the music stands, and its mode; None and empty when none is given."""
    lasts = Counter[tuple[int, str]]()
    for index, key in enumerate(music.keys):
        until = music.keys[index + 1].tick if index + 1 < len(music.keys) else max(music.end, key.tick + 1)
        lasts[key.fifths, key.mode] += until - key.tick
    return lasts.most_common(1)[0][0] if lasts else (None, "")


def _beats_per_minute(quarters: float | None, scale: Fraction, meter: Meter) -> float | None:
    """From written quarters per minute to the Piece's beats: restated, and dotted quarters in compound metres."""
    if quarters is None:
        return None
    return round(float(quarters * scale) * GRID / beat_steps(meter), 1)


def _trimmed(piece: Piece) -> Piece | None:
    """Without empty bars at both ends, where nothing but a carried chord stands; None when too little is left."""
    sounding = [i for i, b in enumerate(piece.bars) if b.melody or b.bass or b.accompaniment or b.voices or b.drums]
    if not sounding:  # a chart
        sounding = [i for i, bar in enumerate(piece.bars) if bar.chords]
    if not sounding or sounding[-1] + 1 - sounding[0] < MIN_BARS:
        return None
    offset = piece.phrase_offset if sounding[0] == 0 else 0
    return replace(piece, bars=piece.bars[sounding[0] : sounding[-1] + 1], phrase_offset=offset)
