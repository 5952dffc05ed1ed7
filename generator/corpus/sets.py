"""The built-in data sets: where each one keeps its labels, and how one of its items becomes pieces."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from generator.corpus.assemble import About, assemble
from generator.corpus.formats.abc import read_abc
from generator.corpus.formats.charts import Chart
from generator.corpus.formats.midi import read_midi
from generator.corpus.formats.musicxml import read_musicxml
from generator.corpus.formats.progressions import read_progression
from generator.corpus.harmony import match_chord
from generator.corpus.licences import spdx
from generator.corpus.lyrics import mark_lines, mark_verse
from generator.corpus.meters import MIN_BARS
from generator.corpus.music import LeftOut, Music, RawChord
from generator.corpus.piece import Piece
from generator.corpus.registry import DataSet, Item, register, table
from generator.corpus.roles import kind_of, with_roles
from generator.corpus.styles import styles_of
from generator.score import Meter

_DEFAULT_TEMPO = {"polish_scores": 96.0, "mutopia": 60.0}  # what the conversions wrote where the score gives none
_ENSEMBLE = re.compile(r",|\band\b|quartet|quintet|trio|duet|ensemble|orchestra", re.IGNORECASE)
_WHOLE_SCORE = re.compile(r"score|conductor|partitur", re.IGNORECASE)


class Items:
    """Lists the files of a set by a column of its labels.tsv."""

    def __init__(self, column: str) -> None:
        self.column = column

    def __call__(self, folder: Path, dataset: DataSet) -> Iterator[Item]:
        for row in table(folder / "labels.tsv"):
            if row[self.column]:
                yield Item(_on_disk(folder, row[self.column]), dataset.licence, row)


def _on_disk(folder: Path, path: str) -> str:
    """The path, or that of the MIDI rendering where the set keeps only this."""
    midi = re.sub(r"\.\w+$", ".mid", path)
    return path if (folder / path).is_file() or not (folder / midi).is_file() else midi


def _about(folder: Path, dataset: DataSet, item: Item, labels: Mapping[str, str], default: tuple[str, ...]) -> About:
    """What the set's table says of an item, under the column names that our sets use."""
    path = folder / item.path
    genres = [labels.get(name, "") for name in ("genre", "styles", "style", "genres", "mood_hint", "category")]
    genres = [word.strip() for text in genres for word in re.split(r"[;,]", text) if word.strip()]
    year = re.search(
        r"\b(1[4-9]\d\d|20\d\d)\b", labels.get("year") or labels.get("date") or labels.get("chart_date", "")
    )
    title = labels.get("title") or labels.get("work") or Path(item.path).stem.replace("_", " ")
    tempo = labels.get("tempo") or labels.get("bpm") or ""
    return About(
        source=dataset.name, kind=dataset.kind, path=item.path, licence=item.licence,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), title=title.strip(),
        composer=(labels.get("composer") or labels.get("authors") or labels.get("author", "")).strip(),
        year=int(year[1]) if year else None, genres=tuple(dict.fromkeys(genres)),
        styles=styles_of(genres) or default,
        tempo_bpm=float(tempo) if re.fullmatch(r"\d+(\.\d+)?", tempo) and float(tempo) > 0 else None,
    )  # fmt: skip


def _sung(music: Music) -> Music:
    """Verse lines marked in every track with words."""
    return replace(music, tracks=tuple(replace(t, words=mark_lines(t.words)) if t.words else t for t in music.tracks))


