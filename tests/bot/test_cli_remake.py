"""`render` and `edit` as somebody types them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from generator.notation.midi import write_midi
from generator.produce.signing import Signer
from tests.bot.test_cli import FILES, KEYS, Run, run
from tests.generator.test_produce_signing import signer
from tests.generator.test_remake import long_band

__all__ = ["run", "signer"]  # the fixtures


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_midi(long_band(), tmp_path / "mine.mid")
    return tmp_path / "mine.mid"


def test_a_file_is_rendered_and_the_track_edited(run: Run, file: Path, tmp_path: Path) -> None:
    said = run("render", str(file), "--out", str(tmp_path / "first"), "--json")
    assert said.code == 0, said.err
    first = json.loads(said.out.splitlines()[-1])
    assert set(first) >= KEYS
    assert set(first["files"]) >= FILES | {"abc", "score", "waveform", "leadsheet"}
    assert all(Path(name).is_file() for name in first["files"]["stems"])

    said = run("edit", first["dir"], "--mute", "drums", "--tempo", "100", "--out", str(tmp_path / "second"), "--json")
    assert said.code == 0, said.err
    second = json.loads(said.out.splitlines()[-1])
    assert second["brief"]["tempo_bpm"] == 100.0
    assert second["brief"]["styles"] == first["brief"]["styles"]
    report = json.loads(Path(second["files"]["report"]).read_text())
    assert report["parent"]["track_id"] == first["track_id"]
    assert report["changes"] == {"mute": ["drums"], "tempo_bpm": 100.0}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Say what to change"),
        (("--repaint", "nine"), "names no bars"),
        (("--instrument", "flute"), "which part"),
        (("--mute", "tuba"), "no part “tuba”"),
        (("--style", "polka"), "polka"),
        (("--tempo", "999"), "40 to 220"),
    ],
)
def test_what_cannot_be_changed_is_said_in_a_sentence(
    run: Run, file: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    said = run("edit", str(file), *options, "--out", str(tmp_path / "out"))
    assert said.code == 2
    assert sentence in said.sentence
    assert not list((tmp_path / "home" / "work").glob("*"))


def test_files_and_tracks_that_are_not_there(run: Run, tmp_path: Path) -> None:
    assert "no file" in run("render", str(tmp_path / "none.mid"), "--out", str(tmp_path / "out")).sentence
    assert "no file, folder or track" in run("edit", "0123", "--calmer", "--out", str(tmp_path / "out")).sentence
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    said = run("render", str(tmp_path / "broken.mid"), "--out", str(tmp_path / "out"))
    assert said.code == 2
    assert "broken.mid" in said.sentence


def test_other_formats_come_beside_the_mp3(run: Run, file: Path, tmp_path: Path) -> None:
    said = run("render", str(file), "--format", "flac", "--out", str(tmp_path / "out"), "--json")
    assert said.code == 0, said.err
    files = json.loads(said.out.splitlines()[-1])["files"]
    assert Path(files["mp3"]).read_bytes()[:3] == b"ID3"
    assert Path(files["flac"]).read_bytes()[:4] == b"fLaC"
    said = run("render", str(file), "--format", "ogg", "--out", str(tmp_path / "other"))
    assert said.code == 2
    assert "TUNESMITH_FORMAT" in said.sentence


def test_an_operators_certificate_signs_what_is_delivered(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signer: Signer
) -> None:
    c2pa = pytest.importorskip("c2pa")
    monkeypatch.setenv("TUNESMITH_C2PA_CERT", str(signer.certificate))
    said = run("render", str(file), "--out", str(tmp_path / "unsigned"))
    assert said.code == 2
    assert "TUNESMITH_C2PA_KEY" in said.sentence
    monkeypatch.setenv("TUNESMITH_C2PA_KEY", str(signer.key))
    said = run("render", str(file), "--format", "wav", "--out", str(tmp_path / "out"), "--json")
    assert said.code == 0, said.err
    files = json.loads(said.out.splitlines()[-1])["files"]
    noted = json.loads(Path(files["provenance"]).read_text())["files"]
    for kind in ("mp3", "wav"):
        with c2pa.Reader(files[kind]) as reader:
            assert "trainedAlgorithmicMedia" in reader.json()
        assert noted[kind]["sha256"] == hashlib.sha256(Path(files[kind]).read_bytes()).hexdigest()
