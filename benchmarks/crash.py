"""The `crash` table: `kill -9` at random moments, a restart on the same home, and nothing promised is broken.

The bot is a process of its own (`serve`, real database, real gateway and REST client, real worker process) against the
loopback Discord. It is killed while a piece is asked for and made, while it is posted, while a rating comes, while a
history is read; the moments are drawn from one seed. Between two kills it either gets to finish what it owes or does
not, by a coin. Most pieces are a second of sound (`tests.fakes.composer`) that a worker process makes by the real
protocol, so that hundreds of kills take minutes; the last twentieth is composed for real, ten seconds long.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from rich.console import Console

from benchmarks.loopback import TONE, Loopback, Served, served
from benchmarks.result import Must, Options, Result, Rows
from tests.fakes.discord import Asked, Message, Upload, mp3_of

KILLS, QUICK_KILLS = 200, 20
ACTS = ("compose", "post", "rate", "import")
SEED = 20_261_125
PLAYS = 12_000  # of one history: three batches
_REAL = 20  # every so many kills, one of a real composition
_RECENT = 10  # pieces among which somebody rates; all are compared again after a start
_OWED_S = 60.0  # how long a start may take to finish what is owed
_STARS = ("1️⃣", "2️⃣", "3️⃣", "4️⃣", "5️⃣")
_LEASE_S = "1"  # the shortest: whoever was killed is missed after a second
_WITHIN_S = {"compose": 1.4, "post": 0.4, "rate": 0.1, "import": 1.0}  # from the act to the kill, at most
_COLUMNS = {
    "act": "killed during", "kills": "kills", "asked": "asked", "accepted": "accepted", "kept": "kept",
    "told": "failed and told", "lost": "lost", "double": "double",
}  # fmt: skip


@dataclass
class _Promises:
    """What listeners asked for, by act; whether they were answered is in the loopback Discord."""

    pieces: list[tuple[str, Asked]] = field(default_factory=list)
    clicks: list[tuple[Asked, str, str, int]] = field(default_factory=list)  # listener, track, stars
    reactions: list[tuple[Message, str, str, int]] = field(default_factory=list)
    imports: list[tuple[Asked, str]] = field(default_factory=list)
    people: int = 600_000_000_000_000_000

    def somebody(self) -> int:
        """A user nobody has met yet."""
        self.people += 1
        return self.people


def run(options: Options) -> Result:
    kills = QUICK_KILLS if options.quick else KILLS
    with tempfile.TemporaryDirectory(prefix="tunesmith-crash-") as folder:
        home = Path(folder) / "home"
        promises, discord, met = asyncio.run(_crash(home, kills))
        return _judged(home, promises, discord, met)


async def _crash(home: Path, kills: int) -> tuple[_Promises, Loopback, Counter[tuple[str, str]]]:
    dice, promises, met = random.Random(SEED), _Promises(), Counter[tuple[str, str]]()
    acts = [ACTS[number % len(ACTS)] for number in range(kills)]
    dice.shuffle(acts)
    console = Console(stderr=True, highlight=False)
    async with Loopback() as discord:
        async with served(home, discord, composer=TONE, lease_s=_LEASE_S):
            for _ in range(_RECENT):  # something to rate
                promises.pieces.append(("", await discord.slash("compose", text="chill", user=promises.somebody())))
            await _owed(home, discord, promises)
        for number, act in enumerate(acts):
            real = number >= kills - kills // _REAL
            doing, composer = ("compose", {}) if real else (act, {"composer": TONE})
            async with served(home, discord, lease_s=_LEASE_S, **composer) as bot:
                if dice.random() < 0.5:
                    await _owed(home, discord, promises)
                await _act(doing, bot, discord, promises, dice, real=real)
            met[doing, _met(home, doing, promises)] += 1
            if (number + 1) % 10 == 0:
                console.print(f"{number + 1} kills")
        async with served(home, discord, composer=TONE, lease_s=_LEASE_S):
            await _again(discord, promises)
            await _owed(home, discord, promises)
            await asyncio.sleep(2.0)  # what would be posted twice has come by now
    return promises, discord, met


def _met(home: Path, act: str, promises: _Promises) -> str:
    """How far things were when the kill came, by a copy: opening the database itself would roll it back."""
    with tempfile.TemporaryDirectory() as folder:
        for path in home.glob("tunesmith.db*"):
            shutil.copy(path, folder)
        place = Path(folder)
        _rows(place, "SELECT 1 FROM jobs", mode="")  # rolls back what was not committed
        if act in {"compose", "post"}:
            asked = promises.pieces[-1][1]
            found = _rows(
                place, "SELECT state FROM jobs JOIN messages ON id = job_id WHERE interaction_id = ?", asked.id
            )
            return f"{found[0][0] if found else 'nothing stored'}{'' if asked.acks else ', not answered'}"
        if act == "import":
            asked, listener = promises.imports[-1]
            ((plays,),) = _rows(place, "SELECT count(*) FROM listens WHERE listener_id = ?", listener)
            return f"{plays} plays, {'answered' if _done(asked) else 'not answered'}"
        ((count,),) = _rows(place, "SELECT count(*) FROM ratings WHERE listener_id = ?", f"discord:{promises.people}")
        return "stored" if count else "not stored"


async def _act(
    act: str, bot: Served, discord: Loopback, promises: _Promises, dice: random.Random, *, real: bool
) -> None:
    """Do one thing and kill the bot at some moment of it."""
    moment = dice.uniform(0, 12.0 if real else _WITHIN_S[act])
    user = promises.somebody()
    if act == "compose":
        wishes: dict[str, Any] = {"length": 10, "takes": 1} if real else {}
        promises.pieces.append((act, await discord.slash("compose", text="chill", user=user, **wishes)))
    elif act == "post":
        promises.pieces.append((act, await discord.slash("compose", text="chill", user=user)))
        await _kill_at_post(bot, discord, dice.choice(("before", "between", "after")))
    elif act == "rate":
        await _rate(discord, promises, user, dice)
    else:
        promises.imports.append((await _import(discord, user), f"discord:{user}"))
    await asyncio.sleep(moment)
    await bot.kill()


async def _rate(discord: Loopback, promises: _Promises, user: int, dice: random.Random) -> None:
    message = dice.choice(discord.tracks()[-_RECENT:])
    track, stars = _track_on(message), dice.randint(1, 5)
    if dice.random() < 0.5:
        promises.reactions.append((message, f"discord:{user}", track, stars))
        await discord.react(message, _STARS[stars - 1], user)
    else:
        action, stars = ("like", 5) if stars > 2 else ("dislike", 1)
        asked = await discord.click(message, f"tune:{action}:{track}", user=user)
        promises.clicks.append((asked, f"discord:{user}", track, stars))


async def _import(discord: Loopback, user: int) -> Asked:
    return await discord.slash("import", file=Upload("recenttracks.csv", _history()), user=user)


async def _kill_at_post(bot: Served, discord: Loopback, moment: str) -> None:
    """Kill before the request with the piece takes effect, before its answer leaves, or leave it to the caller."""
    posted = asyncio.Event()

    def told(request: web.Request, taken: bool) -> None:
        if request.content_type != "multipart/form-data" or posted.is_set():
            return
        if taken == (moment != "before"):
            posted.set()
            if moment != "after" and bot.process.returncode is None:
                bot.process.kill()

    discord.told = told
    try:
        async with asyncio.timeout(_OWED_S):
            await posted.wait()
    finally:
        discord.told = None


async def _again(discord: Loopback, promises: _Promises) -> None:
    """Who got no answer to an import sends it again, as people do; twice the same is no more than once."""
    for asked, listener in list(promises.imports):
        if not _done(asked):
            again = await _import(discord, int(listener.removeprefix("discord:")))
            promises.imports.append((again, listener))
            await discord.until(lambda again=again: _done(again), _OWED_S)  # type: ignore[misc]


async def _owed(home: Path, discord: Loopback, promises: _Promises) -> None:
    """Until nothing is owed any more, or for as long as a minute."""
    last = promises.pieces[-1][1] if promises.pieces else None
    if last is not None and not last.acks:
        await asyncio.sleep(0.5)  # it may just be coming
    for _ in range(int(_OWED_S / 0.1)):
        if _rows(home, "SELECT count(*) FROM messages WHERE answered_at IS NULL") == [(0,)]:
            return
        await asyncio.sleep(0.1)
    Console(stderr=True).print(f"still owed after {_OWED_S:.0f} s; {len(discord.messages)} messages")


def _judged(home: Path, promises: _Promises, discord: Loopback, met: Counter[tuple[str, str]]) -> Result:
    verdicts = [
        *_judge_pieces(home, promises, discord),
        *_judge_ratings(home, promises),
        *_judge_imports(home, promises),
    ]
    starts = Counter[str]()
    for (act, _), count in met.items():
        starts[act] += count
    rows = [
        {"act": act, "kills": starts[act]} | _counted([kinds for of, kinds in verdicts if of == act]) for act in ACTS
    ]
    lost = {act: sum("lost" in kinds for of, kinds in verdicts if of == act) for act in (*ACTS, "")}
    jobs = lost["compose"] + lost["post"] + lost[""]
    doubles = sum("double" in kinds for _, kinds in verdicts)
    (intact,) = _rows(home, "PRAGMA integrity_check")
    kills = starts.total()
    meetings = [{"act": act, "met": what, "kills": count} for (act, what), count in sorted(met.items())]
    musts = [
        Must(f"jobs lost in {kills} kills", "0", str(jobs), jobs == 0),
        Must("pieces or plays doubled", "0", str(doubles), doubles == 0),
        Must("ratings lost", "0", str(lost["rate"]), lost["rate"] == 0),
        Must("imports not whole", "0", str(lost["import"]), lost["import"] == 0),
        Must("the database is intact", "ok", str(intact[0]), intact[0] == "ok"),
    ]
    notes = [
        "Accepted: the listener was answered, or the job is in the database. Who was not answered asks again.",
        f"Kept: the piece was posted once, the rating is in the database, all {PLAYS} plays are.",
        f"The last {starts.total() // _REAL} kills are of real compositions; the others of a second of sound.",
    ]
    tables = [
        Rows("kill -9, and a restart on the same home", _COLUMNS, rows),
        Rows("What the kills met", {"act": "killed during", "met": "found", "kills": "kills"}, meetings),
    ]
    return Result("crash", tables, musts, notes)


def _counted(found: Sequence[frozenset[str]]) -> dict[str, int]:
    counts = {name: sum(name in kinds for kinds in found) for name in ("accepted", "kept", "told", "lost", "double")}
    return {"asked": len(found)} | counts


def _judge_pieces(home: Path, promises: _Promises, discord: Loopback) -> list[tuple[str, frozenset[str]]]:
    jobs = {
        interaction: (job, state, error)
        for interaction, job, state, error in _rows(
            home, "SELECT interaction_id, job_id, state, error FROM messages JOIN jobs ON jobs.id = job_id"
        )
    }
    carried = Counter(_track_on(message) for message in discord.tracks())
    verdicts = []
    for act, asked in promises.pieces:
        job, state, error = jobs.get(asked.id, (None, None, None))
        kinds = set[str]()
        if job is None:
            kinds |= {"accepted", "lost"} if asked.acks else set()
        else:
            kinds.add("accepted")
            told = state == "failed" and _told(discord, asked, job, error)
            kept = state == "done" and carried[job] > 0 and _whole(home, job)
            kinds.add("kept" if kept else "told" if told else "lost")
            kinds |= {"double"} if carried[job] > 1 else set()
        verdicts.append((act, frozenset(kinds)))
    return verdicts


def _told(discord: Loopback, asked: Asked, job: str, error: str) -> bool:
    """Whether the reason is in the reply, or in a message of its own."""
    replies = [message for message in discord.messages.values() if message.nonce == job or message is asked.message]
    return any(error in message.content for message in replies)


def _whole(home: Path, job: str) -> bool:
    """Whether the piece's row is there and its file."""
    return (
        len(_rows(home, "SELECT 1 FROM tracks WHERE id = ?", job)) == 1
        and (home / "tracks" / job / "track.mp3").is_file()
    )


