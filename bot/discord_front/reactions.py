"""Number reactions under a piece are ratings: raw events while we listen, a comparison after we did not.

Raw events arrive for messages from before a restart too; the cached kind does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import discord

from bot import clock
from bot.discord_front.boundary import AWAY
from bot.discord_front.replies import STAR_EMOJI
from bot.errors import BotError, StoreError
from bot.logs import logger
from bot.service import Service
from bot.store.facts import Facts
from bot.store.messages import Messages

HEARD = "reactions heard until"  # the fact that says until when nothing was missed
_LOOK_BACK = timedelta(days=14)  # before that moment; nobody rates older pieces
_MOST, _PAGE = 5_000, 100  # pieces
_AT_ONCE = 50  # of the newest pieces: people rate what they have just heard
_TRIES = 3  # of one piece while Discord is away
_MINUTE_S = 60.0
_log = logger(__name__)


def listener_of(user_id: int | str) -> str:
    return f"discord:{user_id}"


class Reactions:
    def __init__(
        self, client: discord.Client, service: Service, messages: Messages, facts: Facts, *, rest_s: float
    ) -> None:
        """`rest_s` lies between two pieces that are compared after the newest ones, so that they never stand in the way
        of an answer."""
        self._client = client
        self._service = service
        self._messages = messages
        self._facts = facts
        self._rest_s = rest_s
        self._catching_up: asyncio.Task[None] | None = None
        # An event must not fall between reading a message and acting on what was read: it waits its turn.
        self._turn = asyncio.Lock()

    async def added(self, event: discord.RawReactionActionEvent) -> None:
        if event.member is not None and event.member.bot:
            return
        async with self._turn:
            found = await self._rating(event)
            if found is not None and await self._may(listener_of(event.user_id), found[0]):
                track_id, stars = found
                await self._service.rate(listener_of(event.user_id), track_id, stars, source="reaction")

    async def removed(self, event: discord.RawReactionActionEvent) -> None:
        async with self._turn:
            found = await self._rating(event)
            if found is not None:
                track_id, stars = found
                await self._service.withdraw_rating(listener_of(event.user_id), track_id, stars)

    async def _rating(self, event: discord.RawReactionActionEvent) -> tuple[str, int] | None:
        own = self._client.user is not None and event.user_id == self._client.user.id
        if own or event.emoji.name not in STAR_EMOJI:
            return None
        track_id = await self._messages.track_of(str(event.message_id))
        return None if track_id is None else (track_id, STAR_EMOJI.index(event.emoji.name) + 1)

    async def _may(self, listener_id: str, track_id: str) -> bool:
        """Whether a listener is not banned where the piece was asked for."""
        server_id = (await self._service.job(track_id)).server_id
        return server_id is None or not await self._service.servers.banned(server_id, listener_id)

    def catch_up(self) -> None:
        """After every fresh session: see in the background to what may have been missed before it, from the newest
        piece on. What an earlier call began starts again, since all may have been missed anew."""
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._catching_up = asyncio.create_task(self._catch_up(), name="reactions")

    async def close(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
            await asyncio.gather(self._catching_up, return_exceptions=True)

    async def _catch_up(self) -> None:
        """What is not seen to when the process stops is seen to at the next start, for until then nothing is noted."""
        await self._stubbornly(self._reconcile)
        while True:
            await self._stubbornly(lambda: self._facts.put(HEARD, clock.now().isoformat()))
            await asyncio.sleep(_MINUTE_S)

    @staticmethod
    async def _stubbornly(work: Callable[[], Awaitable[None]]) -> None:
        """Carry out what needs the store, again and again until that can be used."""
        while True:
            try:
                return await work()
            except StoreError as error:
                _log.warning("reactions not compared", reason=str(error))
                await asyncio.sleep(_MINUTE_S)

    async def _reconcile(self) -> None:
        """Bring the ratings of pieces to what stands under them now. Raises StoreError."""
        heard = await self._facts.get(HEARD)
        since = (clock.now() if heard is None else datetime.fromisoformat(heard)) - _LOOK_BACK
        closed: set[str] = set()  # channels that we may not read
        seen = 0
        before: tuple[datetime, str] | None = None
        while seen < _MOST and (rows := await self._messages.posted_since(since, _PAGE, before)):
            for row in rows:
                seen += 1
                if row["channel_open"] and row["channel_id"] not in closed:
                    await self._carefully(row, closed)
                    await asyncio.sleep(self._rest_s if seen >= _AT_ONCE else 0)
            before = (rows[-1]["answered_at"], rows[-1]["job_id"])
        _log.info("reactions compared", pieces=seen)

    async def _carefully(self, row: Any, closed: set[str]) -> None:
        for _ in range(_TRIES):
            if await self._settled(row, closed):
                return
            await asyncio.sleep(_MINUTE_S)

    async def _settled(self, row: Any, closed: set[str]) -> bool:
        """Compare one piece; False while Discord is away. Raises StoreError."""
        log = _log.bind(job=row["job_id"])
        try:
            async with self._turn:
                await self._reconcile_one(row)
        except discord.NotFound:
            log.debug("nothing to compare")  # the message or its channel was deleted; the ratings stay
        except discord.Forbidden:
            closed.add(row["channel_id"])
        except StoreError:
            raise
        except AWAY as error:
            log.info("chat is away", reason=repr(error))
            return False
        except (discord.HTTPException, BotError) as error:
            log.info("reactions not compared", reason=repr(error))
        except Exception:
            log.exception("reactions not compared by a mistake of ours")
        return True

    async def _reconcile_one(self, row: Any) -> None:
        channel = self._client.get_partial_messageable(int(row["channel_id"]))
        message = await channel.fetch_message(int(row["message_id"]))
        now: set[tuple[str, int]] = set()
        for reaction in message.reactions:
            if str(reaction.emoji) in STAR_EMOJI and reaction.count > int(reaction.me):
                stars = STAR_EMOJI.index(str(reaction.emoji)) + 1
                async for user in reaction.users():
                    if not user.bot:
                        now.add((listener_of(user.id), stars))
        stored = await self._service.reactions(row["job_id"])
        for listener_id, stars in sorted(now - stored):
            if await self._may(listener_id, row["job_id"]):
                await self._service.rate(listener_id, row["job_id"], stars, source="reaction")
        for listener_id, stars in sorted(stored - now):
            await self._service.withdraw_rating(listener_id, row["job_id"], stars)
