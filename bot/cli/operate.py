"""What an operator does now and then: backup, restore, migrate, rotate-keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from bot import clock
from bot.app import open_app
from bot.cli.context import AsJson, out, print_json, run, settings
from bot.settings import Settings
from bot.store.backup import back_up, database_file
from bot.store.backup import restore as restore_backup
from bot.store.rotation import rotate_keys


def add_operate(app: typer.Typer) -> None:
    @app.command()
    def backup(
        folder: Annotated[Path, typer.Argument(help="Where the dated backup goes.")],
        keep_days: Annotated[float | None, typer.Option(min=0, help="Delete backups there older than this.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Save database, key and tracks in one file; the bot may go on meanwhile."""
        chosen, keep = settings(), None if keep_days is None else timedelta(days=keep_days)
        made = back_up(chosen.home, folder, keep, database=database_file(chosen.database))
        if as_json:
            print_json({"path": str(made.path), "tracks": made.tracks, "deleted": made.deleted})
        else:
            _tell(f"{made.path} holds the database, the key and {made.tracks} tracks. It is as secret as the key.")

    @app.command()
    def restore(file: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
        """Put a backup into the home folder and the database's place, which must be empty yet."""
        chosen = settings()
        made = restore_backup(file, chosen.home, database=database_file(chosen.database))
        run(_open(chosen))
        _tell(f"{chosen.home} is as it was, with {made.tracks} tracks.")

    @app.command()
    def migrate() -> None:
        """Bring the database to this version's schema, as every start does."""
        found = run(_open(settings()))
        _tell(f"The database is at schema {found['schema']}.")

    @app.command(name="rotate-keys")
    def rotate() -> None:
        """Seal all tokens with a new key and drop the old ones; stop the bot first."""
        count = run(_rotate(settings()))
        _tell(f"{count} sealed values have a new key; older backups open with the key in them.")


async def _open(chosen: Settings) -> dict[str, str]:
    async with open_app(chosen) as app:
        return await app.store.database.describe()


async def _rotate(chosen: Settings) -> int:
    async with open_app(chosen) as app:
        return await rotate_keys(app.store.database, chosen.home / "key", clock.now())


def _tell(sentence: str) -> None:
    out.print(sentence, markup=False, soft_wrap=True)
