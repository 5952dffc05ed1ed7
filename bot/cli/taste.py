"""`rate`, `import`, `taste show`, `history`: what a listener tells us and gets to see."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from bot.app import open_app
from bot.cli.context import AsJson, Listener, err, out, print_json, run, settings
from bot.cli.taste_edit import add_taste_edit
from bot.imports import Imported
from bot.service import TrackRecord

if TYPE_CHECKING:
    from personalization.statements import Statement

What = Annotated[str, typer.Argument(help="A style or genre, an artist, or a word such as slow, calm, acoustic.")]


def add_taste(app: typer.Typer) -> None:
    @app.command()
    def rate(
        track: Annotated[str, typer.Argument(help="The track's id, as compose and history print it.")],
        stars: Annotated[int, typer.Argument(help="1 to 5.")],
        listener: Listener = "local",
        as_json: AsJson = False,
    ) -> None:
        """Rate a piece; the next one follows your ratings."""
        rated = run(_rate(listener, track, stars))
        if as_json:
            print_json({"track_id": rated.id, "title": rated.title, "stars": stars, "listener": listener})
        else:
            out.print(f"{rated.title}: {'★' * stars}{'☆' * (5 - stars)}", markup=False)

    @app.command(name="import")
    def import_(
        file: Annotated[Path, typer.Argument(help="An export of Spotify, ListenBrainz, Last.fm or Apple Music.")],
        listener: Listener = "local",
        as_json: AsJson = False,
    ) -> None:
        """Read a listening history; plays known already are not doubled."""
        imported = run(_import(listener, file))
        if as_json:
            print_json(asdict(imported))
        else:
            out.print(sentence(imported), markup=False)

    @app.command()
    def history(
        listener: Listener = "local",
        limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 10,
        as_json: AsJson = False,
    ) -> None:
        """List a listener's newest pieces."""
        tracks = run(_history(listener, limit))
        if as_json:
            print_json([_entry(track) for track in tracks])
        else:
            _show_history(tracks)

    _add_group(app)


def _add_group(app: typer.Typer) -> None:
    taste = typer.Typer(no_args_is_help=True, help="What is known of a listener's taste.")
    app.add_typer(taste, name="taste")

    @taste.command()
    def show(listener: Listener = "local", as_json: AsJson = False) -> None:
        """Show what is known of a listener's taste, and why."""
        view = run(_taste(listener))
        if as_json:
            print_json(asdict(view) | {"listener": listener})
        else:
            _show_taste(view)

    @taste.command()
    def like(what: What, listener: Listener = "local", as_json: AsJson = False) -> None:
        """Say that you like a style, an artist, or “slow”, “acoustic” ….

        It leans what is composed for you; ratings outweigh it.
        """
        _told(run(_say(listener, what, liked=True)), as_json)

    @taste.command()
    def dislike(what: What, listener: Listener = "local", as_json: AsJson = False) -> None:
        """Say that you dislike a style, an artist, or “fast”, “busy” …."""
        _told(run(_say(listener, what, liked=False)), as_json)

    @taste.command()
    def unsay(what: What, listener: Listener = "local", as_json: AsJson = False) -> None:
        """Withdraw what you said about something."""
        withdrawn = run(_unsay(listener, what))
        if as_json:
            print_json({"what": what, "withdrawn": withdrawn})
        else:
            out.print("Withdrawn." if withdrawn else "You had said nothing about it.", markup=False)

    add_taste_edit(taste)

    @taste.callback()
    def group() -> None:
        """What is known of a listener's taste."""


async def _rate(listener: str, track: str, stars: int) -> TrackRecord:
    async with open_app(settings()) as app:
        return await app.service.rate(listener, track, stars)


async def _import(listener: str, file: Path) -> Imported:
    async with open_app(settings()) as app:
        with Progress(
            TextColumn("reading"), BarColumn(), TextColumn("{task.fields[plays]} plays"), console=err, transient=True
        ) as bar:
            task = bar.add_task("reading", total=1.0, plays=0)
            return await app.service.import_history(
                listener, file, lambda share, plays: bar.update(task, completed=share, plays=plays)
            )


async def _history(listener: str, limit: int) -> list[TrackRecord]:
    async with open_app(settings()) as app:
        return await app.service.history(listener, limit)


async def _taste(listener: str) -> Any:
    async with open_app(settings()) as app:
        return await app.service.taste(listener)


async def _say(listener: str, what: str, *, liked: bool) -> Statement:
    async with open_app(settings()) as app:
        return await app.service.say(listener, what, liked=liked)


async def _unsay(listener: str, what: str) -> bool:
    async with open_app(settings()) as app:
        return await app.service.unsay(listener, what)


def _told(statement: Statement, as_json: bool) -> None:
    if as_json:
        print_json({"kind": statement.kind, "value": statement.value, "liked": statement.liked})
        return
    verb = "like" if statement.liked else "dislike"
    out.print(f"Noted: you {verb} {statement.value} ({statement.kind}).", markup=False)


def sentence(imported: Imported) -> str:
    """What became of an export, in words."""
    known = f", {imported.known} known before" if imported.known else ""
    skipped = ", ".join(f"{count} {reason}" for reason, count in imported.skipped.items() if count)
    counts = f"{imported.new} plays from {imported.package}{known}{f'; skipped: {skipped}' if skipped else ''}."
    return " ".join((counts, *imported.notes))


def _entry(track: TrackRecord) -> dict[str, Any]:
    return {
        "track_id": track.id,
        "title": track.title,
        "created_at": track.created_at.isoformat(),
        "stars": track.stars,
        "dir": str(track.dir),
        "files": track.files,
        "brief": track.brief,
        "measured": track.measured,
    }


def _show_history(tracks: list[TrackRecord]) -> None:
    if not tracks:
        out.print("Nothing yet; `tunesmith compose chill` makes the first piece.", markup=False)
        return
    table = Table("track", "title", "style", "key", "tempo", "stars", "when", show_edge=False)
    for track in tracks:
        table.add_row(
            track.id,
            track.title,
            ", ".join(name for name, _ in track.brief["styles"]),
            str(track.measured["key"]),
            f"{track.measured['tempo_bpm']:.0f}",
            "★" * track.stars if track.stars else "",
            track.created_at.astimezone().strftime("%Y-%m-%d %H:%M"),
        )
    out.print(table)


def _show_taste(view: Any) -> None:
    out.print(view.basis, markup=False)
    table = Table("what", "how much", "why", show_edge=False)
    for name, share, reason in view.styles:
        table.add_row(name, f"{share:.0%}", reason)
    for phrase, stars, reason in view.attributes:
        table.add_row(phrase, f"{stars:.2f} stars", reason)
    if table.row_count:
        out.print(table)
    for value, liked, known in view.statements:
        meaning = "" if known else ", which my tables do not know"
        out.print(f"You said you {'like' if liked else 'dislike'} {value}{meaning}.", markup=False)
    if view.unknown_genres:
        out.print(f"Genres I have no idea of yet: {', '.join(map(str, view.unknown_genres))}.", markup=False)
