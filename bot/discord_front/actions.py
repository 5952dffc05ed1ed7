"""What the buttons, menus and forms do: each asks the service one thing and says what came of it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import discord

from bot.changes import CHANGES, restyled
from bot.discord_front.buttons import piece_view, single_view
from bot.discord_front.downloads import pack_stems
from bot.discord_front.modals import ADDRESS, FORGET, REMIX, Submitted, address_form, remix_form
from bot.discord_front.reactions import listener_of
from bot.discord_front.replies import file_name, length, reasons
from bot.discord_front.texts import reader
from bot.errors import UserError
from bot.i18n.catalogue import say
from bot.service import TrackRecord
from bot.store.pairs import SECOND
from personalization.request import MAX_TEXT

if TYPE_CHECKING:
    from bot.discord_front.client import Front

    Asked = discord.Interaction[Front]

LIKE, DISLIKE = 5, 1  # stars


class Actions:
    def __init__(self, front: Front) -> None:
        self._front = front
        self._service = front.service
        self._presses: dict[str, Callable[[Asked, str], Awaitable[None]]] = {
            "like": lambda asked, track: self._rate(asked, track, LIKE),
            "dislike": lambda asked, track: self._rate(asked, track, DISLIKE),
            "again": self._again,
            "why": self._why,
            "delete": self._delete,
            "erase": self._erase,
            "remix": self._remix,
            "stems": self._stems,
            "midi": self._midi,
            "score": self._score,
            "cancel": self._cancel,
            "reset": self._reset,
            "skip": self._skip,
            "stop": self._stop,
        }
        self._submissions: dict[str, Callable[[Asked, Submitted], Awaitable[None]]] = {
            REMIX: self._remixed,
            ADDRESS: self._finish_spotify,
            FORGET: self._forget,
        }

    async def press(self, action: str, asked: Asked, about: str) -> None:
        """A button of `buttons.LOOKS` was pressed; `about` is its track or job."""
        await self._presses[action](asked, about)

    async def submit(self, asked: Asked, form: Submitted) -> None:
        """A form was filled in."""
        await self._submissions[form.kind](asked, form)

    async def change(self, asked: Asked, track_id: str, name: str) -> None:
        """An entry of the menu of changes was chosen."""
        if name not in CHANGES:
            raise UserError(say(reader(asked), "errors.value", value=name[:40]))
        await self._own(asked, track_id)
        listener = listener_of(asked.user.id)
        await self._front.begin(
            asked, lambda reply: self._service.change(listener, track_id, CHANGES[name], reply=reply)
        )  # fmt: skip

    async def choose(self, asked: Asked, first_id: str, verdict: str) -> None:
        """One of two takes was said to be better, or both alike; the asker can go on with the second one."""
        listener, language = listener_of(asked.user.id), reader(asked)
        second_id = await self._service.compare(listener, first_id, verdict)
        mine = verdict == SECOND and (await self._service.track(second_id)).listener_id == listener
        more = {"view": piece_view(second_id, language)} if mine else {}
        await _whisper(asked, say(language, f"pair.noted_{verdict}"), **more)

    async def ask_address(self, asked: Asked) -> None:
        """Open the form for the address that Spotify led to."""
        await asked.response.send_modal(address_form(reader(asked)))

    async def _finish_spotify(self, asked: Asked, form: Submitted) -> None:
        await asked.response.defer(ephemeral=True, thinking=True)
        linked = await self._service.finish_spotify(form.fields["line"], listener_of(asked.user.id))
        sentence = say(reader(asked), "link.done", service="Spotify", account=linked.account, new=linked.new)
        await asked.edit_original_response(content=f"{sentence} {linked.note}".strip())

    async def _forget(self, asked: Asked, form: Submitted) -> None:
        if form.fields["line"].strip().casefold() != say(form.about, "privacy.word").casefold():
            raise UserError(say(reader(asked), "privacy.unchanged"))
        await asked.response.defer(ephemeral=True, thinking=True)
        pieces = await self._service.privacy.forget(listener_of(asked.user.id))
        await asked.edit_original_response(content=say(reader(asked), "privacy.forgotten", pieces=pieces))

    async def _own(self, asked: Asked, track_id: str) -> TrackRecord:
        """The track, if the one who presses asked for it. Raises UserError."""
        track = await self._service.track(track_id)
        if track.listener_id != listener_of(asked.user.id):
            raise UserError(say(reader(asked), "errors.not_yours"))
        return track

    async def _rate(self, asked: Asked, track_id: str, stars: int) -> None:
        await self._service.rate(listener_of(asked.user.id), track_id, stars)
        await _whisper(asked, say(reader(asked), "rating.liked" if stars == LIKE else "rating.disliked"))

    async def _again(self, asked: Asked, track_id: str) -> None:
        await self._own(asked, track_id)
        listener = listener_of(asked.user.id)
        await self._front.begin(asked, lambda reply: self._service.again(listener, track_id, reply=reply))

    async def _why(self, asked: Asked, track_id: str) -> None:
        track, language = await self._service.track(track_id), reader(asked)
        facts = say(
            language, "why.facts", key=track.measured["key"], tempo=f"{track.measured['tempo_bpm']:.0f}",
            length=length(track.measured["length_s"]), parts=", ".join(track.measured.get("parts", ())),
        )  # fmt: skip
        await _whisper(
            asked, f"**{discord.utils.escape_markdown(track.title)}**\n{reasons(track, language)}\n{facts}"[:2000]
        )

    async def _delete(self, asked: Asked, track_id: str) -> None:
        track, language = await self._own(asked, track_id), reader(asked)
        question = say(language, "delete.sure", title=discord.utils.escape_markdown(track.title))
        await _whisper(asked, question, view=single_view("erase", track_id, language))

    async def _erase(self, asked: Asked, track_id: str) -> None:
        await self._own(asked, track_id)
        await asked.response.defer()
        gone = await self._front.courier.remove(track_id)
        await self._service.pieces.delete(listener_of(asked.user.id), track_id)
        done = say(reader(asked), "delete.done" if gone else "delete.message_stays")
        await asked.edit_original_response(content=done, view=None)

    async def _remix(self, asked: Asked, track_id: str) -> None:
        await self._own(asked, track_id)
        text = (await self._service.job(track_id)).request["text"]
        await asked.response.send_modal(remix_form(track_id, text, reader(asked)))

    async def _remixed(self, asked: Asked, form: Submitted) -> None:
        track = await self._own(asked, form.about)
        text = (await self._service.job(track.id)).request["text"]
        words, style = form.fields["text"], form.fields["style"]
        if words.strip() != text[:MAX_TEXT].strip():
            await self._front.accept(asked, words, styles=(style,) if style else None)
        elif style:
            listener, change = listener_of(asked.user.id), restyled(style)
            await self._front.begin(
                asked, lambda reply: self._service.change(listener, track.id, change, reply=reply)
            )  # fmt: skip
        else:
            raise UserError(say(reader(asked), "remix.nothing"))

    async def _stems(self, asked: Asked, track_id: str) -> None:
        track = await self._own(asked, track_id)
        await asked.response.defer(ephemeral=True, thinking=True)
        stems = [Path(name) for name in track.files.get("stems", ())]
        with tempfile.TemporaryDirectory(prefix="tunesmith-") as folder:
            target = Path(folder) / file_name(track, "-stems.zip")
            parcel = await asyncio.to_thread(pack_stems, stems, target, asked.filesize_limit)
            await self._hand_out(asked, track, list(parcel.files), parcel.left_out)

    async def _midi(self, asked: Asked, track_id: str) -> None:
        await self._send_files(asked, track_id, ("mid",))

    async def _score(self, asked: Asked, track_id: str) -> None:
        await self._send_files(asked, track_id, ("musicxml", "leadsheet"))

    async def _send_files(self, asked: Asked, track_id: str, roles: tuple[str, ...]) -> None:
        track = await self._own(asked, track_id)
        await asked.response.defer(ephemeral=True, thinking=True)
        await self._hand_out(asked, track, [Path(track.files[role]) for role in roles if role in track.files], ())

    async def _hand_out(
        self, asked: Asked, track: TrackRecord, paths: list[Path], left_out: tuple[str, ...]
    ) -> None:  # fmt: skip
        """Send files for the asker's eyes only; wanting them is a weak sign of liking the piece."""
        language = reader(asked)
        if not paths:
            raise UserError(say(language, "errors.large"))
        names = [
            path.name if len(paths) > 1 or path.suffix == ".zip" else file_name(track, path.suffix) for path in paths
        ]
        files = [discord.File(path, filename=name) for path, name in zip(paths, names, strict=True)]
        words = say(language, "files.here", title=discord.utils.escape_markdown(track.title))
        if left_out:
            words += " " + say(language, "files.left_out", names=", ".join(left_out))
        await asked.edit_original_response(content=words[:2000], attachments=files)
        await self._service.tastes.signal(listener_of(asked.user.id), track.id, "download")

    async def _cancel(self, asked: Asked, job_id: str) -> None:
        stopped = await self._service.pieces.cancel(listener_of(asked.user.id), job_id)
        if not stopped:
            await _whisper(asked, say(reader(asked), "cancel.late"))
            return
        await asked.response.defer()
        self._front.courier.wake()

    async def _skip(self, asked: Asked, _: str) -> None:
        await asked.response.defer()
        await self._front.radios.skip(asked)

    async def _stop(self, asked: Asked, _: str) -> None:
        await asked.response.defer()
        await self._front.radios.stop(asked)

    async def _reset(self, asked: Asked, _: str) -> None:
        await asked.response.defer()
        gone = await self._service.tastes.reset(listener_of(asked.user.id))
        await asked.edit_original_response(
            content=say(reader(asked), "taste.was_reset", count=sum(gone.values())), view=None
        )  # fmt: skip


async def _whisper(asked: discord.Interaction[Any], sentence: str, **more: Any) -> None:
    await asked.response.send_message(sentence, ephemeral=True, **more)
