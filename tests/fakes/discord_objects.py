"""What a Discord is made of: messages, interactions, faults, and JSON objects as it sends them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

TOKEN = "loopback-token-0123456789abcdef"
APP_ID = 900000000000000001
BOT_ID = 900000000000000002
GUILD_ID = 800000000000000001
CHANNEL_ID = 700000000000000001
LOBBY_ID = 700000000000000002
LOUNGE_ID = 700000000000000003
STAGE_ID = 700000000000000004
DM_ID = 700000000000000009
USER_ID = 600000000000000001
JSON = dict[str, Any]
_EPOCH_MS = 1420070400000


class Snowflakes:
    """Ids made now, in order, as Discord makes them; `ahead_s` is how far this Discord's clock runs ahead."""

    def __init__(self) -> None:
        self._number = 0
        self.ahead_s = 0.0

    def make(self, age_s: float = 0.0) -> str:
        self._number += 1
        return str((int((time.time() + self.ahead_s - age_s) * 1000) - _EPOCH_MS) << 22 | self._number)

    def age_s(self, identity: str) -> float:
        """How long ago an id was made."""
        return time.time() + self.ahead_s - ((int(identity) >> 22) + _EPOCH_MS) / 1000


@dataclass(frozen=True)
class Upload:
    """A file given with a command."""

    name: str
    content: bytes
    kind: str | None = None


@dataclass(frozen=True)
class Person:
    """Somebody named in a command."""

    id: int


@dataclass(frozen=True)
class Channel:
    """A text channel named in a command."""

    id: int


@dataclass
class Message:
    id: str
    channel_id: str
    author: JSON
    content: str = ""
    embeds: list[JSON] = field(default_factory=list)
    attachments: list[JSON] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    nonce: str | None = None
    flags: int = 0
    components: list[JSON] = field(default_factory=list)
    edits: list[tuple[float, JSON]] = field(default_factory=list)

    def payload(self) -> JSON:
        return {
            "id": self.id,
            "channel_id": self.channel_id,
            "author": self.author,
            "content": self.content,
            "embeds": self.embeds,
            "attachments": self.attachments,
            "components": self.components,
            "reactions": [
                {
                    "emoji": {"id": None, "name": emoji},
                    "count": len(users),
                    "count_details": {"burst": 0, "normal": len(users)},
                    "me": str(BOT_ID) in users,
                    "me_burst": False,
                    "burst_colors": [],
                }
                for emoji, users in self.reactions.items()
            ],
            "timestamp": "2026-01-01T00:00:00+00:00",
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "pinned": False,
            "type": 0,
            "flags": self.flags,
        }


@dataclass
class Asked:
    """One interaction as a test sees it."""

    id: str
    token: str
    payload: JSON
    sent_at: float
    acks: list[JSON] = field(default_factory=list)
    acked_at: float | None = None
    message: Message | None = None
    source: Message | None = None
    followups: list[Message] = field(default_factory=list)
    expired: bool = False

    @property
    def ack_s(self) -> float:
        assert self.acked_at is not None
        return self.acked_at - self.sent_at


@dataclass
class Fault:
    """The next `times` requests whose "METHOD path" matches get this answer, before (or after) they take effect."""

    pattern: str
    status: int
    body: JSON
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False


def mp3_of(message: Message) -> bytes | None:
    """The MP3, or the Ogg file in its stead, among a message's present attachments."""
    for attachment in message.attachments:
        if attachment["filename"].endswith((".mp3", ".ogg")):
            return message.files[attachment["filename"]]
    return None


def option_type(value: Any) -> int:
    return {str: 3, int: 4, bool: 5, float: 10}[type(value)]


def user(identity: int, name: str, *, bot: bool = False) -> JSON:
    return {
        "id": str(identity),
        "username": name,
        "global_name": None,
        "discriminator": "0",
        "avatar": None,
        "bot": bot,
    }


def member(user: JSON) -> JSON:
    return {
        "user": user,
        "roles": [],
        "joined_at": "2025-01-01T00:00:00+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
        "permissions": "0",
    }


