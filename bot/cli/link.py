"""`link`, `unlink`, `shelf`: accounts at listening services, and what Spotify shows live."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from bot.app import open_app
from bot.cli.context import AsJson, Listener, out, print_json, run, say, settings
from bot.errors import UserError
from bot.linking import Account, Linked, Shelf, Unlinked


class Service(StrEnum):
    """Services that can be unlinked, as typed."""

    spotify = "spotify"
    listenbrainz = "listenbrainz"
    lastfm = "lastfm"


Name = Annotated[str, typer.Argument(help="The name of the account.")]


def add_link(app: typer.Typer) -> None:
    link = typer.Typer(no_args_is_help=True, help="Link a listening service.")
    app.add_typer(link, name="link")

    @link.command()
    def listenbrainz(
        account: Name,
        token: Annotated[str | None, typer.Option(help="Your token: proves the account is yours; not kept.")] = None,
        listener: Listener = "local",
        as_json: AsJson = False,
    ) -> None:
        """Read the plays of a ListenBrainz account; again for what is new."""
        _told(run(_link(listener, "listenbrainz", account, token)), as_json)

    @link.command()
    def lastfm(account: Name, listener: Listener = "local", as_json: AsJson = False) -> None:
        """Read the plays of a Last.fm account; again for what is new."""
        _told(run(_link(listener, "lastfm", account, None)), as_json)

    @link.command()
    def spotify(listener: Listener = "local", as_json: AsJson = False) -> None:
        """Link Spotify: open the address, agree, and paste the address you end up at."""
        _told(run(_link_spotify(listener)), as_json)

    @link.command(name="list")
    def list_(listener: Listener = "local", as_json: AsJson = False) -> None:
        """List what is linked."""
        accounts = run(_accounts(listener))
        if as_json:
            print_json(_plain([asdict(account) for account in accounts]))
            return
        for account in accounts:
            ends = f", until {account.ends_at:%d %B %Y}" if account.ends_at else ""
            out.print(f"{account.source}: {account.name}, since {account.linked_at:%d %B %Y}{ends}", markup=False)
        if not accounts:
            out.print("Nothing is linked.", markup=False)

    _add_unlink(app)


def _add_unlink(app: typer.Typer) -> None:
    @app.command()
    def unlink(
        service: Annotated[Service, typer.Argument(help="Which service.")],
        listener: Listener = "local",
        as_json: AsJson = False,
    ) -> None:
        """Delete a link, its token and all plays of that service, at once."""
        gone = run(_unlink(listener, service.value))
        if as_json:
            print_json(asdict(gone))
        elif gone.was_linked:
            plays = f", and the {gone.plays} plays of that service" if gone.plays else ""
            out.print(f"The link to {gone.source} is deleted{plays}.", markup=False)
        else:
            out.print(f"There was no link to {gone.source}.", markup=False)

    @app.command()
    def shelf(listener: Listener = "local", as_json: AsJson = False) -> None:
        """Show what Spotify says you play, live; nothing of it is kept. `taste like` is for what you want known."""
        _show(run(_shelf(listener)), as_json)


async def _link(listener: str, source: str, account: str, token: str | None) -> Linked:
    async with open_app(settings()) as app:
        return await app.service.link(listener, source, account, token)


async def _link_spotify(listener: str) -> Linked:
    async with open_app(settings()) as app:
        say(f"Open this address, and agree:\n{app.service.ask_spotify(listener)}")
        say("Your browser then shows a page that does not load; paste its whole address here:")
        address = await asyncio.to_thread(sys.stdin.readline)
        if not address.strip():
            raise UserError("Nothing was pasted, so nothing is linked.")
        return await app.service.finish_spotify(address, listener)


async def _accounts(listener: str) -> list[Account]:
    async with open_app(settings()) as app:
        return await app.service.accounts(listener)


async def _unlink(listener: str, source: str) -> Unlinked:
    async with open_app(settings()) as app:
        return await app.service.unlink(listener, source)


async def _shelf(listener: str) -> Shelf:
    async with open_app(settings()) as app:
        return await app.service.shelf(listener)


def _told(linked: Linked, as_json: bool) -> None:
    if as_json:
        print_json(asdict(linked))
        return
    if linked.source == "spotify":
        out.print(f"Spotify is linked. {linked.note}", markup=False)
        return
    known = f", {linked.known} known before" if linked.known else ""
    genres = f"; mostly {', '.join(linked.genres)}" if linked.genres else ""
    out.print(f"{linked.account} is linked: {linked.new} plays from {linked.source}{known}{genres}.", markup=False)


def _show(shelf: Shelf, as_json: bool) -> None:
    if as_json:
        print_json(_plain(asdict(shelf)))
        return
    # Lines, not a table: a link that is cut off leads nowhere.
    for artist in shelf.artists:
        out.print(f"top artist  {artist.artist}  {artist.link}", markup=False, soft_wrap=True)
    for what, shown in (("top title ", shelf.tracks), ("played    ", shelf.recent)):
        for title in shown:
            out.print(f"{what}  {title.artist}: {title.title}  {title.link}", markup=False, soft_wrap=True)
    if shelf.note:
        out.print(shelf.note, markup=False)


def _plain(value: Any) -> Any:
    """Moments as ISO text, the rest as it is."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
