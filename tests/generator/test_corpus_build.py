"""Building a corpus from small sets made here: what enters, what does not and why, and what survives trouble."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import pytest

from bot.__main__ import main
from generator.corpus import registry
from generator.corpus.build import build, find_sets
from generator.corpus.registry import DataSet, Item, register
from generator.corpus.report import reports
from generator.corpus.sets import Items
from generator.corpus.shards import MANIFEST, open_corpus
from generator.errors import CorpusError, GeneratorError

HYMN = """X: 1
T: {title}
M: 4/4
L: 1/4
K: {key}
[V: S] {melody} |]
w: Lord of all hope- ful- ness,
[V: B] {bass} |]
"""
MELODY = "C D E F | G A B c | c G E C | D2 G,2 | E F G A | B c d e | d B G F | E D C2 | C4"


def write_hymnal(folder: Path) -> Path:
    """One good hymn and one broken file."""
    (folder / "abc").mkdir(parents=True)
    rows = ["abc\tmidi\ttitle\tcomposer\tmetre\ttempo"]
    bass = "C,4 | G,,4 | C,4 | G,,4 | C,4 | G,,4 | G,,4 | C,4 | C,4"
    (folder / "abc/1.abc").write_text(HYMN.format(title="Hope", key="C", melody=MELODY, bass=bass), encoding="utf-8")
    (folder / "abc/2.abc").write_text("no tune at all", encoding="utf-8")
    rows += ["abc/1.abc\t\tHope\tAnon\t6\t100", "abc/2.abc\t\tBroken\tAnon\t\t"]
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def write_mutopia(folder: Path) -> Path:
    """The hymn's tune up a fourth as a violin solo; the same under a share-alike licence; a single part."""
    folder.mkdir(parents=True)
    events: list[mido.Message | mido.MetaMessage] = [mido.Message("program_change", program=40)]
    tune = "C D E F G A B c c G E C D2 G,2 E F G A B c d e d B G F E D C2 C4".split()
    for name in tune:
        length = 96 * int(name[-1]) if name[-1].isdigit() else 96
        pitch = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67, "A": 69, "B": 71, "c": 72, "d": 74, "e": 76}[name[0]]
        pitch -= 12 * name.count(",")
        events += [
            mido.Message("note_on", note=pitch + 5, velocity=80, time=0),
            mido.Message("note_off", note=pitch + 5, velocity=0, time=length),
        ]
    midi = mido.MidiFile(ticks_per_beat=96)
    midi.tracks.append(mido.MidiTrack([mido.MetaMessage("time_signature", numerator=4, denominator=4), *events]))
    for name in ("solo.mid", "shared.mid", "score.mid"):
        midi.save(folder / name)
    rows = ["file\ttitle\tcomposer\tinstruments\tdate\tstyle\tlicence\tlilypond_exit"]
    rows += [
        "score.mid\tHope\tAnon\tViolin\t1701\tBaroque\tPublic Domain\t0",
        "solo.mid\tHope\tAnon\tViolin\t1701\tBaroque\tPublic Domain\t0",
    ]
    (folder / "other").mkdir()
    midi.save(folder / "other/shared.mid")
    rows.append("other/shared.mid\tHope\tAnon\tViolin\t1701\tBaroque\tCreative Commons Attribution-ShareAlike 4.0\t0")
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def write_progressions(folder: Path, rows: int = 3) -> Path:
    folder.mkdir(parents=True)
    lines = ["mode\troman\tmoods\tchords_in_C_or_Cminor"]
    lines += [f"major\tI IV {i}\tHopeful\tC F {'Am ' * i}G" for i in range(rows)]
    (folder / "progressions.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    write_hymnal(folder / "open_hymnal")
    write_mutopia(folder / "mutopia")
    write_progressions(folder / "free_midi_chords")
    return folder


def test_pieces_come_back_with_everything_the_sets_say(sources, tmp_path):
    corpus = build([sources], tmp_path / "corpus", jobs=1)
    (hymn,) = [corpus.load(ref) for ref in corpus.refs if ref.source == "open_hymnal"]
    assert (hymn.title, hymn.composer, hymn.licence, hymn.kind) == ("Hope", "Anon", "public domain", "hymn")
    assert (str(hymn.key), str(hymn.meter), hymn.styles, hymn.chords_inferred) == ("C major", "4/4", ("folk",), True)
    assert hymn.parts == ("chords", "melody", "voices")
    assert [s.text for s in hymn.bars[0].lyrics] == ["Lord", "of", "all", "hope"]
    assert [s.line_end for bar in hymn.bars for s in bar.lyrics] == [False] * 5 + [True]
    assert len(hymn.sha256) == 64
    chords = [corpus.load(ref) for ref in corpus.refs if ref.source == "free_midi_chords"]
    assert len(chords) == 3
    assert not any(piece.chords_inferred for piece in chords)


def test_a_tune_in_another_set_and_key_is_merged_into_the_richest(sources, tmp_path):
    corpus = build([sources], tmp_path / "corpus", jobs=1)
    assert corpus.manifest["twins"] == {"open_hymnal/abc/1.abc": ["mutopia/score.mid"]}
    assert [ref.source for ref in corpus.refs if ref.kind != "progression"] == ["open_hymnal"]


def test_the_report_names_what_failed_and_what_may_not_enter(sources, tmp_path):
    corpus = build([sources], tmp_path / "corpus", jobs=1)
    found = {one.name: one for one in reports(corpus.manifest)}
    hymns, mutopia = found["open_hymnal"], found["mutopia"]
    assert (hymns.files, hymns.pieces, hymns.failed, hymns.failed_percent) == (2, 1, 1, 50.0)
    assert hymns.reasons == {"no notes": ("abc/2.abc",)}
    assert (mutopia.files, mutopia.pieces, mutopia.merged, mutopia.left_out) == (3, 0, 1, 2)
    assert set(mutopia.reasons_left_out.values()) == {("solo.mid",), ("other/shared.mid",)}
    assert any("ShareAlike" in reason and "allow-list" in reason for reason in mutopia.reasons_left_out)


def test_a_file_that_the_table_names_and_the_folder_lacks_has_failed(sources, tmp_path):
    (sources / "open_hymnal/abc/1.abc").unlink()
    found = {one.name: one for one in reports(build([sources], tmp_path / "corpus", jobs=1).manifest)}
    assert found["open_hymnal"].reasons["the file is missing"] == ("abc/1.abc",)


def test_several_processes_write_the_same_corpus_as_one(sources, tmp_path):
    one, two = (build([sources], tmp_path / f"corpus{jobs}", jobs=jobs) for jobs in (1, 2))
    assert one.refs == two.refs
    assert one.manifest["index_sha256"] == two.manifest["index_sha256"]


def test_a_finished_corpus_is_never_overwritten(sources, tmp_path):
    build([sources], tmp_path / "corpus", jobs=1)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "corpus").iterdir()}
    with pytest.raises(CorpusError, match="already a finished corpus"):
        build([sources], tmp_path / "corpus", jobs=1)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "corpus").iterdir()} == before


