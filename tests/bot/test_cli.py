"""The command line as somebody types it: what goes to which stream, which exit code, and one sentence when it fails."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bot.__main__ import main
from tests.bot.conftest import COMPOSER, ROOT

KEYS = {"track_id", "dir", "files", "brief", "why", "measured", "timings_s"}
FILES = {"mp3", "mid", "musicxml", "cover", "report", "provenance", "stems"}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line on standard error; no traceback anywhere."""
        assert "Traceback" not in self.err
        return self.err.strip().splitlines()[-1]


Run = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, with its own home and the fake composer."""
    monkeypatch.setenv("TUNESMITH_COMPOSER", COMPOSER)
    monkeypatch.chdir(ROOT)

    def call(*arguments: str) -> Said:
        code = main(["--home", str(tmp_path / "home"), *arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


def test_compose_prints_one_json_object_last_and_leaves_the_files(run: Run, tmp_path: Path) -> None:
    said = run("compose", "chill", "--seed", "7", "--out", str(tmp_path / "out"), "--json")
    assert said.code == 0
    (line,) = said.out.splitlines()
    data = json.loads(line)
    assert set(data) >= KEYS
    assert set(data["files"]) >= FILES
    assert Path(data["dir"]) == tmp_path / "out"
    for name in (*(v for v in data["files"].values() if isinstance(v, str)), *data["files"]["stems"]):
        assert Path(name).is_relative_to(tmp_path / "out")
        assert Path(name).stat().st_size > 0
    assert data["brief"]["seed"] == 7
    assert data["why"]
    assert "Heard:" in said.err
    assert (tmp_path / "home" / "tracks" / data["track_id"] / "track.mp3").is_file()


def test_the_same_request_and_seed_give_the_same_brief(run: Run) -> None:
    first, second = (json.loads(run("compose", "sad piano", "--seed", "9", "--json").out) for _ in range(2))
    assert first["brief"] == second["brief"]
    assert first["track_id"] != second["track_id"]


def test_options_reach_the_brief(run: Run) -> None:
    wishes = [
        "--style",
        "jazz",
        "--tempo",
        "96",
        "--key",
        "F major",
        "--length",
        "45",
        "--meter",
        "3/4",
        "--takes",
        "1",
    ]
    brief = json.loads(run("compose", "chill", *wishes, "--json").out)["brief"]
    assert brief["styles"] == [["jazz", 1.0]]
    assert (brief["tempo_bpm"], brief["key"], brief["length_s"], brief["meter"]) == (96.0, "F major", 45.0, "3/4")


def test_words_not_understood_are_named(run: Run) -> None:
    said = run("compose", "chill flurbish")
    assert said.code == 0
    assert "flurbish" in said.err
    assert "track.mp3" in said.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([""], "Tell me what to compose"),
        (["   "], "Tell me what to compose"),
        (["x" * 2000], "2,000 characters"),
        (["chill", "--length", "0"], "length"),
        (["chill", "--length", "100000"], "length"),
        (["chill", "--style", "polka"], "polka"),
        (["chill", "--key", "H minor"], "H minor"),
        (["chill", "--tempo", "nan"], "tempo"),
        (["chill", "--tempo", "fast"], "--tempo"),
        (["chill", "--seed", "-1"], "seed"),
        (["chill", "--takes", "0"], "takes"),
        (["chill", "--meter", "11/8"], "11/8"),
        (["chill", "--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(run: Run, arguments: list[str], sentence: str) -> None:
    said = run("compose", *arguments)
    assert said.code == 2
    assert said.out == ""
    assert sentence in said.sentence
    assert len(said.err.strip().splitlines()) == 1
    assert json.loads(run("history", "--json").out) == []


@pytest.mark.parametrize("text", ["chill fakerefuse", "chill fakebug", "chill fakedisk", "chill fakedie"])
def test_what_fails_is_one_sentence_and_exit_code_1(run: Run, text: str, tmp_path: Path) -> None:
    said = run("compose", text, "--json", "--out", str(tmp_path / "out"))
    assert said.code == 1
    assert said.out == ""
    assert said.sentence.endswith(".")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unwritable_folder_is_refused_before_composing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = run("compose", "chill", "--out", str(tmp_path / "file" / "below"))
    assert said.code == 2
    assert "cannot be written" in said.sentence
    assert json.loads(run("history", "--json").out) == []


def test_an_unwritable_home_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["--home", str(tmp_path / "file" / "below"), "history"]) == 1
    assert "cannot be" in capsys.readouterr().err


def test_stems_of_an_earlier_piece_do_not_stay(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    run("compose", "chill", "--out", str(folder))
    (folder / "stems" / "old.flac").touch()
    (folder / "mine.txt").touch()
    run("compose", "chill", "--out", str(folder))
    assert not (folder / "stems" / "old.flac").exists()
    assert (folder / "mine.txt").exists()


def test_rating_and_history(run: Run) -> None:
    track = json.loads(run("compose", "chill", "--listener", "ada", "--json").out)["track_id"]
    assert run("rate", track, "5", "--listener", "ada").code == 0
    assert json.loads(run("rate", track, "4", "--listener", "ada", "--json").out)["stars"] == 4
    (entry,) = json.loads(run("history", "--listener", "ada", "--json").out)
    assert (entry["track_id"], entry["stars"]) == (track, 4)
    assert json.loads(run("history", "--json").out) == []
    assert "★★★★" in run("history", "--listener", "ada").out
    for arguments, sentence in (
        (["rate", "nothing", "5"], "no track nothing"),
        (["rate", track, "6"], "1 to 5"),
        (["rate", track, "many"], "stars"),
    ):
        said = run(*arguments)
        assert said.code == 2
        assert sentence in said.sentence


def test_ratings_change_what_comes_next(run: Run) -> None:
    wishes = ["compose", "chill", "--style", "lofi", "--listener", "ada", "--json", "--seed"]
    before = json.loads(run(*wishes, "1").out)["brief"]
    for seed in ("2", "3", "4", "5"):
        made = json.loads(run(*wishes, seed).out)
        run("rate", made["track_id"], "5" if made["brief"]["density"] > before["density"] else "1", "--listener", "ada")
    after = json.loads(run(*wishes, "1").out)["brief"]
    assert after != before
    taste = json.loads(run("taste", "show", "--listener", "ada", "--json").out)
    assert taste["ratings"] == 4


def test_a_history_is_imported_once(run: Run) -> None:
    sample = ROOT / "tests" / "data" / "sample_history"
    (file,) = sample.glob("*.json")
    first = json.loads(run("import", str(file), "--json").out)
    assert first["new"] > 100
    again = json.loads(run("import", str(file), "--json").out)
    assert (again["new"], again["known"]) == (0, first["new"])
    taste = json.loads(run("taste", "show", "--json").out)
    assert taste["listens"] == first["new"]
    assert taste["styles"]
    shown = run("taste", "show")
    assert shown.code == 0
    assert str(first["new"]) in shown.out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.json", None),
        ("broken.zip", b"PK\x03\x04 and nothing else"),
        ("truncated.json", b'[{"ts": "2025-01-01T00:00:00Z", "ms_played": 200000, "master'),
        ("wrong.json", b'{"hello": "world"}'),
        ("empty.json", b""),
    ],
)
def test_a_broken_export_changes_nothing(run: Run, tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    said = run("import", str(path))
    assert said.code == 2
    assert name in said.sentence
    assert json.loads(run("taste", "show", "--json").out)["listens"] == 0


def test_doctor_names_everything(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret-s3cret-s3cret")
    monkeypatch.setenv("TUNESMITH_SOUNDFOND", "/x")
    said = run("doctor")
    for name in (
        "python",
        "torch",
        "discord.py",
        "ffmpeg",
        "soundfont",
        "weights",
        "database",
        "disk",
        "token",
        "voice",
    ):
        assert any(line.split()[1] == name for line in said.out.splitlines())
    assert "s3cret" not in said.out + said.err
    assert "did you mean TUNESMITH_SOUNDFONT?" in said.out
    findings = json.loads(run("doctor", "--json").out)
    assert said.code == int(any(finding["good"] is False for finding in findings))


def test_doctor_fails_when_something_needed_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise RuntimeError

    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", nowhere)
    said = run("doctor")
    assert said.code == 1
    assert "MISSING  ffmpeg" in said.out


def test_a_database_from_a_newer_version_is_left_alone(run: Run, tmp_path: Path) -> None:
    run("history")
    path = tmp_path / "home" / "tunesmith.db"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for command in (["history"], ["compose", "chill"], ["worker", "--drain"]):
        said = run(*command)
        assert said.code == 1
        assert "newer Tunesmith" in said.sentence
    said = run("doctor")
    assert said.code == 1
    assert "newer Tunesmith" in said.out


def test_serve_without_a_token_is_one_sentence(run: Run) -> None:
    said = run("serve")
    assert said.code == 2
    assert "DISCORD_TOKEN" in said.sentence


def test_a_setting_that_does_not_fit_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_WORKERS", "lots")
    said = run("history")
    assert said.code == 2
    assert "TUNESMITH_WORKERS" in said.sentence


def test_everything_stays_in_the_home_folder_and_is_ours_alone(run: Run, tmp_path: Path) -> None:
    run("compose", "chill")
    home = tmp_path / "home"
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "key").stat().st_mode) == 0o600


def test_demo_goes_from_nothing_to_a_piece(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.cli.demo.ensure_sounds", lambda _: None)
    said = run("demo", "--out", str(tmp_path / "demo"))
    assert said.code == 0
    assert "plays from Spotify extended" in said.err
    assert "chill" in said.out
    assert str(tmp_path / "demo" / "track.mp3") in said.out
    assert {"track.mp3", "track.mid", "track.musicxml", "cover.png", "report.json", "provenance.json", "stems"} <= {
        path.name for path in (tmp_path / "demo").iterdir()
    }
    again = run("demo", "--out", str(tmp_path / "demo"))
    assert again.code == 0
    assert "0 plays" in again.err
    assert len(json.loads(run("history", "--listener", "demo", "--json").out)) == 2


def test_every_command_has_help(run: Run) -> None:
    for command in (
        *("demo", "compose", "rate", "import", "history", "serve", "worker", "doctor"),
        *("taste show", "sounds fetch"),
    ):
        said = run(*command.split(), "--help")
        assert said.code == 0
        assert "Usage" in said.out


def test_a_compose_that_is_interrupted_leaves_a_cancelled_job(tmp_path: Path) -> None:
    environment = {**os.environ, "TUNESMITH_COMPOSER": COMPOSER, "TUNESMITH_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "compose", "chill fakeslow"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whatever the shell of the tests ignores.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 -- no threads here
    )
    assert process.stderr is not None
    try:
        seen = ""
        while "%" not in seen:  # composing has begun
            line = process.stderr.readline()
            assert line, seen
            seen += line
        process.send_signal(2)
        out, rest = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in rest
    with sqlite3.connect(tmp_path / "home" / "tunesmith.db") as connection:
        assert connection.execute("SELECT state FROM jobs").fetchall() == [("cancelled",)]
    connection.close()


def test_importing_the_bot_loads_neither_torch_nor_ray() -> None:
    code = (
        "import sys, bot.app, bot.service, bot.discord_front.client, bot.__main__;"
        "print([name for name in ('torch', 'ray', 'sklearn') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