def _judge_ratings(home: Path, promises: _Promises) -> list[tuple[str, frozenset[str]]]:
    stored = set(_rows(home, "SELECT listener_id, track_id, stars FROM ratings"))
    verdicts = []
    for asked, *rating in promises.clicks:
        accepted = bool(asked.acks) or tuple(rating) in stored
        kept = "kept" if tuple(rating) in stored else "lost"
        verdicts.append(("rate", frozenset({"accepted", kept} if accepted else ())))
    for _, *rating in promises.reactions:  # it stands under the piece: that is its answer
        verdicts.append(("rate", frozenset({"accepted", "kept" if tuple(rating) in stored else "lost"})))
    return verdicts


def _judge_imports(home: Path, promises: _Promises) -> list[tuple[str, frozenset[str]]]:
    verdicts = []
    for asked, listener in promises.imports:
        if not _done(asked):
            verdicts.append(("import", frozenset[str]()))
            continue
        ((plays,),) = _rows(home, "SELECT count(*) FROM listens WHERE listener_id = ?", listener)
        kinds = {"accepted", "kept" if plays >= PLAYS else "lost"} | ({"double"} if plays > PLAYS else set())
        verdicts.append(("import", frozenset(kinds)))
    return verdicts


def _done(asked: Asked) -> bool:
    """Whether an import was answered with how much was read."""
    return asked.message is not None and bool(asked.message.edits)


def _track_on(message: Message) -> str:
    assert mp3_of(message) is not None  # noqa: S101 -- only messages with a piece come here
    return Path(message.attachments[0]["filename"]).stem.rpartition("-")[2]


def _history() -> bytes:
    """An export of Last.fm with PLAYS plays of invented artists."""
    lines = (
        f'"{1_400_000_000 + 200 * n}","","Artist {n % 900}","","Album","","Song {n % 4000}",""' for n in range(PLAYS)
    )
    return "\n".join(("uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid", *lines)).encode()


def _rows(home: Path, statement: str, *values: Any, mode: str = "?mode=ro") -> list[tuple[Any, ...]]:
    """What the database says, read beside the bot; waits while a killed writer's journal is rolled back."""
    with closing(sqlite3.connect(f"file:{home / 'tunesmith.db'}{mode}", uri=True, timeout=5)) as connection:
        return connection.execute(statement, values).fetchall()
