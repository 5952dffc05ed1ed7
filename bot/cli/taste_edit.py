"""`taste edit|exclude|include|about|reset|export|refit|judge`: what a listener changes, and what an operator does."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.app import open_app
from bot.cli.context import AsJson, Listener, out, print_json, run, settings
from bot.errors import UserError

Kind = Annotated[str, typer.Argument(help="track, artist or source.")]
Value = Annotated[str, typer.Argument(help="The track's id, the artist's name, or a service such as lastfm.")]


def add_taste_edit(taste: typer.Typer) -> None:
    @taste.command()
    def edit(
        words: Annotated[str, typer.Argument(help="Such as “more jazz, less fast; forget rock”.")],
        listener: Listener = "local",
        as_json: AsJson = False,
    ) -> None:
        """Change your taste in plain words."""
        edited = run(_ask(lambda tastes: tastes.edit(listener, words)))
        if as_json:
            print_json(asdict(edited))
            return
        for statement in edited.said:
            out.print(f"Noted: {'more' if statement.liked else 'less'} {statement.value}.", markup=False)
        for value in edited.withdrawn:
            out.print(f"Forgotten: {value}.", markup=False)
        if edited.unknown:
            out.print(f"Not understood: {', '.join(edited.unknown)}.", markup=False)

    @taste.command()
    def exclude(kind: Kind, value: Value, listener: Listener = "local", as_json: AsJson = False) -> None:
        """Do not learn from a track, an artist or a service's plays."""
        run(_ask(lambda tastes: tastes.exclude(listener, kind, value)))
        _done({"excluded": value, "kind": kind}, f"Nothing is learned from {value} any more.", as_json)

    @taste.command()
    def include(value: Value, listener: Listener = "local", as_json: AsJson = False) -> None:
        """Take an exclusion back."""
        found = run(_ask(lambda tastes: tastes.include(listener, value)))
        _done({"included": found}, "It counts again." if found else "It was not excluded.", as_json)

    @taste.command()
    def about(
        age: Annotated[str | None, typer.Option(help="An age band such as 25-34; leave both out to delete.")] = None,
        country: Annotated[str | None, typer.Option(help="Two letters, such as DE.")] = None,
        listener: Listener = "local",
        as_json: AsJson = False,
    ) -> None:
        """Say your age band and country, if you like; without either, what you said is deleted."""
        said = run(_ask(lambda tastes: tastes.tell_about(listener, age, country)))
        groups = " and ".join(said.groups)
        _done(asdict(said), f"Noted: {groups}." if groups else "Nothing is kept of your age and country.", as_json)

    _add_whole(taste)
    _add_shared(taste)


def _add_whole(taste: typer.Typer) -> None:
    @taste.command()
    def reset(
        listener: Listener = "local",
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Forget a taste: ratings, signals, statements, exclusions and plays. Pieces stay."""
        if not yes and not typer.confirm(f"Forget all that is known of the taste of {listener}?"):
            raise UserError("Nothing was forgotten.")
        gone = run(_ask(lambda tastes: tastes.reset(listener)))
        counts = ", ".join(f"{count} {name}" for name, count in gone.items() if count)
        _done(gone, f"Forgotten: {counts or 'there was nothing'}.", as_json)

    @taste.command()
    def export(
        listener: Listener = "local",
        file: Annotated[Path | None, typer.Option("--out", help="Write there instead of printing.")] = None,
    ) -> None:
        """Export all that a taste is made of, as JSON."""
        data = run(_ask(lambda tastes: tastes.export(listener)))
        if file is None:
            print_json(data)
            return
        try:
            file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{file} cannot be written: {error.strerror}.") from error
        out.print(f"Written to {file}.", markup=False, soft_wrap=True)

    @taste.command()
    def signal(
        track: Annotated[str, typer.Argument(help="The track's id.")],
        kind: Annotated[str, typer.Argument(help="skip, replay, download or variation.")],
        listener: Listener = "local",
        as_json: AsJson = False,
    ) -> None:
        """Note what was done with a piece; a weak hint beside ratings."""
        run(_ask(lambda tastes: tastes.signal(listener, track, kind)))
        _done({"track_id": track, "signal": kind}, "Noted.", as_json)


def _add_shared(taste: typer.Typer) -> None:
    @taste.command()
    def refit(as_json: AsJson = False) -> None:
        """Learn anew what all listeners here have in common, from the ratings there are now."""
        found = run(_ask(lambda tastes: tastes.refit()))
        verb = "is used from now on" if found.serves else "is not used: it predicts new listeners no better"
        _done(
            asdict(found),
            f"Learned from {found.ratings} ratings of {found.listeners} listeners ({found.excluded} told nothing); "
            f"it {verb} ({found.gain:+.3f} nats a rating).",
            as_json,
        )

    @taste.command()
    def judge(as_json: AsJson = False) -> None:
        """Estimate from the log what listeners would have given without personal taste."""
        found = run(_ask(lambda tastes: tastes.judge()))
        if found is None:
            _done(None, "Too few rated choices to say anything; an effective sample of 50 is needed.", as_json)
            return
        _done(
            asdict(found),
            f"Served {found.served:.2f} stars; without taste {found.snips:.2f} (SNIPS), {found.doubly_robust:.2f} "
            f"± {found.error:.2f} (DR), from {found.choices} choices worth {found.sample:.0f}.",
            as_json,
        )


async def _ask(what: Any) -> Any:
    async with open_app(settings()) as app:
        return await what(app.service.tastes)


def _done(data: Any, sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(data)
    else:
        out.print(sentence, markup=False)
