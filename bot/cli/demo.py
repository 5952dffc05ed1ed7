"""`demo`: from nothing to a first personal piece, without an account, a token or a GPU."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

import bot
from bot.app import App, open_app
from bot.cli.compose import compose_here, require_verified, show_track
from bot.cli.context import run, say, settings
from bot.cli.deliver import deliver, prepare_out
from bot.cli.doctor import ensure_sounds
from bot.cli.taste import sentence
from bot.errors import NotFoundError
from bot.settings import Settings

_LISTENER = "demo"
_TEXT = "chill"
_SAMPLE = Path(bot.__file__).parents[1] / "tests" / "data" / "sample_history"


def add_demo(app: typer.Typer) -> None:
    @app.command()
    def demo(
        out_dir: Annotated[Path, typer.Option("--out", help="A folder for the finished files.")] = Path("out/demo"),
    ) -> None:
        """Compose a first piece for a sample listener and show what was measured."""
        run(_demo(settings(), out_dir))


async def _demo(chosen: Settings, out_dir: Path) -> None:
    prepare_out(out_dir)
    soundfont = await asyncio.to_thread(ensure_sounds, chosen)
    say(f"Sounds: {soundfont}" if soundfont else "Sounds: synthesised voices for every instrument.")
    async with open_app(chosen) as app:
        await _import_sample(app)
        request = app.service.request(_TEXT, takes=2)
        track, _ = await compose_here(app, _LISTENER, request)
    await asyncio.to_thread(deliver, track, out_dir)
    show_track(track, out_dir)
    require_verified(track)


async def _import_sample(app: App) -> None:
    files = list(_exports(_SAMPLE))
    if not files:
        raise NotFoundError(f"The sample listening history is not where it should be: {_SAMPLE}.")
    for file in files:
        say(sentence(await app.service.import_history(_LISTENER, file)))


def _exports(place: Path) -> Iterator[Path]:
    """The export files of a folder, or the file itself."""
    if place.is_file():
        yield place
    elif place.is_dir():
        yield from sorted(file for file in place.iterdir() if file.suffix in {".json", ".jsonl", ".zip"})
