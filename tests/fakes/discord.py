"""A loopback Discord: enough REST and gateway on 127.0.0.1 for the real discord.py client to log in to.

Faithful where the library is picky: bodies are `application/json` without a charset, callbacks answer with the
created message when asked `?with_response=1`, interaction routes take no bot token, every interaction carries
`attachment_size_limit`, a rate limit carries `Via`, and missed events are replayed on RESUME.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Self
from urllib.parse import unquote

import aiohttp
import discord.gateway
import discord.http
import yarl
from aiohttp import web

from tests.fakes import discord_objects as objects
from tests.fakes.discord_objects import (
    APP_ID,
    BOT_ID,
    CHANNEL_ID,
    DM_ID,
    GUILD_ID,
    JSON,
    LOBBY_ID,
    TOKEN,
    USER_ID,
    Asked,
    Channel,
    Fault,
    Message,
    Person,
    Snowflakes,
    Upload,
    mp3_of,
)


class FakeDiscord:
    """Start with `async with`; point the library at it with `patch`."""

    def __init__(self) -> None:
        self.ids = Snowflakes()
        self.bot: JSON = objects.user(BOT_ID, "tunesmith", bot=True)
        self.commands: list[JSON] = []
        self.syncs = 0
        self.messages: dict[str, Message] = {}
        self.asked: dict[str, Asked] = {}
        self.cdn: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, JSON | None]] = []
        self.authorizations: list[tuple[str, str | None]] = []
        self.faults: list[Fault] = []
        self.identifies: list[JSON] = []
        self.welcomes = 0
        self.resumes = 0
        self.closes: list[int | None] = []
        self.changed = asyncio.Event()
        self.shards = 1
        self.voice: Callable[[int | None], Awaitable[None]] | None = None  # what happens when the bot joins or leaves
        self._sockets: dict[int, web.WebSocketResponse] = {}  # by shard
        self._events: dict[int, list[JSON]] = {}
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_get("/gateway", self._gateway)
        app.router.add_get("/cdn/{name}", self._fetch)
        app.router.add_route("*", "/api/v10/{rest:.*}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self._sockets.values():
            await socket.close()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/gateway"

    def patch(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(discord.http.Route, "BASE", self.base)
        monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(self.gateway_url))

    # What people do -----------------------------------------------------------------------------

    async def slash(
        self, name: str, *, user: int = USER_ID, place: str = "guild", locale: str = "en-US", **options: Any
    ) -> Asked:
        """Somebody sends a slash command, such as “taste show”; `place` is guild, lobby (another of its channels), dm
        or foreign (a guild the bot is not in)."""
        resolved: JSON = {"attachments": {}, "users": {}, "channels": {}}
        given = [self._option(key, value, resolved) for key, value in options.items()]
        for part in reversed(name.split()[1:]):
            given = [{"name": part, "type": 1, "options": given}]
        data = {"id": "1", "name": name.split(maxsplit=1)[0], "type": 1, "options": given, "resolved": resolved}
        return await self._interact(2, data, user, place, locale)

    def _option(self, key: str, value: Any, resolved: JSON) -> JSON:
        if isinstance(value, Upload):
            identity = self.ids.make()
            resolved["attachments"][identity] = {"id": identity, **self._hosted(value.name, value.content, value.kind)}
            return {"name": key, "type": 11, "value": identity}
        if isinstance(value, Person):
            resolved["users"][str(value.id)] = objects.user(value.id, f"user{value.id % 100}")
            return {"name": key, "type": 6, "value": str(value.id)}
        if isinstance(value, Channel):
            resolved["channels"][str(value.id)] = objects.channel(value.id, "named") | {"permissions": "0"}
            return {"name": key, "type": 7, "value": str(value.id)}
        return {"name": key, "type": objects.option_type(value), "value": value}

    def _hosted(self, name: str, content: bytes, kind: str | None = None) -> JSON:
        key = self.ids.make()
        self.cdn[key] = content
        url = f"http://127.0.0.1:{self.port}/cdn/{key}"
        facts = {"filename": name, "size": len(content), "url": url, "proxy_url": url}
        return facts if kind is None else facts | {"content_type": kind}

    async def menu(self, name: str, message: Message, *, user: int = USER_ID) -> Asked:
        """Somebody picks a command from the menu of a message."""
        data = {
            "id": "1", "name": name, "type": 3, "target_id": message.id,
            "resolved": {"messages": {message.id: message.payload()}},
        }  # fmt: skip
        return await self._interact(2, data, user, "guild")

    async def click(
        self, message: Message, custom_id: str, *, user: int = USER_ID, values: Any = None, locale: str = "en-US"
    ) -> Asked:
        """Somebody presses a button under a message, or chooses in a menu; it must be there."""
        items = [item for row in message.components for item in row["components"]]
        assert custom_id in [item.get("custom_id") for item in items], custom_id
        data: JSON = {"custom_id": custom_id, "component_type": 2 if values is None else 3}
        if values is not None:
            data["values"] = values
        place = "dm" if message.channel_id == str(DM_ID) else "guild"
        return await self._interact(3, data, user, place, locale, message)

    async def submit(self, asked: Asked, *values: Any, user: int = USER_ID) -> Asked:
        """Somebody fills in the form that answered `asked`: a text for a line, a list for a menu."""
        await self.until(lambda: asked.acks)
        assert asked.acks[0]["type"] == 9, asked.acks
        form = asked.acks[0]["data"]
        components = []
        for label, value in zip(form["components"], values, strict=True):
            inner = label["component"]
            filled = {"value": value} if isinstance(value, str) else {"values": value}
            kept = {"type": inner["type"], "id": 2, "custom_id": inner["custom_id"], **filled}
            components.append({"type": 18, "id": 1, "component": kept})
        data = {"custom_id": form["custom_id"], "components": components}
        return await self._interact(5, data, user, "guild", source=asked.source)

    async def autocomplete(self, name: str, focused: str, typed: str) -> list[str]:
        options: list[JSON] = [{"name": focused, "type": 3, "value": typed, "focused": True}]
        root, *parts = name.split()
        for part in reversed(parts):
            options = [{"name": part, "type": 1, "options": options}]
        asked = await self._interact(4, {"id": "1", "name": root, "type": 1, "options": options}, USER_ID, "guild")
        await self.until(lambda: asked.acks)
        assert asked.acks[0]["type"] == 8
        return [choice["name"] for choice in asked.acks[0]["data"]["choices"]]

    async def replay(self, asked: Asked) -> None:
        """The same INTERACTION_CREATE once more, as RESUME does."""
        await self.dispatch("INTERACTION_CREATE", asked.payload)

    async def react(self, message: Message, emoji: str, user: int = USER_ID, *, silent: bool = False) -> None:
        """`silent`: it happened, but the gateway did not tell (the bot was away)."""
        users = message.reactions.setdefault(emoji, [])
        if str(user) not in users:
            users.append(str(user))
        if not silent:
            await self.dispatch(
                "MESSAGE_REACTION_ADD", objects.reaction(message, emoji, user) | objects.author(message)
            )

    async def unreact(self, message: Message, emoji: str, user: int = USER_ID, *, silent: bool = False) -> None:
        message.reactions[emoji].remove(str(user))
        if not silent:
            await self.dispatch("MESSAGE_REACTION_REMOVE", objects.reaction(message, emoji, user))

    async def drop(self, shard: int = 0) -> None:
        """The connection breaks without a goodbye."""
        await self._sockets[shard].close(code=4000)

    async def until(self, condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
        """Wait for something to become true of this Discord."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                try:
                    async with asyncio.timeout(0.05):
                        await self.changed.wait()
                except TimeoutError:
                    continue

    def tracks(self) -> list[Message]:
        """Messages that carry an MP3."""
        return [message for message in self.messages.values() if mp3_of(message) is not None]

    # Gateway ------------------------------------------------------------------------------------

    async def dispatch(self, event: str, data: JSON, shard: int | None = None) -> None:
        """Tell the shard whose guild it is; direct messages are the first one's."""
        if shard is None:
            shard = (int(data.get("guild_id") or 0) >> 22) % self.shards
        events = self._events.setdefault(shard, [])
        events.append({"op": 0, "t": event, "s": len(events) + 1, "d": data})
        socket = self._sockets.get(shard)
        if socket is not None and not socket.closed:
            await socket.send_str(json.dumps(events[-1]))

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(json.dumps({"op": 10, "d": {"heartbeat_interval": 41250}}))
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                break
            message = json.loads(frame.data)
            match message["op"]:
                case 1:
                    await socket.send_str(json.dumps({"op": 11}))
                case 2:
                    shard = (message["d"].get("shard") or [0])[0]
                    self._sockets[shard] = socket
                    self.identifies.append(message["d"])
                    await self._welcome(shard)
                case 4 if self.voice is not None:
                    wanted = message["d"]["channel_id"]
                    await self.voice(None if wanted is None else int(wanted))
                case 6:
                    shard = int(message["d"]["session_id"].removeprefix("session"))
                    self._sockets[shard] = socket
                    self.resumes += 1
                    for event in self._events[shard][message["d"]["seq"] :]:
                        await socket.send_str(json.dumps(event))
                    await self.dispatch("RESUMED", {}, shard)
            self.changed.set()
        self.closes.append(socket.close_code)
        self.changed.set()
        return socket

    async def _welcome(self, shard: int) -> None:
        self._events[shard] = []
        mine = (GUILD_ID >> 22) % self.shards == shard
        await self.dispatch(
            "READY",
            {
                "v": 10,
                "user": self.bot,
                "guilds": [{"id": str(GUILD_ID), "unavailable": True}] if mine else [],
                "session_id": f"session{shard}",
                "resume_gateway_url": self.gateway_url,
                "application": {"id": str(APP_ID), "flags": 0},
                "shard": [shard, self.shards],
            },
            shard,
        )
        if mine:
            await self.dispatch("GUILD_CREATE", objects.guild(), shard)
        self.welcomes += 1

    async def _interact(
        self, kind: int, data: JSON, user: int, place: str, locale: str = "en-US", source: Message | None = None
    ) -> Asked:
        identity = self.ids.make()
        payload: JSON = {
            "id": identity,
            "application_id": str(APP_ID),
            "type": kind,
            "token": f"interaction-token-{identity}",
            "version": 1,
            "data": data,
            "locale": locale,
            "entitlements": [],
            "attachment_size_limit": 10 * 2**20,
            "authorizing_integration_owners": {"0": str(GUILD_ID)},
            "context": 0,
            "app_permissions": "277025770560",
        }
        person = objects.user(user, "ada")
        if place == "dm":
            payload |= {
                "user": person,
                "channel": {"id": str(DM_ID), "type": 1, "recipients": [person]},
                "channel_id": str(DM_ID),
                "context": 1,
                "authorizing_integration_owners": {"0": "0"},
            }
        else:
            channel = objects.channel(LOBBY_ID if place == "lobby" else CHANNEL_ID)
            payload |= {
                "guild_id": str(GUILD_ID),
                "guild": {"id": str(GUILD_ID), "features": [], "locale": "en-US"},
                "channel": channel,
                "channel_id": channel["id"],
                "member": objects.member(person),
            }
        if place == "foreign":
            payload["authorizing_integration_owners"] = {"1": str(user)}
        if source is not None:
            payload["message"] = source.payload()
        asked = Asked(identity, payload["token"], payload, time.monotonic(), source=source)
        self.asked[asked.token] = asked
        await self.dispatch("INTERACTION_CREATE", payload)
        return asked

    # REST ---------------------------------------------------------------------------------------

    async def _rest(self, request: web.Request) -> web.Response:
        path = unquote(request.path.removeprefix("/api/v10"))
        body, files = await objects.body_of(request)
        self.requests.append((request.method, path, body))
        self.authorizations.append((path, request.headers.get("Authorization")))
        fault = self._fault(f"{request.method} {path}")
        if fault is not None and not fault.after:
            return _answer(fault.body, fault.status, fault.headers)
        for method, pattern, handler in self._routes():
            match = re.fullmatch(pattern, path)
            if match is not None and method == request.method:
                by_token = path.startswith(("/interactions/", "/webhooks/"))
                if not by_token and request.headers.get("Authorization") != f"Bot {TOKEN}":
                    return _answer({"message": "401: Unauthorized", "code": 0}, 401)
                answer = handler(request, body, files, *match.groups())
                self.changed.set()
                if fault is not None:
                    return _answer(fault.body, fault.status, fault.headers)
                return answer
        return _answer({"message": f"404: {request.method} {path}", "code": 0}, 404)

    def _fault(self, line: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.pattern, line):
                fault.times -= 1
                return fault
        return None

    def _routes(self) -> Iterator[tuple[str, str, Callable[..., web.Response]]]:
        yield "GET", r"/users/@me", lambda *_: _answer(self.bot)
        yield "GET", r"/gateway/bot", lambda *_: _answer(self._shard_plan())
        yield "GET", r"/oauth2/applications/@me", lambda *_: _answer(objects.application())
        yield "PUT", r"/applications/\d+/commands", self._sync
        yield "POST", r"/interactions/(\d+)/([^/]+)/callback", self._callback
        yield "GET", r"/webhooks/\d+/([^/]+)/messages/([^/]+)", self._get_original
        yield "PATCH", r"/webhooks/\d+/([^/]+)/messages/([^/]+)", self._edit_original
        yield "DELETE", r"/webhooks/\d+/([^/]+)/messages/([^/]+)", self._delete_original
        yield "POST", r"/webhooks/\d+/([^/]+)", self._follow_up
        yield "DELETE", r"/channels/(\d+)/messages/(\d+)", self._delete
        yield "POST", r"/channels/(\d+)/messages", self._post
        yield "GET", r"/channels/(\d+)/messages", self._list
        yield "GET", r"/channels/(\d+)/messages/(\d+)", self._get
        yield "PATCH", r"/channels/(\d+)/messages/(\d+)", self._edit
        yield "PUT", r"/channels/(\d+)/messages/(\d+)/reactions/([^/]+)/@me", self._add_reaction
        yield "GET", r"/channels/(\d+)/messages/(\d+)/reactions/([^/]+)", self._reaction_users

    def _shard_plan(self) -> JSON:
        limit = {"total": 1000, "remaining": 999, "reset_after": 1000, "max_concurrency": 1}
        return {"url": self.gateway_url, "shards": self.shards, "session_start_limit": limit}

    def _sync(self, _request: Any, body: Any, *_: Any) -> web.Response:
        self.commands = body
        self.syncs += 1
        return _answer([objects.registered(command, number) for number, command in enumerate(body, start=1)])

    def _callback(self, request: web.Request, body: Any, _files: Any, _id: str, token: str) -> web.Response:
        asked = self.asked[token]
        if asked.acks:
            return _answer({"message": "Interaction has already been acknowledged.", "code": 40060}, 400)
        if asked.expired:
            return _answer({"message": "Unknown interaction", "code": 10062}, 404)
        asked.acks.append(body)
        asked.acked_at = time.monotonic()
        resource: JSON = {"type": body["type"]}
        data = body.get("data") or {}
        if body["type"] == 6:
            asked.message = asked.source
        elif body["type"] in {4, 5}:
            channel = str(asked.payload["channel_id"])
            asked.message = Message(self.ids.make(), channel, self.bot, data.get("content") or "")
            asked.message.flags = data.get("flags", 0)
            asked.message.embeds = data.get("embeds", [])
            asked.message.components = data.get("components", [])
            self.messages[asked.message.id] = asked.message
            resource["message"] = asked.message.payload()
        if request.query.get("with_response"):
            facts = {"id": asked.id, "type": asked.payload["type"], "response_message_loading": body["type"] == 5}
            return _answer({"interaction": facts, "resource": resource})
        return web.Response(status=204)

    def _original(self, token: str, name: str) -> Message | web.Response:
        asked = self.asked.get(token)
        if asked is None or asked.expired:
            return _answer({"message": "Invalid Webhook Token", "code": 50027}, 401)
        if name != "@original" or asked.message is None:
            return _answer({"message": "Unknown Message", "code": 10008}, 404)
        return asked.message

    def _get_original(self, _request: Any, _body: Any, _files: Any, token: str, name: str) -> web.Response:
        found = self._original(token, name)
        return _answer(found.payload()) if isinstance(found, Message) else found

    def _edit_original(self, _request: Any, body: Any, files: Any, token: str, name: str) -> web.Response:
        found = self._original(token, name)
        if not isinstance(found, Message):
            return found
        refusal = self._write(found, body, files)
        return refusal or _answer(found.payload())

    def _delete_original(self, _request: Any, _body: Any, _files: Any, token: str, name: str) -> web.Response:
        found = self._original(token, name)
        if not isinstance(found, Message):
            return found
        del self.messages[found.id]
        return web.Response(status=204)

    def _follow_up(self, _request: Any, body: Any, files: Any, token: str) -> web.Response:
        asked = self.asked.get(token)
        if asked is None or asked.expired:
            return _answer({"message": "Invalid Webhook Token", "code": 50027}, 401)
        message = Message(self.ids.make(), str(asked.payload["channel_id"]), self.bot)
        self._write(message, body, files)
        message.flags = body.get("flags", 0)
        asked.followups.append(message)
        return _answer(message.payload())

    def _delete(self, _request: Any, _body: Any, _files: Any, _channel: str, message: str) -> web.Response:
        if self.messages.pop(message, None) is None:
            return _answer({"message": "Unknown Message", "code": 10008}, 404)
        return web.Response(status=204)

    async def _fetch(self, request: web.Request) -> web.Response:
        content = self.cdn.get(request.match_info["name"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    def _post(self, _request: Any, body: Any, files: Any, channel: str) -> web.Response:
        for message in self.messages.values():
            if body.get("enforce_nonce") and body.get("nonce") is not None and message.nonce == body["nonce"]:
                return _answer(message.payload())
        message = Message(self.ids.make(), channel, self.bot, nonce=body.get("nonce"))
        refusal = self._write(message, body, files)
        if refusal is not None:
            return refusal
        self.messages[message.id] = message
        return _answer(message.payload())

    def _write(self, message: Message, body: JSON, files: dict[str, tuple[str, bytes]]) -> web.Response | None:
        if any(len(content) > 10 * 2**20 for _, content in files.values()):
            return _answer({"message": "Request entity too large", "code": 40005}, 413)
        message.edits.append((time.monotonic(), body))
        if "content" in body:
            message.content = body["content"] or ""
        if "embeds" in body:
            message.embeds = body["embeds"]
        if "components" in body:
            message.components = body["components"]
        if "attachments" in body:
            there, kept = {one["id"]: one for one in message.attachments}, []
            for attachment in body["attachments"]:
                if str(attachment["id"]) in there:
                    kept.append(there[str(attachment["id"])])
                    continue
                name, content = files[f"files[{attachment['id']}]"]
                message.files[name] = content
                kept.append({"id": self.ids.make(), **self._hosted(name, content)})
            message.attachments = kept
        return None

    def _list(self, request: web.Request, _body: Any, _files: Any, channel: str) -> web.Response:
        after = int(request.query.get("after", 0))
        before = int(request.query.get("before", 2**63))
        found = [m for m in self.messages.values() if m.channel_id == channel and after < int(m.id) < before]
        found.sort(key=lambda message: -int(message.id))
        return _answer([message.payload() for message in found[: int(request.query.get("limit", 50))]])

    def _get(self, _request: Any, _body: Any, _files: Any, _channel: str, message: str) -> web.Response:
        if message not in self.messages:
            return _answer({"message": "Unknown Message", "code": 10008}, 404)
        return _answer(self.messages[message].payload())

    def _edit(self, _request: Any, body: Any, files: Any, _channel: str, message: str) -> web.Response:
        if message not in self.messages:
            return _answer({"message": "Unknown Message", "code": 10008}, 404)
        return self._write(self.messages[message], body, files) or _answer(self.messages[message].payload())

    def _add_reaction(self, _r: Any, _b: Any, _f: Any, _channel: str, message: str, emoji: str) -> web.Response:
        users = self.messages[message].reactions.setdefault(emoji, [])
        if str(BOT_ID) not in users:
            users.append(str(BOT_ID))
        return web.Response(status=204)

    def _reaction_users(self, _r: Any, _b: Any, _f: Any, _channel: str, message: str, emoji: str) -> web.Response:
        users = self.messages[message].reactions.get(emoji, [])
        return _answer([objects.user(int(user), "someone", bot=user == str(BOT_ID)) for user in users])


def _answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # Exactly this content type: with a charset the library takes the body for text.
    return web.Response(
        body=json.dumps(body).encode(), status=status, headers={"Content-Type": "application/json", **(headers or {})}
    )