def channel(identity: int = CHANNEL_ID, name: str = "music") -> JSON:
    return {
        "id": str(identity),
        "type": 0,
        "name": name,
        "position": 0,
        "permission_overwrites": [],
        "guild_id": str(GUILD_ID),
        "nsfw": False,
        "parent_id": None,
    }


def voice_channel(identity: int = LOUNGE_ID, kind: int = 2) -> JSON:
    facts = {"type": kind, "bitrate": 64_000, "user_limit": 0, "rtc_region": None, "video_quality_mode": 1}
    return channel(identity, "Lounge") | facts


def voice_state(user_id: int, channel_id: int | None) -> JSON:
    who = member(user(user_id, "tunesmith" if user_id == BOT_ID else "someone", bot=user_id == BOT_ID))
    flags = dict.fromkeys(("deaf", "mute", "self_deaf", "self_mute", "self_video", "suppress"), False)
    return {
        "guild_id": str(GUILD_ID),
        "channel_id": None if channel_id is None else str(channel_id),
        "user_id": str(user_id),
        "member": who,
        "session_id": f"voice{user_id}",
        "request_to_speak_timestamp": None,
        **flags,
    }


def guild() -> JSON:
    everyone = {
        "id": str(GUILD_ID),
        "name": "@everyone",
        "permissions": str(1 << 10 | 1 << 20 | 1 << 21),  # view, connect, speak
        "position": 0,
        "color": 0,
        "hoist": False,
        "managed": False,
        "mentionable": False,
        "flags": 0,
    }
    return {
        "id": str(GUILD_ID),
        "name": "Guild",
        "owner_id": str(USER_ID),
        "roles": [everyone],
        "emojis": [],
        "stickers": [],
        "features": [],
        "channels": [channel(), channel(LOBBY_ID, "lobby"), voice_channel(), voice_channel(STAGE_ID, 13)],
        "threads": [],
        "members": [member(user(BOT_ID, "tunesmith", bot=True))],
        "member_count": 2,
        "voice_states": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
        "verification_level": 0,
        "default_message_notifications": 0,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "preferred_locale": "en-US",
        "system_channel_flags": 0,
        "afk_timeout": 300,
        "premium_progress_bar_enabled": False,
        "large": False,
        "unavailable": False,
    }


def application() -> JSON:
    return {
        "id": str(APP_ID),
        "name": "Tunesmith",
        "icon": None,
        "description": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": 0,
        "owner": user(USER_ID, "ada"),
        "team": None,
        "rpc_origins": [],
    }


def registered(command: JSON, number: int) -> JSON:
    return {
        "id": str(number),
        "application_id": str(APP_ID),
        "version": "1",
        "default_member_permissions": None,
        "dm_permission": True,
        "description": "",
        **command,
    }


def reaction(message: Message, emoji: str, who: int) -> JSON:
    event: JSON = {
        "user_id": str(who),
        "channel_id": message.channel_id,
        "message_id": message.id,
        "emoji": {"id": None, "name": emoji},
        "burst": False,
        "type": 0,
    }
    if message.channel_id == str(CHANNEL_ID):
        event["guild_id"] = str(GUILD_ID)
        event["member"] = member(user(who, "someone", bot=who == BOT_ID))
    return event


def author(message: Message) -> JSON:
    return {"message_author_id": message.author["id"]}


async def body_of(request: web.Request) -> tuple[Any, dict[str, tuple[str, bytes]]]:
    if request.content_type == "multipart/form-data":
        body: Any = None
        files: dict[str, tuple[str, bytes]] = {}
        reader = await request.multipart()
        async for part in reader:
            assert isinstance(part, aiohttp.BodyPartReader)
            content = bytes(await part.read(decode=False))
            if part.name == "payload_json":
                body = json.loads(content)
            else:
                files[str(part.name)] = (str(part.filename), content)
        return body, files
    raw = await request.read()
    return (json.loads(raw) if raw else None), {}
