"""The voice half of a loopback Discord: a voice gateway (v8) and a UDP server that hears what the bot plays.

It does what Discord's does in order: identify, IP discovery, the choice of an encryption, the key; then it decrypts the
RTP packets (aead_xchacha20_poly1305_rtpsize) and decodes their Opus. End-to-end encryption (DAVE) is not spoken: the
session says protocol version 0, as Discord's did before every client had it, so the library's own MLS is not tested.
"""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import dataclass, field
from typing import Any, Self

import discord.http
import nacl.secret
import numpy as np
from aiohttp import WSMsgType, web
from discord import opus

from tests.fakes.discord import FakeDiscord
from tests.fakes.discord_objects import BOT_ID, GUILD_ID, LOUNGE_ID, voice_state

RATE = 48_000
SSRC = 4711
MODE = "aead_xchacha20_poly1305_rtpsize"
_SILENCE = b"\xf8\xff\xfe"


@dataclass(frozen=True)
class Packet:
    sequence: int
    timestamp: int
    opus: bytes


@dataclass
class FakeVoice:
    """Start with `async with`; `fake` is the Discord that sends people and the bot here."""

    fake: FakeDiscord
    key: bytes = bytes(range(32))
    packets: list[Packet] = field(default_factory=list)
    identifies: list[dict[str, Any]] = field(default_factory=list)
    speaking: list[int] = field(default_factory=list)
    joined: list[int | None] = field(default_factory=list)
    silent: bool = False
    """Answers nobody who wants to join."""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=("127.0.0.1", 0))
        app = web.Application()
        app.router.add_get("/", self._gateway)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        self.fake.voice = self._moved
        return self

    async def __aexit__(self, *_: object) -> None:
        self.fake.voice = None
        self._udp.close()
        await self._runner.cleanup()

    def patch(self, monkeypatch: Any) -> None:
        """The library knows voice servers by TLS only."""
        plain = discord.http.HTTPClient.ws_connect

        async def ws_connect(client: Any, url: str, **options: Any) -> Any:
            here = url.startswith(f"wss://127.0.0.1:{self.port}/")
            return await plain(client, url.replace("wss://", "ws://") if here else url, **options)

        monkeypatch.setattr(discord.http.HTTPClient, "ws_connect", ws_connect)

    async def sit(self, user: int, channel: int | None = LOUNGE_ID) -> None:
        """Somebody joins a voice channel, or leaves."""
        await self.fake.dispatch("VOICE_STATE_UPDATE", voice_state(user, channel))

    async def expel(self) -> None:
        """Somebody takes the bot out of its channel."""
        await self.fake.dispatch("VOICE_STATE_UPDATE", voice_state(BOT_ID, None))

    def heard(self) -> np.ndarray:
        """All that was received, decoded: (samples, 2) from -1 to 1."""
        decoder = opus.Decoder()
        frames = [decoder.decode(packet.opus) for packet in self.packets]
        return np.frombuffer(b"".join(frames), "<i2").reshape(-1, 2) / 32768

    async def _moved(self, channel: int | None) -> None:
        self.joined.append(channel)
        if self.silent and channel is not None:
            return
        await self.fake.dispatch("VOICE_STATE_UPDATE", voice_state(BOT_ID, channel))
        if channel is not None:
            server = {"token": "voice-token", "guild_id": str(GUILD_ID), "endpoint": f"127.0.0.1:{self.port}"}
            await self.fake.dispatch("VOICE_SERVER_UPDATE", server)

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        assert request.query["v"] == "8"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await _say(socket, 8, {"v": 8, "heartbeat_interval": 13_750})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                break
            message = json.loads(frame.data)
            await self._answer(socket, message["op"], message["d"])
            self.fake.changed.set()
        return socket

    async def _answer(self, socket: web.WebSocketResponse, op: int, data: Any) -> None:
        match op:
            case 0:
                self.identifies.append(data)
                port = self._udp.get_extra_info("sockname")[1]
                ready = {"ssrc": SSRC, "ip": "127.0.0.1", "port": port, "modes": ["aead_aes256_gcm_rtpsize", MODE]}
                await _say(socket, 2, ready)
            case 1:
                assert data["data"]["mode"] == MODE
                secret = {"mode": MODE, "secret_key": list(self.key), "dave_protocol_version": 0}
                await _say(socket, 4, secret)
            case 3:
                await _say(socket, 6, {"t": data["t"] if isinstance(data, dict) else data})
            case 5:
                self.speaking.append(data["speaking"])

    def take(self, datagram: bytes, sender: Any) -> None:
        if len(datagram) == 74 and datagram[:2] == b"\x00\x01":  # who am I?
            answer = bytearray(74)
            struct.pack_into(">HHI", answer, 0, 2, 70, SSRC)
            answer[8 : 8 + len(sender[0])] = sender[0].encode()
            struct.pack_into(">H", answer, 72, sender[1])
            self._udp.sendto(bytes(answer), sender)
            return
        header, sealed, nonce = datagram[:12], datagram[12:-4], datagram[-4:]
        sequence, timestamp, ssrc = struct.unpack(">HII", header[2:])
        assert (header[:2], ssrc) == (b"\x80\x78", SSRC)
        plain = nacl.secret.Aead(self.key).decrypt(sealed, header, nonce.ljust(24, b"\0"))
        if plain != _SILENCE:
            self.packets.append(Packet(sequence, timestamp, plain))
        self.fake.changed.set()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, voice: FakeVoice) -> None:
        self._voice = voice

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._voice.take(data, addr)


async def _say(socket: web.WebSocketResponse, op: int, data: Any) -> None:
    await socket.send_str(json.dumps({"op": op, "d": data}))
