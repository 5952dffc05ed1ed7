"""What every command shares: the settings in force, where to print, how to run, how to fail."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from bot.logs import configure_logs
from bot.settings import Settings, load_settings

Result = TypeVar("Result")

Listener = Annotated[str, typer.Option("--listener", help="Whose taste: any name, “local” if left out.")]
Format = Annotated[str | None, typer.Option("--format", help="mp3, opus, flac or wav; an MP3 is made in any case.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class Chosen:
    """Global options of this run."""

    home: Path | None = None


def settings(**overrides: Any) -> Settings:
    """Settings with `--home` on top; also starts the logs, quietly, for commands a person looks at."""
    found = load_settings(home=Chosen.home, **overrides)
    level = "debug" if found.log_level == "debug" else "critical"
    configure_logs(level, as_json=found.log_json, secrets=found.secrets())
    return found


def service_settings() -> Settings:
    """The same for commands that run for long; these log as the settings say."""
    found = load_settings(home=Chosen.home)
    configure_logs(found.log_level, as_json=found.log_json, secrets=found.secrets())
    return found


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def print_json(data: Any) -> None:
    """One line, so that the last line of standard output is the whole object."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(sentence: str) -> None:
    """To the person, beside the data."""
    err.print(sentence, markup=False, soft_wrap=True)
