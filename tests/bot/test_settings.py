"""Settings: what `.env.example` says is what there is, secrets stay secret, mistakes get a hint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import Settings, child_environment, load_settings, unknown_variables, variable_names

ROOT = Path(__file__).parents[2]


def test_the_example_names_every_setting_and_nothing_else() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = [match.group(1) for line in lines if (match := re.match(r"#?([A-Z][A-Z0-9_]+)=", line))]
    assert sorted(named) == sorted(variable_names())


def test_the_example_shows_the_defaults() -> None:
    defaults = Settings()
    for line in (ROOT / ".env.example").read_text().splitlines():
        match = re.match(r"#TUNESMITH_([A-Z_]+)=(.+)", line)
        if match:
            shown, actual = match.group(2), getattr(defaults, match.group(1).lower())
            assert shown == (f"{actual:g}" if isinstance(actual, float) else str(actual).lower().replace("none", ""))


def test_environment_and_overrides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUNESMITH_WORKERS", "3")
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "from-environment"))
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret-s3cret")
    assert load_settings().home == tmp_path / "from-environment"
    chosen = load_settings(home=tmp_path / "chosen")
    assert (chosen.home, chosen.workers) == (tmp_path / "chosen", 3)
    assert chosen.database == f"sqlite+aiosqlite:///{tmp_path}/chosen/tunesmith.db"
    assert "s3cret" not in repr(chosen)
    assert "s3cret-s3cret" in chosen.secrets()


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("TUNESMITH_WORKERS", "many", "TUNESMITH_WORKERS"),
        ("TUNESMITH_TAKES", "99", "TUNESMITH_TAKES"),
        ("TUNESMITH_COMPOSER", "no colon", "TUNESMITH_COMPOSER"),
        ("SPOTIFY_REDIRECT_URI", "http://localhost:8765/callback", "localhost is refused"),
    ],
)
def test_a_value_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, hint: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=hint) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_a_mistyped_variable_gets_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "some.env"
    file.write_text("TUNESMITH_SOUNDFOND=/x\n")
    sentences = unknown_variables({"TUNESMITH_WORKER": "1", "TUNESMITH_WORKERS": "1", "PATH": "x"}, file)
    assert sentences == [
        "Nothing reads the variable TUNESMITH_SOUNDFOND; did you mean TUNESMITH_SOUNDFONT?",
        "Nothing reads the variable TUNESMITH_WORKER; did you mean TUNESMITH_WORKERS?",
    ]


def test_worker_processes_get_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "s3cret-s3cret")
    environment = child_environment(load_settings(threads_per_worker=1))
    assert "s3cret-s3cret" not in environment.values()
    assert environment["OMP_NUM_THREADS"] == "1"
