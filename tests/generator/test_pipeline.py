"""From a Brief to a folder of files: whole, measured, repeatable, stoppable, and clear about what goes wrong."""

from __future__ import annotations

import json
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generator import pipeline, publish
from generator.arrange.blend import style_of
from generator.brief import Key
from generator.errors import Cancelled, GeneratorError, MissingWeights, QualityError
from generator.model import checkpoint
from generator.notation.midi_in import read_midi
from generator.pipeline import compose_takes, compose_track
from generator.produce import encode
from generator.produce.encode import decode
from generator.produce.paper import DRAUGHTSMAN
from generator.publish import STAGES, Clock, Progress, Track
from generator.render.render import playing
from tests.generator.scores import brief


@pytest.fixture(scope="module")
def seen() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def track(tmp_path_factory, seen) -> Track:
    out = tmp_path_factory.mktemp("tracks") / "first"
    asked = brief("lofi", tempo_bpm=80.0, key="A minor", length_s=14.0, seed=21)
    return compose_track(asked, out, track_id="first", takes=2, on_progress=seen.append)


def test_everything_is_there_and_verified(track):
    names = {path.relative_to(track.dir).as_posix() for path in track.dir.rglob("*") if path.is_file()}
    assert {"track.mp3", "track.mid", "track.musicxml", "cover.png", "report.json", "provenance.json"} <= names
    assert len([name for name in names if name.startswith("stems/")]) >= 3
    assert track.measured["verified"]
    for value in track.files.values():
        for path in [value] if isinstance(value, str) else value:
            assert Path(path).is_file()
    assert not list(track.dir.parent.glob(".*")), "nothing half-written is left"


def test_the_report_says_what_was_asked_and_measured(track):
    report = json.loads((track.dir / "report.json").read_text())
    assert report["brief"]["key"] == "A minor"
    assert report["seed"] == 21
    wanted = {"tempo_bpm", "key", "length_s", "integrated_lufs", "true_peak_dbtp", "lra", "parts"}
    assert wanted <= report["measured"].keys()
    assert set(report["timings_s"]) == set(STAGES)
    assert report["versions"]["tunesmith"]
    assert report["takes"]["composed"] == 2
    provenance = json.loads((track.dir / "provenance.json").read_text())
    assert provenance["ai_generated"] is True
    assert "trainedAlgorithmicMedia" in provenance["digital_source_type"]
    assert {entry["licence"] for entry in provenance["corpora"]}
    assert provenance["files"]["mp3"]["sha256"]


def test_the_audio_is_as_long_loud_and_fast_as_asked(track):
    audio, rate = decode(Path(track.files["mp3"]))
    bar_s = 4 * 60 / 80
    assert abs(audio.shape[-1] / rate - 14.0) <= bar_s
    assert track.measured["integrated_lufs"] == pytest.approx(-14.0, abs=0.5)
    assert track.measured["true_peak_dbtp"] <= -1.0
    assert track.measured["tempo_bpm"] == pytest.approx(80.0, rel=0.02)
    assert read_midi(Path(track.files["mid"])).tempo_bpm == 80.0


def test_stems_are_aligned_and_named_after_their_parts(track):
    lengths = {decode(Path(path))[0].shape[-1] for path in track.files["stems"]}
    assert len(lengths) == 1
    assert {Path(path).stem for path in track.files["stems"]} >= set(track.measured["parts"])


def test_progress_names_every_stage_and_never_goes_back(seen, track):
    assert track
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert list(dict.fromkeys(step.stage for step in seen)) == list(STAGES)


def test_the_same_seed_gives_the_same_midi_and_samples(track, tmp_path):
    again = compose_track(track.brief, tmp_path / "again", track_id="again", takes=2)
    assert Path(again.files["mid"]).read_bytes() == Path(track.files["mid"]).read_bytes()
    assert np.array_equal(decode(Path(again.files["mp3"]))[0], decode(Path(track.files["mp3"]))[0])


def test_the_better_take_is_kept(tmp_path):
    asked = brief("jazz", tempo_bpm=140.0, length_s=10.0)

    def rank(pieces):
        """The second of the finished takes; of rivals on the way, of which there are more, nobody is better."""
        return [0.0, 1.0, 0.5] if len(pieces) == 3 else [0.0] * len(pieces)

    kept = compose_track(asked, tmp_path / "t", track_id="t", takes=3, rank=rank)
    assert (kept.take, kept.takes) == (1, 3)
    assert Track.from_dict(json.loads(json.dumps(kept.to_dict()))) == kept


def test_a_take_that_fails_its_checks_gives_way_to_the_next(tmp_path, monkeypatch):
    real, calls = publish.measure, []

    def strict(*args, **kwargs):
        measured = real(*args, **kwargs)
        calls.append(measured)
        return replace(measured, gates={**measured.gates, "key": len(calls) > 1})

    monkeypatch.setattr(publish, "measure", strict)
    asked = brief("ambient", length_s=10.0)
    assert compose_track(asked, tmp_path / "one", track_id="one", takes=1).take == 1
    calls.clear()
    monkeypatch.setattr(publish, "measure", lambda *a, **k: replace(real(*a, **k), gates={"key": False}))
    with pytest.raises(QualityError, match="key"):
        compose_track(asked, tmp_path / "two", track_id="two", takes=2)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_take_whose_notes_are_in_another_key_is_not_played(tmp_path, monkeypatch):
    asked, real, played = brief("ambient", key="C major", length_s=10.0), pipeline.key_of, []
    first = compose_takes(asked, style_of(asked), 1, Clock())[0].score
    monkeypatch.setattr(pipeline, "key_of", lambda score: Key(6, "major") if score == first else real(score))
    monkeypatch.setattr(publish, "playing", lambda score, *a, **k: played.append(score) or playing(score, *a, **k))
    made = compose_track(asked, tmp_path / "t", track_id="t", takes=1)
    assert (made.take, made.measured["verified"]) == (1, True)
    assert len(played) == 1
    assert played[0] != first


def test_stopping_leaves_nothing(tmp_path):
    def stop(step: Progress) -> None:
        if step.stage == "render":
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        compose_track(brief("pop"), tmp_path / "t", track_id="t", on_progress=stop)
    assert not list(tmp_path.iterdir())


def test_missing_weights_and_an_unwritable_folder_are_explained(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(GeneratorError, match="cannot be written"):
        compose_track(brief(), tmp_path / "file" / "t", track_id="t")
    monkeypatch.setattr(pipeline, "load_composer", lambda: checkpoint.load(tmp_path / "none.safetensors"))
    with pytest.raises(MissingWeights, match="tunesmith train"):
        compose_track(brief(), tmp_path / "t", track_id="t")


def test_without_ffmpeg_one_sentence_and_nothing_left(tmp_path, monkeypatch):
    def none() -> str:
        raise encode.EncodeError("No ffmpeg was found.")

    monkeypatch.setattr(encode, "find_ffmpeg", none)
    with pytest.raises(encode.EncodeError, match="ffmpeg"):
        compose_track(brief("ambient", length_s=10.0), tmp_path / "t", track_id="t")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at_bytes", [30_000, 250_000])
def test_a_disk_that_fills_on_the_way_leaves_nothing(tmp_path, at_bytes):
    DRAUGHTSMAN.start()  # now: it would keep the limit, for the tests after this one too
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at_bytes, hard))
    try:
        with pytest.raises(GeneratorError, match=r"cannot be written|could not write|failed"):
            compose_track(brief("ambient", length_s=16.0), tmp_path / "t", track_id="t")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())
