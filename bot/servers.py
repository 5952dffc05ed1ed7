"""The rules of each server and of the whole bot, for those who run them: quotas, channels, defaults, bans, maintenance.

A server's rules are read once and kept until they are changed here: a bot listens in one process.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot import clock
from bot.errors import Refused
from bot.jobs.admission import MAINTENANCE
from bot.store.figures import ServerFigures, read_server_figures
from bot.store.servers import Server
from bot.store.store import Store
from generator.brief import STYLES

MOST_DAILY = 10_000
MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Banned:
    """Who is banned on a server, and how many more there are who had themselves forgotten."""

    listeners: tuple[str, ...]
    forgotten: int


class Servers:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Server] = {}

    async def of(self, server_id: str) -> Server:
        if server_id not in self._known:
            self._known[server_id] = await self._store.servers.of(server_id)
        return self._known[server_id]

    async def limit(self, server_id: str, listener_daily: int | None, server_daily: int | None) -> Server:
        """Set pieces in 24 hours, 0 … MOST_DAILY, of each listener and of all together; None is no limit."""
        await self._store.servers.change(server_id, listener_daily=listener_daily, server_daily=server_daily)
        return await self._anew(server_id)

    async def default(self, server_id: str, style: str | None, length_s: float | None, takes: int | None) -> Server:
        """Set what holds where a request says nothing. Raises Refused for a style there is not."""
        if style is not None and style not in STYLES:
            raise Refused("errors.value", value=style)
        await self._store.servers.change(server_id, style=style, length_s=length_s, takes=takes)
        return await self._anew(server_id)

    async def allow(self, server_id: str, channel_id: str) -> Server:
        """From now on pieces may be asked for in this channel, and in no other that is not on the list."""
        await self._store.servers.allow(server_id, channel_id)
        return await self._anew(server_id)

    async def disallow(self, server_id: str, channel_id: str | None = None) -> Server:
        """Take one channel from the list, or all; an empty list allows every channel."""
        await self._store.servers.disallow(server_id, channel_id)
        return await self._anew(server_id)

    async def ban(self, server_id: str, listener_id: str) -> bool:
        """Whether that is new."""
        new = await self._store.servers.ban(server_id, listener_id, clock.now())
        await self._anew(server_id)
        return new

    async def unban(self, server_id: str, listener_id: str) -> bool:
        """Whether there was a ban."""
        gone = await self._store.servers.unban(server_id, listener_id)
        await self._anew(server_id)
        return gone

    async def bans(self, server_id: str) -> Banned:
        found = await self._store.servers.bans(server_id)
        named = tuple(listener for listener in found if listener is not None)
        return Banned(named, len(found) - len(named))

    async def banned(self, server_id: str, listener_id: str) -> bool:
        server = await self.of(server_id)
        return bool(server.banned) and await self._store.servers.key(listener_id) in server.banned

    async def stats(self, server_id: str) -> ServerFigures:
        return await read_server_figures(self._store.database, server_id)

    async def maintenance(self) -> str | None:
        """What everybody is told while nothing new is accepted, or None."""
        return await self._store.facts.get(MAINTENANCE)

    async def maintain(self, words: str | None) -> None:
        """Accept nothing new and say why, or with None accept again; what was accepted is finished either way."""
        if words is None:
            await self._store.facts.remove(MAINTENANCE)
        else:
            await self._store.facts.put(MAINTENANCE, words)

    async def _anew(self, server_id: str) -> Server:
        self._known.pop(server_id, None)
        return await self.of(server_id)