def _read_openewld(folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    music = read_musicxml(folder / item.path)
    tracks = [replace(track, role="melody") for track in music.tracks if track.notes][:1]
    music = _sung(replace(music, tracks=tuple(tracks), tempos=music.tempos if item.labels.get("tempo") else ()))
    yield from assemble(music, _about(folder, dataset, item, item.labels, ("pop",)))


def _read_jazz(folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    """LilyPond renderings: one track of block chords, one of melody."""
    music = read_midi(folder / item.path)
    blocks: dict[int, list[int]] = {}
    for note in music.tracks[0].notes:
        blocks.setdefault(note.onset, []).append(note.pitch)
    named = [(onset, match_chord(pitches)) for onset, pitches in sorted(blocks.items())]
    chords = tuple(RawChord(onset, *chord) for onset, chord in named if chord is not None)
    melody = [replace(track, role="melody") for track in music.tracks[1:]][-1:]  # blues patterns have chords alone
    about = _about(folder, dataset, item, item.labels, ("jazz",))
    tempos = music.tempos if item.labels.get("tempo") else ()
    yield from assemble(replace(music, tracks=tuple(melody), chords=chords, tempos=tempos), about)


def _read_hymn(folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    """The order of the voices is given: soprano, alto, tenor, bass."""
    music = read_abc(folder / item.path)
    first, *others = music.tracks
    lengths = [int(number) for number in re.findall(r"\d+", item.labels.get("metre", ""))]
    melody = replace(first, role="melody", words=mark_verse(first.words, lengths))
    music = replace(music, tracks=(melody, *(replace(track, role="voices", words=()) for track in others)))
    yield from assemble(music, _about(folder, dataset, item, item.labels, ("folk",)))


def _read_lied(folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    music = with_roles(read_musicxml(folder / item.path), "lied")
    yield from assemble(_sung(replace(music, chords=())), _about(folder, dataset, item, item.labels, ("classical",)))


def _read_score(folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    """A score of any instruments as MIDI."""
    music = read_midi(folder / item.path)
    instruments = item.labels.get("instruments", "")
    kind = dataset.kind or kind_of(music, instruments)
    if kind == "chamber" and len(music.tracks) == 1 and _ENSEMBLE.search(instruments):
        raise LeftOut("a single part of an ensemble piece")
    about = replace(_about(folder, dataset, item, item.labels, ("classical",)), kind=kind)
    default = _DEFAULT_TEMPO.get(dataset.name)
    music = replace(music, tempos=tuple(pair for pair in music.tempos if pair[1] != default))
    yield from assemble(with_roles(music, kind), about)


def _mutopia_items(folder: Path, _dataset: DataSet) -> Iterator[Item]:
    """What compiled without errors; of a folder with a whole score not also its single parts."""
    rows = table(folder / "labels.tsv")
    whole = {str(Path(row["file"]).parent) for row in rows if _WHOLE_SCORE.search(Path(row["file"]).name)}
    for row in rows:
        path = Path(row["file"])
        left_out = "" if row["lilypond_exit"] == "0" else "compiled with errors"
        if str(path.parent) in whole and not _WHOLE_SCORE.search(path.name):
            left_out = "a single part of a score that is there"
        yield Item(row["file"], spdx(row["licence"]), row, left_out)


def _read_band(folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    music = with_roles(read_midi(folder / item.path), "band")
    music = replace(music, barred=True)  # a sequencer's bars are where it says
    if all(key.fifths == 0 for key in music.keys):
        music = replace(music, keys=())  # what sequencers write where nobody chose
    default = ("rock",) if any(track.program in range(29, 32) for track in music.tracks) else ("cinematic",)
    yield from assemble(music, _about(folder, dataset, item, item.labels, default))


def _read_groove(folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    """Drums alone. Fills are a bar or two long and no pieces."""
    if item.labels.get("beat_type") == "fill":
        raise LeftOut("a drum fill")
    music = read_midi(folder / item.path)
    tracks = tuple(replace(track, drums=True, role="drums") for track in music.tracks)
    music = replace(music, tracks=tracks, barred=True)
    yield from assemble(music, _about(folder, dataset, item, item.labels, ()))


def _read_chart(folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    chart = Chart(folder / item.path)
    about = _about(folder, dataset, item, {**item.labels, "title": chart.title, "composer": chart.artist}, ("pop",))
    if len(chart.bars) < MIN_BARS or not any(bar.chords for bar in chart.bars):
        raise LeftOut("shorter than four bars")
    yield Piece(
        source=about.source, kind=about.kind, path=about.path, licence=about.licence, sha256=about.sha256,
        title=about.title, key=chart.key, meter=chart.meter, bars=chart.bars, composer=about.composer,
        year=about.year, genres=about.genres, styles=about.styles,
    )  # fmt: skip


def _progression_items(folder: Path, dataset: DataSet) -> Iterator[Item]:
    for row in table(folder / "progressions.tsv"):
        yield Item(f"{row['mode']}/{row['roman']}", dataset.licence, row)


def _read_progression(_folder: Path, dataset: DataSet, item: Item) -> Iterator[Piece]:
    symbols = item.labels["chords_in_C_or_Cminor"]
    key, bars = read_progression(symbols, item.labels["mode"])
    moods = tuple(word.strip() for word in item.labels["moods"].split(",") if word.strip())
    yield Piece(
        source=dataset.name, kind=dataset.kind, path=item.path, licence=item.licence,
        sha256=hashlib.sha256(symbols.encode()).hexdigest(), title=item.labels["roman"], key=key, meter=Meter(4, 4),
        bars=bars, genres=moods, styles=("pop",),
    )  # fmt: skip


for _set in (
    DataSet(
        "openewld", "openewld_clean", "MIT", "OpenEWLD (songs in the public domain)", "song",
        Items("file"), _read_openewld,
    ),
    DataSet(
        "jazz_standards", "jazz_standards_pd", "Unlicense", "neonscribe/lilypond-lead-sheets, songs up to 1930", "jazz",
        Items("midi"), _read_jazz,
    ),
    DataSet("open_hymnal", "open_hymnal", "public domain", "Open Hymnal Project", "hymn", Items("abc"), _read_hymn),
    DataSet(
        "openscore_lieder", "openscore_lieder", "CC0-1.0", "OpenScore Lieder Corpus", "lied",
        Items("file"), _read_lied,
    ),
    DataSet(
        "polish_scores", "polish_scores", "CC-BY-4.0",
        "Heritage of Polish Music in Open Access, The Fryderyk Chopin Institute", "", Items("file"), _read_score,
    ),
    DataSet(
        "openscore_quartets", "openscore_quartets", "CC0-1.0", "OpenScore String Quartets", "chamber",
        Items("file"), _read_score,
    ),
    DataSet(
        "openscore_orchestra", "openscore_orchestra", "CC0-1.0", "OpenScore Orchestra", "chamber",
        Items("file"), _read_score,
    ),
    DataSet("mutopia", "mutopia", "public domain", "The Mutopia Project", "", _mutopia_items, _read_score),
    DataSet("freedoom", "freedoom", "BSD-3-Clause", "Freedoom project", "band", Items("file"), _read_band),
    DataSet("easyrpg_rtp", "easyrpg_rtp", "CC-BY-4.0", "EasyRPG RTP authors", "band", Items("file"), _read_band),
    DataSet(
        "groove", "groove", "CC-BY-4.0", "Groove MIDI Dataset, Gillick et al. 2019", "groove",
        Items("file"), _read_groove,
    ),
    DataSet(
        "free_midi_chords", "free_midi_chords", "MIT", "ldrolez/free-midi-chords", "progression",
        _progression_items, _read_progression,
    ),
    DataSet(
        "billboard", "mcgill_billboard_chords", "CC0-1.0", "McGill Billboard annotations, Burgoyne et al. 2011",
        "chart", Items("file"), _read_chart,
    ),
):  # fmt: skip
    register(_set)
