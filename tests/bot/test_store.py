"""The store: schema, pragmas, sealing, and the questions the service asks of it."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import StatementError

from bot.app import App
from bot.errors import NewerDatabase, StoreError
from bot.store import database as database_module
from bot.store.crypto import Seal
from bot.store.database import Database, wal_is_safe
from bot.store.links import Link
from bot.store.store import Store
from bot.store.tables import SCHEMA, metadata
from tests.bot.making import START, finished


def url(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def test_migrations_lead_to_the_tables(tmp_path: Path) -> None:
    async with Database(url(tmp_path / "a.db")) as database, database.read() as tx:
        differences = await tx.run_sync(
            lambda connection: compare_metadata(
                MigrationContext.configure(connection, opts={"render_as_batch": True}), metadata
            )
        )
    assert differences == []


def test_the_newest_revision_is_the_one_we_say() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database_module.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]


async def test_a_database_from_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    async with Database(url(path)):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NewerDatabase, match="newer Tunesmith") as caught:
        async with Database(url(path)):
            pass
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database" * 500, b"SQLite format 3\x00" + b"\xff" * 3000])
async def test_a_broken_database_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        async with Database(url(path)):
            pass
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_an_unusable_address_is_one_sentence() -> None:
    with pytest.raises(StoreError, match="cannot be used"):
        Database("nonsense")


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), False),
        ((3, 53, 0), True),
    ],
)
async def test_the_journal_follows_the_wal_reset_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], safe: bool
) -> None:
    assert wal_is_safe(version) is safe
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    async with Database(url(tmp_path / "j.db")) as database:
        facts = await database.describe()
        async with database.read() as tx:
            synchronous = (await tx.execute(text("PRAGMA synchronous"))).scalar_one()
    assert facts["journal"] == ("wal" if safe else "delete")
    assert bool(facts["note"]) is not safe
    assert synchronous == 2


async def test_moments_come_back_as_they_went_in(app: App) -> None:
    there = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    play = {"source": "x", "played_at": there, "artist": "A", "title": "T", "album": None, "ms_played": 1, "genres": []}
    await app.store.listens.add("local", [play], START)
    async with app.store.database.read() as tx:
        raw = (await tx.execute(text("SELECT played_at FROM listens"))).scalar_one()
    assert raw.startswith("2026-03-01 10:00")
    job = await finished(app.queue)
    track = await app.service.track(job.id)
    assert track.created_at.tzinfo is UTC
    with pytest.raises(StatementError, match="time zone"):
        await app.store.listens.add("local", [{**play, "played_at": datetime(2026, 1, 1)}], START)  # noqa: DTZ001


async def test_plays_are_not_doubled(app: App) -> None:
    plays = [
        {
            "source": "spotify_export",
            "played_at": START + timedelta(minutes=n),
            "artist": f"Artist {n % 3}",
            "title": "T",
            "album": None,
            "ms_played": 60_000,
            "genres": ["jazz"],
        }
        for n in range(2500)
    ]
    assert await app.store.listens.add("local", plays, START) == 2500
    assert await app.store.listens.add("local", plays, START) == 0
    assert await app.store.listens.add("other", plays[:5], START) == 5
    artists = await app.store.listens.by_artist("local")
    assert [(a.artist, a.plays, a.genres) for a in artists] == [
        ("Artist 0", 834, ("jazz",)),
        ("Artist 1", 833, ("jazz",)),
        ("Artist 2", 833, ("jazz",)),
    ]


async def test_a_play_is_known_by_its_source_time_and_title(app: App) -> None:
    play = {"source": "lastfm", "played_at": START, "artist": "A", "title": "T", "album": None, "ms_played": None}
    first = play | {"genres": []}
    others = [first | {"artist": "a"}, first | {"title": "U"}, first | {"source": "listenbrainz"}]
    assert await app.store.listens.add("local", [first, *others], START) == 3
    with pytest.raises(StoreError, match="refused"):
        await app.store.listens.add("local", [first | {"source": "spotify"}], START)


async def test_the_old_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    async with Database(url(path)) as database, database.write() as tx:
        config = Config()
        config.set_main_option("script_location", str(Path(database_module.__file__).parent / "migrations"))
        await tx.run_sync(metadata.drop_all)
        await tx.execute(text("DROP TABLE alembic_version"))

        def old(connection: Connection) -> None:
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")

        await tx.run_sync(old)
        await tx.execute(text("INSERT INTO listeners VALUES ('ada', '2026-01-01')"))
        for artist, title in (("A", "T"), ("B", "T"), ("A", "U")):
            values = f"('ada', 'lastfm', '2026-01-01', '{artist}', '{title}', '[]')"
            await tx.execute(
                text(f"INSERT INTO listens (listener_id, source, played_at, artist, title, genres) VALUES {values}")
            )
    async with Database(url(path)) as database:
        store = Store.over(database, Seal.load(tmp_path / "key"))
        assert await store.listens.count("ada") == 2


async def test_a_link_is_sealed_for_its_listener_and_goes_with_its_plays(app: App) -> None:
    links = app.store.links
    await links.put("ada", Link("lastfm", "ada99", None, START))
    await links.put("ada", Link("spotify", "account", '{"refresh_token": "s3cret"}', START))
    async with app.store.database.read() as tx:
        raw = (await tx.execute(text("SELECT sealed_token FROM links WHERE source = 'spotify'"))).scalar_one()
        assert "s3cret" not in raw
    assert [link.source for link in await links.of_listener("ada")] == ["lastfm", "spotify"]
    assert await links.get("bob", "spotify") is None
    play = {"source": "lastfm", "played_at": START, "artist": "A", "title": "T", "album": None, "ms_played": None}
    await app.store.listens.add("ada", [play | {"genres": []}], START)
    assert await links.remove("ada", "lastfm") == (True, 1)
    assert await links.remove("ada", "lastfm") == (False, 0)
    assert await links.remove("ada", "spotify") == (True, 0)
    assert not await links.renew("ada", "spotify", "late answer of a refresh")
    assert await links.of_listener("ada") == []


async def test_a_budget_counts_the_last_day(app: App) -> None:
    spend = app.store.links.spend
    assert [await spend("spotify", START, 3) for _ in range(4)] == [True, True, True, False]
    assert await spend("lastfm", START, 3)
    assert not await spend("spotify", START + timedelta(hours=23), 3)
    assert await spend("spotify", START + timedelta(hours=24), 3)


async def test_statements_replace_each_other_and_can_only_be_ones_own(app: App) -> None:
    statements = app.store.statements
    await statements.say("ada", "style", "jazz", liked=True, now=START)
    await statements.say("ada", "style", "jazz", liked=False, now=START)
    (row,) = await statements.of_listener("ada")
    assert (row["kind"], row["value"], row["liked"], row["source"]) == ("style", "jazz", False, "self")
    with pytest.raises(StoreError, match="refused"):
        async with app.store.database.write() as tx:
            await tx.execute(text("UPDATE statements SET source = 'spotify'"))
    assert await statements.withdraw("ada", "style", "jazz")
    assert not await statements.withdraw("ada", "style", "jazz")


async def test_the_newest_rating_counts_and_withdrawing_revives_the_one_before(app: App) -> None:
    job = await finished(app.queue)

    async def stars() -> int | None:
        ratings = await app.store.ratings.of_listener("ada")
        assert len(ratings) <= 1
        return ratings[0]["stars"] if ratings else None

    give = app.store.ratings.give
    await give("ada", job.id, 3, source="reaction", now=START)
    await give("ada", job.id, 5, source="reaction", now=START + timedelta(seconds=1))
    assert await stars() == 5
    await give("ada", job.id, 2, source="typed", now=START + timedelta(seconds=2))
    await give("ada", job.id, 1, source="typed", now=START + timedelta(seconds=3))
    assert await stars() == 1
    assert await app.store.ratings.withdraw("ada", job.id, 1)
    assert await stars() == 5
    assert await app.store.ratings.withdraw("ada", job.id, 5)
    assert await stars() == 3
    assert await app.store.ratings.withdraw("ada", job.id, 3)
    assert not await app.store.ratings.withdraw("ada", job.id, 3)
    assert await stars() is None


def test_sealed_values_open_only_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "home" / "key"
    seal = Seal.load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    sealed = seal.close("job-1", "interaction token")
    assert "interaction" not in sealed
    assert Seal.load(path).open("job-1", sealed) == "interaction token"
    with pytest.raises(StoreError, match="another owner"):
        seal.open("job-2", sealed)
    with pytest.raises(StoreError, match="does not open"):
        Seal.load(tmp_path / "other" / "key").open("job-1", sealed)


def test_keys_rotate_by_adding_a_line(tmp_path: Path) -> None:
    path, fresh = tmp_path / "key", tmp_path / "fresh"
    sealed = Seal.load(path).close("job", "old")
    Seal.load(fresh)
    path.write_text(fresh.read_text() + path.read_text())
    assert Seal.load(path).open("job", sealed) == "old"
    path.write_text("no key")
    with pytest.raises(StoreError, match="cannot be used"):
        Seal.load(path)


async def test_cancelled_work_leaves_no_lock_behind(app: App) -> None:
    """A driver call abandoned half-way used to keep its connection, and with it the lock on the file."""
    facts = app.store.facts
    await facts.put("name", "0")
    for number in range(60):
        work = [asyncio.create_task(facts.put("name", str(n)) if n % 2 else facts.get("name")) for n in range(4)]
        await asyncio.sleep(number % 12 / 2000)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        async with asyncio.timeout(4):  # less than SQLite waits for a lock
            await facts.put("name", "after")
    assert await facts.get("name") == "after"
