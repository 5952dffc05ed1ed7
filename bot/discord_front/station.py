"""One radio in one voice channel, from its start to its end, and the message that says what plays."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import discord

from bot.discord_front.boundary import sentence_for
from bot.discord_front.buttons import radio_view
from bot.discord_front.reactions import listener_of
from bot.discord_front.replies import COLOUR, reasons
from bot.discord_front.voice import Frames, people_in
from bot.errors import BotError, NotFoundError
from bot.i18n.catalogue import say
from bot.logs import logger
from bot.radio.mixer import Mixer
from bot.radio.programme import Programme, Wishes

if TYPE_CHECKING:
    from bot.discord_front.client import Front

FACT = "radio in "  # and the server: what must be told and stopped if this process ends without doing so
_AWAY = (discord.HTTPException, aiohttp.ClientError, TimeoutError, OSError)
_LEAVE_S = 5.0
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class RadioPace:
    """In seconds: between looks at what goes on, alone before leaving, and the age at which the message is sent anew
    (Discord lets old messages be edited a few times only)."""

    poll_s: float = 1.0
    alone_s: float = 180.0
    message_s: float = 3000.0


@dataclass(frozen=True, slots=True)
class Tuned:
    """Where and for whom a radio was started."""

    server_id: str
    host: str
    language: str
    wishes: Wishes


class Station:
    """`run` until it ends or is cancelled, which leaves everything in order; `ending` is why, as a sentence's key."""

    def __init__(
        self, front: Front, voice: discord.VoiceClient, text: discord.abc.Messageable, tuned: Tuned, pace: RadioPace
    ) -> None:
        self._front = front
        self._facts = front.facts
        self._voice = voice
        self._text = text
        self._tuned = tuned
        self._pace = pace
        self._folder = tempfile.TemporaryDirectory(prefix="tunesmith-radio-")
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._mixer = Mixer(changed=self._turned)
        self._programme = Programme(
            front.service, self._mixer, Path(self._folder.name), server_id=tuned.server_id, host=tuned.host,
            wishes=tuned.wishes,
        )  # fmt: skip
        self._message: discord.Message | None = None
        self._sent_at = 0.0
        self._shown: str | None = None
        self._noted: str | None = None
        self._alone_since: float | None = None
        self._over = asyncio.Event()  # the library plays no more
        self.ending = "radio.off"
        self.leaving = False
        """It ends already; to be waited for, not to be cancelled again."""

    @property
    def channel(self) -> discord.VoiceChannel:
        """Where it plays; it may be moved."""
        channel: Any = self._voice.channel
        return channel  # type: ignore[no-any-return]

    @property
    def playing(self) -> str | None:
        """The track that is heard."""
        return self._programme.playing

    def skip(self) -> None:
        self._mixer.skip()

    def wake(self) -> None:
        """Something happened that is worth a look."""
        self._changed.set()

    async def run(self) -> None:
        sentence = None
        try:
            await self._programme.begin()
            await self._announce(say(self._tuned.language, "radio.first", channel=self.channel.mention))
            self._voice.play(
                Frames(self._mixer), after=self._stopped, bitrate=max(16, min(256, self.channel.bitrate // 1000)),
                signal_type="music",
            )  # fmt: skip
            await self._keep_on()
        except Exception as error:  # noqa: BLE001 - the boundary of a radio; mistakes are logged with their trace
            sentence = sentence_for(error, self._tuned.language)
            _log.info("radio ends", server=self._tuned.server_id, reason=str(error))
        finally:
            self.leaving = True
            await asyncio.shield(self._leave(sentence))

    async def _keep_on(self) -> None:
        while not self._over.is_set():
            people = people_in(self.channel)
            if self._left_alone(bool(people)):
                self.ending = "radio.alone"
                return
            await self._programme.advance([listener_of(one) for one in people])
            await self._note()
            await self._show()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.poll_s):
                    await self._changed.wait()
            self._changed.clear()
        self.ending = "radio.cut"

    def _left_alone(self, somebody: bool) -> bool:
        now = time.monotonic()
        self._alone_since = None if somebody else self._alone_since or now
        return self._alone_since is not None and now - self._alone_since >= self._pace.alone_s

    def _turned(self, track_id: str) -> None:
        """In the playing thread."""
        self._loop.call_soon_threadsafe(self._begun, track_id)

    def _begun(self, track_id: str) -> None:
        self._programme.playing = track_id
        self._changed.set()

    def _stopped(self, error: Exception | None) -> None:
        """In the playing thread."""
        if error is not None:
            _log.error("playing failed", exc_info=error)
        self._loop.call_soon_threadsafe(self._over.set)
        self._loop.call_soon_threadsafe(self._changed.set)

    async def _note(self) -> None:
        """Keep on record what a successor has to clean up."""
        here = None if self._message is None else [str(self._message.channel.id), str(self._message.id)]
        note = json.dumps({"message": here, "job": self._programme.job_id, "language": self._tuned.language})
        if note != self._noted:
            await self._facts.put(f"{FACT}{self._tuned.server_id}", note)
            self._noted = note

    async def _show(self) -> None:
        """Say what plays, in the same message as long as that can be edited."""
        track_id = self._programme.playing
        if track_id is None or track_id == self._shown:
            return
        self._shown = track_id
        language = self._tuned.language
        try:
            track = await self._front.service.track(track_id)
        except NotFoundError:  # deleted while it plays
            return
        embed = discord.Embed(title=track.title[:256], description=reasons(track, language)[:4000], colour=COLOUR)
        embed.set_author(name=say(language, "radio.now", channel=self.channel.name)[:256])
        embed.set_footer(text=say(language, "radio.footer", style=track.brief["styles"][0][0], track=track.id))
        view = radio_view(track.id, str(self.channel.guild.id), language)
        old = self._message
        if old is not None and time.monotonic() - self._sent_at < self._pace.message_s:
            if await _tried(lambda: old.edit(content=None, embed=embed, view=view)) is None:
                self._message = None  # somebody deleted it, perhaps; the next piece gets a new one
            return
        await self._send(embed=embed, view=view)
        if old is not None:
            await _tried(old.delete)

    async def _announce(self, sentence: str) -> None:
        await self._send(content=sentence)
        await self._note()

    async def _send(self, **content: Any) -> None:
        sent = await _tried(lambda: self._text.send(**content))
        if sent is not None:  # the music goes on without words where we may not write
            self._message, self._sent_at = sent, time.monotonic()

    async def _leave(self, sentence: str | None) -> None:
        self._voice.stop()
        await asyncio.to_thread(self._mixer.close)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._voice.disconnect(force=True)
        words = sentence or say(self._tuned.language, self.ending)
        if (message := self._message) is not None:
            await _tried(lambda: message.edit(content=words, embed=None, view=None))
        try:
            await self._programme.end()
            await self._facts.remove(f"{FACT}{self._tuned.server_id}")
        except BotError as error:  # the note stays, and the next start cleans up
            _log.warning("radio not cleaned up", server=self._tuned.server_id, reason=str(error))
        await asyncio.to_thread(self._folder.cleanup)


async def _tried(ask: Callable[[], Awaitable[Any]]) -> Any:
    """What Discord answered; None where it did not, which no music stops for."""
    try:
        return await ask()
    except _AWAY as error:
        _log.info("radio cannot write", reason=repr(error))
        return None
