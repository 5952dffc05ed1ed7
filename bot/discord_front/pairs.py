"""Second takes: put beside the first ones in the same message, once, with the question which is better.

The first take was posted long ago and is played meanwhile; the message is edited, which can be tried again safely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord

from bot import clock
from bot.discord_front.boundary import transient
from bot.discord_front.buttons import pair_view
from bot.discord_front.replies import carries, language_in, only, track_embed, track_files
from bot.errors import FrontError, NotFoundError
from bot.i18n.catalogue import say
from bot.logs import logger

if TYPE_CHECKING:
    from bot.discord_front.delivery import Courier
    from bot.service import Service
    from bot.store.pairs import Pairs

_log = logger(__name__)


class SideBySide:
    def __init__(self, courier: Courier, service: Service, pairs: Pairs) -> None:
        self._courier = courier
        self._service = service
        self._pairs = pairs

    async def show(self, row: Any) -> None:
        """See to one of `Pairs.open`; where the message cannot be edited any more the take stays in the history."""
        try:
            message = await self._courier.posted_message(row)
            if not carries(row["second_id"], message.attachments):
                await self._add(row, message)
        except (FrontError, NotFoundError) as error:
            _log.info("second take not shown", job=row["job_id"], reason=str(error))
        except discord.HTTPException as error:
            if transient(error):
                raise
            _log.info("second take not shown", job=row["job_id"], status=error.status, code=error.code)
        await self._pairs.shown(row["job_id"], clock.now())

    async def _add(self, row: Any, message: discord.Message) -> None:
        """Raises FrontError when no part of it fits, and NotFoundError when one of the takes was deleted."""
        language = language_in(row)
        if row["second_state"] != "done":
            await self._courier.edit_posted(row, message, content=_addressed(message, ""))
            return
        track = await self._service.track(row["second_id"])
        audio, smaller = await self._courier.fitting(track, row["upload_limit"])
        first = message.embeds[0]
        first.title = f"A · {first.title}"[:256]
        first.set_thumbnail(url="attachment://cover.png")
        second = track_embed(track, language, None, smaller)
        second.title = f"B · {second.title}"[:256]
        second.set_thumbnail(url="attachment://cover-b.png")
        await self._courier.edit_posted(
            row, message, content=_addressed(message, say(language, "pair.question")), embeds=[first, second],
            attachments=[*message.attachments, *_renamed(track_files(track, audio))],
            view=pair_view(row["job_id"], language), allowed_mentions=only(row),
        )  # fmt: skip


def coming(pair: Any, language: str) -> str:
    """What is said above a first take while the second one is not there; `pair` is a row of pairs, or None."""
    return "" if pair is None or pair["shown_at"] is not None else say(language, "pair.coming")


def _addressed(message: discord.Message, words: str) -> str | None:
    """The words, with whoever is named at the beginning of a message that is no answer."""
    mention = message.content.split(maxsplit=1)[0] if message.content.startswith("<@") else ""
    return f"{mention} {words}".strip() or None


def _renamed(files: list[discord.File]) -> list[discord.File]:
    audio, cover = files
    audio.filename, cover.filename = f"b-{audio.filename}", "cover-b.png"
    return [audio, cover]
