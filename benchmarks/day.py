"""A day of steady traffic without the waiting in between: whether the bot's process grows, and what only hours bring.

An hour is a dozen pieces with what people do to them, some looks at lists, and six broken connections that are resumed,
three of them with a command under way. After every piece the clocks of the bot and of Discord run ahead, by an hour in
all; with two pieces that happens between the question and the answer, so that the token for answering ends and the
piece comes as a message of its own. Refits come every six hours, since one would tell little. At the beginning somebody
uses up a quota, to ask again at the end, and a piece's lease passes while it is composed, as on a machine that slept.

What a day has beside that is idle: the courier looks every second. Here it looks every 20 ms, so that a part of the
day's looks happens too; `Day.took_s` says for how long. The loop's own timers (waits of seconds, heartbeats) and the
ten minutes for agreeing to be linked are not moved.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loopback import TONE, Loopback, Served, served
from tests.fakes.discord import Asked, Message

PIECES, PEOPLE, DROPS = 12, 40, 3  # an hour's pieces, the listeners, an hour's broken connections
QUOTA = 8  # pieces of one listener in 24 hours; nobody but the greedy one reaches it
REFIT_HOURS = 6
_LATE = frozenset({3, 9})  # pieces of an hour that come after their token's end
_LATE_S, _USUAL_S = 20 * 60.0, 2 * 60.0
_FIRST, _GREEDY, _LATE_ONE = 630_000_000_000_000_000, 639_000_000_000_000_000, 638_000_000_000_000_000
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Day:
    """Memory in MB at the end of every hour; how often the connection was resumed, how many pieces were posted, how
    many of them after their token's end, how often the shared taste was refitted; whether more than the quota was
    accepted on the first hour, and a piece at the end of the last one."""

    memory_mb: list[float]
    resumes: int
    pieces: int
    late: int
    refits: int
    over_quota: bool
    quota_back: bool
    took_s: float


async def day(home: Path, hours: int) -> Day:
    memory = []
    began = time.monotonic()
    settings = {"composer": TONE, "refit_hours": str(REFIT_HOURS)}
    async with Loopback() as discord, served(home, discord, poll_s=_POLL_S, **settings) as bot:
        over_quota = await _use_up(discord)
        await _sleep(discord, bot)
        for hour in range(hours):
            await _hour(discord, bot, hour)
            memory.append(float((await bot.figures())["rss_mb"]))
            discord.requests.clear()
            discord.authorizations.clear()
        quota_back = await _accepted(discord, _GREEDY)
        tracks = discord.tracks()
        late = sum(message.nonce is not None for message in tracks)
        refits = bot.log.read_text().count("taste refitted")
        took_s = time.monotonic() - began
        return Day(memory, discord.resumes, len(tracks), late, refits, over_quota, quota_back, took_s)


def expected(hours: int) -> int:
    """How many pieces are asked for and within the quota."""
    return PIECES * hours + QUOTA + 1 + (hours >= 24)


async def _use_up(discord: Loopback) -> bool:
    """Set a quota and use it up; whether one piece more was accepted."""
    said = await discord.slash("admin quota", listener=QUOTA)
    await discord.until(lambda: said.acks)
    for _ in range(QUOTA):
        await _accepted(discord, _GREEDY)
    return await _accepted(discord, _GREEDY)


async def _accepted(discord: Loopback, user: int) -> bool:
    """Ask for a piece; whether it came."""
    asked = await discord.slash("compose", text="chill", user=user)
    await discord.until(lambda: asked.acks and (asked.acks[0]["type"] == 4 or _complete(asked.message)))
    return asked.acks[0]["type"] == 5


async def _sleep(discord: Loopback, bot: Served) -> None:
    """Time passes while a piece is composed."""
    before = {message.id for message in discord.tracks()}
    asked = await discord.slash("compose", text="chill fakeslower", user=_LATE_ONE)
    await discord.until(lambda: asked.message and "▰" in asked.message.content)
    await _pass_time(discord, bot, _LATE_S)
    await _piece(discord, asked, before, _LATE_ONE)


async def _hour(discord: Loopback, bot: Served, hour: int) -> None:
    for number in range(PIECES):
        user = _FIRST + (hour * PIECES + number) % PEOPLE
        before = {message.id for message in discord.tracks()}
        asked = await discord.slash("compose", text=("chill", "sad", "happy", "focus")[number % 4], user=user)
        if number % (PIECES // DROPS) == 1:
            await discord.drop()
        if number in _LATE:
            await discord.until(lambda asked=asked: asked.acks)  # type: ignore[misc]
            await _pass_time(discord, bot, _LATE_S)
        await _piece(discord, asked, before, user)
        if number % (PIECES // DROPS) == 2:
            await discord.drop()  # with nothing on the way
        looks = [await discord.slash(name, user=user) for name in ("history", "taste show", "mood show", "help")]
        await discord.autocomplete("compose", "text", "ch")
        await discord.until(lambda looks=looks: all(_told(look) for look in looks))  # type: ignore[misc]
        if number not in _LATE:
            await _pass_time(discord, bot, _USUAL_S)


async def _pass_time(discord: Loopback, bot: Served, seconds: float) -> None:
    discord.pass_time(seconds)
    await bot.pass_time(seconds)


async def _piece(discord: Loopback, asked: Asked, before: set[str], user: int) -> None:
    """Wait for a piece, as an answer or as a message of its own; rate it by a number and by a button, and change one's
    mind."""
    found: list[Message] = []

    def there() -> bool:
        found[:] = [message for message in discord.tracks() if message.id not in before]
        return bool(found) and _complete(found[0])

    await discord.until(there)
    (message,) = found
    if message is not asked.message and message.nonce is None:
        raise RuntimeError("A piece came that nobody asked for.")
    await discord.react(message, "4️⃣", user)
    await discord.react(message, "5️⃣", user)
    await discord.unreact(message, "4️⃣", user)
    items = [item["custom_id"] for row in message.components for item in row["components"]]
    pressed = [
        await discord.click(message, next(name for name in items if name.startswith(f"tune:{action}")), user=user)
        for action in ("like", "why")
    ]
    await discord.until(lambda: all(one.acks for one in pressed))


def _told(asked: Asked) -> bool:
    return bool(asked.acks) and (asked.acks[0]["type"] == 4 or bool(asked.message and asked.message.edits))


def _complete(message: Message | None) -> bool:
    return message is not None and bool(message.attachments) and len(message.reactions) == 5