def test_a_folder_with_other_files_is_left_alone(sources, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(CorpusError, match=r"photo\.jpg"):
        build([sources], tmp_path, jobs=1)


def test_an_interrupted_build_goes_on_where_it_stopped(sources, tmp_path):
    out = tmp_path / "corpus"

    def stop(name: str, done: int, total: int) -> None:
        if name == "mutopia" and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build([sources], out, jobs=1, progress=stop)
    with pytest.raises(CorpusError, match="no finished corpus"):
        open_corpus(out)
    finished = (out / "open_hymnal.jsonl").stat().st_mtime_ns
    corpus = build([sources], out, jobs=1)
    assert (out / "open_hymnal.jsonl").stat().st_mtime_ns == finished
    assert {ref.source for ref in corpus.refs} == {"open_hymnal", "free_midi_chords"}


def test_a_set_that_changed_since_the_interruption_is_read_again(sources, tmp_path):
    out = tmp_path / "corpus"

    def stop(name: str, _done: int, _total: int) -> None:
        if name == "free_midi_chords":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build([sources], out, jobs=1, progress=stop)
    hymn = sources / "open_hymnal/abc/1.abc"
    hymn.write_text(hymn.read_text(encoding="utf-8").replace("K: C", "K: D"), encoding="utf-8")
    corpus = build([sources], out, jobs=1)
    (ref,) = [ref for ref in corpus.refs if ref.source == "open_hymnal"]
    assert str(corpus.load(ref).key) == "D major"


@pytest.mark.parametrize("name", ["open_hymnal.jsonl", "index.json"])
def test_a_damaged_file_is_named(sources, tmp_path, name):
    out = tmp_path / "corpus"
    build([sources], out, jobs=1)
    data = (out / name).read_bytes()
    (out / name).write_bytes(data[:-20] + b"x" * 20)
    with pytest.raises(CorpusError, match=name):
        open_corpus(out)
    (out / name).unlink()
    with pytest.raises(CorpusError, match=name):
        open_corpus(out)


@pytest.mark.parametrize("manifest", ["[]", "{}", "no json", '{"version": 1}', '{"version": 0}'])
def test_a_manifest_of_another_version_or_none_is_refused(sources, tmp_path, manifest):
    out = tmp_path / "corpus"
    build([sources], out, jobs=1)
    (out / MANIFEST).write_text(manifest, encoding="utf-8")
    with pytest.raises(CorpusError, match="again"):
        open_corpus(out)


def test_a_set_without_its_table_is_named(sources, tmp_path):
    (sources / "open_hymnal/labels.tsv").unlink()
    with pytest.raises(CorpusError, match="open_hymnal"):
        build([sources], tmp_path / "corpus", jobs=1)
    assert not (tmp_path / "corpus" / MANIFEST).exists()


def test_sources_without_sets_are_refused_by_name(tmp_path):
    with pytest.raises(CorpusError, match="no folder"):
        find_sets([tmp_path / "nowhere"])
    with pytest.raises(CorpusError, match="none of the data sets"):
        find_sets([tmp_path])


def test_a_third_party_set_is_registered_like_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_SETS", dict(registry._SETS))
    (ours,) = [one for one in registry.datasets() if one.name == "open_hymnal"]
    register(DataSet("mine", "my_hymns", "CC0-1.0", "me", "hymn", Items("abc"), ours.read))
    write_hymnal(tmp_path / "my_hymns")
    corpus = build([tmp_path / "my_hymns"], tmp_path / "corpus", jobs=1)
    assert [(ref.source, ref.path) for ref in corpus.refs] == [("mine", "abc/1.abc")]
    assert corpus.manifest["sets"]["mine"]["credit"] == "me"
    with pytest.raises(CorpusError, match="already"):
        register(ours)


def test_a_fault_in_a_reader_is_reported_with_its_file(tmp_path, monkeypatch):
    def items(_folder: Path, dataset: DataSet) -> list[Item]:
        return [Item("a.xyz", dataset.licence)]

    def read(_folder: Path, _dataset: DataSet, _item: Item):
        raise RuntimeError("oops")

    monkeypatch.setattr(registry, "_SETS", {})
    register(DataSet("mine", "mine", "MIT", "me", "song", items, read))
    (tmp_path / "mine").mkdir()
    (one,) = reports(build([tmp_path], tmp_path / "corpus", jobs=1).manifest)
    assert one.reasons == {"the reader failed: RuntimeError: oops": ("a.xyz",)}


def test_the_command_line_builds_reports_and_refuses(sources, tmp_path, capsys):
    out = str(tmp_path / "corpus")
    assert main(["corpus", "build", str(sources), "--out", out, "--jobs", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["pieces"] == 4
    assert [one["name"] for one in said["sets"]] == ["open_hymnal", "mutopia", "free_midi_chords"]
    assert main(["corpus", "report", out]) == 0
    said = capsys.readouterr().out
    assert "open_hymnal: 1 failed, no notes: abc/2.abc" in said
    assert main(["corpus", "build", str(sources), "--out", out]) == 1
    assert "already a finished corpus" in capsys.readouterr().err
    assert main(["corpus", "build", str(tmp_path / "nowhere"), "--out", out]) == 2
    assert main(["corpus", "report", str(tmp_path)]) == 1
    assert "no finished corpus" in capsys.readouterr().err


def test_errors_of_the_corpus_are_errors_of_the_generator():
    assert issubclass(CorpusError, GeneratorError)
