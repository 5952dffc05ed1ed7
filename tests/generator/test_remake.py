"""A piece that is there becomes a new track: a file rendered as it stands, a track changed, its parent named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generator import publish, remake
from generator.brief import BriefError
from generator.edit.changes import Changes, change
from generator.errors import EditError, GeneratorError, NotationError, OriginalityError, QualityError
from generator.measure.loudness import integrated_lufs
from generator.measure.originality import Originality
from generator.measure.report import Measured
from generator.model import tokens
from generator.model.transformer import Composer, Config
from generator.notation.files import read_score
from generator.notation.midi import write_midi
from generator.notation.musicxml import write_musicxml
from generator.produce.encode import decode
from generator.produce.mix import ROOM
from generator.produce.remedy import remedy
from generator.produce.settings import Master
from generator.publish import Track
from generator.remake import edit_track, read_source, render_track
from generator.score import Score
from tests.generator.scores import band, brief


def long_band() -> Score:
    """The band four times over: long enough to be published."""
    score = band()
    span = score.end_tick
    parts = tuple(
        replace(part, notes=tuple(
            replace(note, onset=note.onset + turn * span) for turn in range(4) for note in part.notes
        ))
        for part in score.parts
    )  # fmt: skip
    chords = tuple(replace(c, onset=c.onset + turn * span) for turn in range(4) for c in score.chords)
    sections = tuple(replace(s, start_bar=s.start_bar + turn * 4) for turn in range(4) for s in score.sections)
    return replace(score, bars=16, parts=parts, chords=chords, sections=sections, tempos=score.tempos[:1], title="Long")


@pytest.fixture(scope="module")
def edited_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("files") / "long.musicxml"
    write_musicxml(long_band(), path)
    return path


@pytest.fixture(scope="module")
def track(edited_file, tmp_path_factory) -> Track:
    out = tmp_path_factory.mktemp("tracks") / "first"
    return render_track(read_source(edited_file), out, track_id="first", seed=1, style="jazz")


def test_an_edited_page_is_rendered_whole(track, edited_file):
    assert {path.name for path in track.dir.iterdir()} >= {
        "track.mp3", "track.mid", "track.musicxml", "track.abc", "score.json", "cover.png", "report.json",
        "provenance.json", "stems",
    }  # fmt: skip
    report = json.loads((track.dir / "report.json").read_text())
    assert report["parent"]["file"] == edited_file.name
    assert report["measured"]["verified"]
    assert track.brief.style == "jazz"
    assert track.measured["integrated_lufs"] == pytest.approx(-14.0, abs=0.6)
    assert {Path(path).stem for path in track.files["stems"]} == {part.name for part in long_band().parts} | {ROOM}


def test_a_page_is_played_and_a_performance_left_alone(track, tmp_path):
    score = read_score(track.dir / "score.json")
    assert [n.pitch for part in score.parts for n in part.notes] == [
        n.pitch for part in long_band().parts for n in part.notes
    ]
    assert any(note.micro for part in score.parts for note in part.notes), "the page says no swing; its players do"
    assert [n.velocity for n in score.parts[0].notes] == [n.velocity for n in long_band().parts[0].notes]
    write_midi(long_band(), tmp_path / "long.mid")
    assert not read_source(tmp_path / "long.mid").written


def test_a_changed_track_names_its_parent_and_keeps_the_rest(track, tmp_path):
    before = read_source(track.dir)
    changes = Changes(tempo_bpm=110.0, transpose=2, mute=("drums",), instruments=(("melody", "clarinet"),))
    after = edit_track(before, changes, tmp_path / "second", track_id="second", seed=2)
    report = json.loads((after.dir / "report.json").read_text())
    assert report["parent"]["track_id"] == "first"
    assert report["changes"] == {
        "instruments": [["melody", "clarinet"]], "mute": ["drums"], "transpose": 2, "tempo_bpm": 110.0,
    }  # fmt: skip
    score = read_score(after.dir / "score.json")
    assert [part.name for part in score.parts] == ["melody", "bass"]
    old = before.score.part("bass").notes
    assert [replace(n, pitch=n.pitch - 2) for n in score.part("bass").notes] == list(old)
    assert (after.brief.tempo_bpm, after.brief.key, after.brief.style) == (110.0, "D minor", "jazz")


def test_a_piece_that_cannot_be_made_is_refused_before_anything_is_written(tmp_path):
    write_midi(band(), tmp_path / "short.mid")
    short = replace(band(), bars=1, parts=tuple(replace(p, notes=p.notes[:1]) for p in band().parts))
    write_midi(short, tmp_path / "short.mid")
    with pytest.raises(BriefError, match="length"):
        render_track(read_source(tmp_path / "short.mid"), tmp_path / "t", track_id="t", seed=1)
    with pytest.raises(NotationError, match="no track"):
        read_source(tmp_path)
    silent = replace(long_band(), parts=tuple(replace(part, notes=()) for part in long_band().parts))
    write_musicxml(silent, tmp_path / "silent.musicxml")
    with pytest.raises(NotationError, match="no notes"):
        read_source(tmp_path / "silent.musicxml")
    assert not (tmp_path / "t").exists()


def none() -> Composer:
    raise AssertionError("nothing is composed")


def tiny() -> Composer:
    torch.manual_seed(5)
    return Composer(Config(vocabulary=len(tokens.VOCABULARY), width=16, layers=1, heads=2, hidden=32, dropout=0)).eval()


def test_changes_without_new_music_need_no_weights():
    asked = brief("jazz")
    changed = change(long_band(), asked, Changes(shorten=4, style="lofi", moods=("calmer",)), 3, none)
    assert changed.score.bars == 12
    assert changed.brief.style == "lofi"
    with pytest.raises(EditError, match="Say what to change"):
        change(long_band(), asked, Changes(), 3, none)
    with pytest.raises((BriefError, GeneratorError), match="polka"):
        change(long_band(), asked, Changes(style="polka"), 3, none)


def test_new_bars_that_copy_are_written_again_and_then_refused(monkeypatch):
    class Index:
        def __init__(self, passes_at: int) -> None:
            self.calls, self.passes_at = 0, passes_at

        def check(self, bars, bar_steps):
            self.calls += 1
            assert bars
            return Originality("Old Tune", 20, 0.9, self.calls >= self.passes_at)

    asked, changes = brief("jazz"), Changes(variation=0.5)
    patient = Index(passes_at=3)
    monkeypatch.setattr("generator.edit.changes.load_index", lambda: patient)
    found = change(long_band(), asked, changes, 3, tiny).originality
    assert found is not None
    assert (found.passed, patient.calls) == (True, 3)
    monkeypatch.setattr("generator.edit.changes.load_index", lambda: Index(passes_at=99))
    with pytest.raises(OriginalityError, match="Old Tune"):
        change(long_band(), asked, changes, 3, tiny)


def test_a_report_that_is_no_report_does_not_stop_a_file(tmp_path):
    write_midi(long_band(), tmp_path / "track.mid")
    (tmp_path / "report.json").write_text("[]")
    assert read_source(tmp_path).brief is None
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(NotationError, match="report"):
        read_source(tmp_path)


def test_drums_alone_have_a_brief_too():
    drums = replace(long_band(), parts=long_band().parts[2:], chords=())
    assert remake._brief_of(drums, None, 1).key == "C minor"


def delivered_quieter(monkeypatch, by_db: float) -> list[float]:
    """A codec that takes more loudness than ours; returns the targets it was given."""
    real, targets = publish.deliver_mp3, []

    def deliver(audio, path, tags, cover, settings):
        targets.append(settings.target_lufs)
        return real(audio, path, tags, cover, settings.model_copy(update={"target_lufs": settings.target_lufs - by_db}))

    monkeypatch.setattr(publish, "deliver_mp3", deliver)
    return targets


def test_a_missed_loudness_is_made_up_for_once(edited_file, tmp_path, monkeypatch):
    targets = delivered_quieter(monkeypatch, 1.5)
    track = render_track(read_source(edited_file), tmp_path / "t", track_id="t", seed=1, style="jazz")
    assert targets == [-14.0, pytest.approx(-12.5, abs=0.3)]
    assert track.measured["verified"]
    assert integrated_lufs(*decode(Path(track.files["mp3"]))) == pytest.approx(-14.0, abs=0.5)


def test_what_cannot_be_made_up_for_is_refused_with_the_reason(edited_file, tmp_path, monkeypatch):
    targets = delivered_quieter(monkeypatch, 9.0)
    with pytest.raises(QualityError, match="loudness"):
        render_track(read_source(edited_file), tmp_path / "t", track_id="t", seed=1, style="jazz")
    assert len(targets) == 2
    assert not list(tmp_path.iterdir())


def test_each_fault_of_the_master_has_its_remedy():
    sound = Measured(
        100.0, "C major", 30.0, -15.2, -0.4, 5.0, (), 9.0, "pulse", 0.0, 0.0, 0, 0.5, 0.8, 0, -50.0, {}, {}, (), {}
    )
    faults = {"loudness": ("target_lufs", -12.8), "true_peak": ("ceiling_dbtp", -1.9), "ending": ("fade_out_s", 3.0)}
    for gate, (setting, value) in faults.items():
        better = remedy(replace(sound, gates={gate: False, "dc": True}), Master(), -14.0)
        assert better is not None
        assert getattr(better, setting) == pytest.approx(value)
    assert remedy(replace(sound, gates={"loudness": False, "tempo": False}), Master(), -14.0) is None
    assert remedy(replace(sound, gates={"dc": True}), Master(), -14.0) is None
