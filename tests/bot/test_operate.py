"""What an operator relies on: a backup restores everything, keys rotate, and nothing is lost by a crash in between."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.app import App, open_app
from bot.errors import StoreError, UserError
from bot.jobs.job import Job
from bot.settings import Settings, load_settings
from bot.store.backup import back_up, database_file, restore
from bot.store.crypto import Seal, add_key
from bot.store.links import Link
from bot.store.rotation import rotate_keys
from tests.bot.making import reply, request, track_row

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


async def piece(app: App, listener: str = "ada") -> Job:
    """A finished piece with a file in its folder."""
    job, _ = await app.queue.enqueue(listener, request(), 7)
    claimed = await app.queue.claim("tester", only=job.id)
    assert claimed is not None
    home = app.settings.tracks_dir / job.id
    home.mkdir(parents=True)
    (home / "track.mp3").write_bytes(b"sound")
    return await app.queue.finish(claimed, track_row(claimed) | {"dir": str(home)}, lambda: None)


async def link(app: App) -> None:
    await app.store.links.put("ada", Link("spotify", "ada's account", "a secret token", NOW))


async def test_a_backup_restores_pieces_ratings_and_tokens(settings: Settings, tmp_path: Path) -> None:
    async with open_app(settings) as app:
        job = await piece(app)
        await app.service.rate("ada", job.id, 5)
        await link(app)
        made = back_up(settings.home, tmp_path / "backups", now=NOW)  # while the database is open
    assert (made.path.name, made.tracks) == ("tunesmith-20260601T120000Z.tar", 1)
    assert made.path.stat().st_mode & 0o077 == 0, "it holds the key"
    elsewhere = load_settings(home=tmp_path / "new")
    assert restore(made.path, elsewhere.home).tracks == 1
    async with open_app(elsewhere) as again:
        (track,) = await again.service.history("ada")
        assert (track.id, track.stars) == (job.id, 5)
        assert Path(track.files["mp3"]).read_bytes() == b"sound"
        assert track.dir.is_relative_to(elsewhere.home)
        found = await again.store.links.get("ada", "spotify")
        assert found is not None
        assert found.token == "a secret token"
    assert {path.name for path in (tmp_path / "backups").iterdir()} == {made.path.name}


async def test_old_backups_go_when_asked_and_nothing_else_does(app: App, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    for days in (40, 20, 1):
        back_up(app.settings.home, folder, now=NOW - timedelta(days=days))
    (folder / "tunesmith-of-mine.tar").touch()
    made = back_up(app.settings.home, folder, timedelta(days=30), now=NOW)
    assert made.deleted == 1
    assert len(list(folder.iterdir())) == 4


async def test_what_cannot_be_restored_leaves_the_home_as_it_was(app: App, tmp_path: Path) -> None:
    made = back_up(app.settings.home, tmp_path / "backups")
    with pytest.raises(StoreError, match="is a database already"):
        restore(made.path, app.settings.home)
    empty = tmp_path / "empty"
    for name, content in (("noise.tar", b"no tar at all"), ("half.tar", made.path.read_bytes()[:5000])):
        broken = tmp_path / name
        broken.write_bytes(content)
        with pytest.raises(StoreError):
            restore(broken, empty)
    foreign = tmp_path / "foreign.tar"
    with tarfile.open(foreign, "w") as archive:
        archive.add(tmp_path / "noise.tar", "../outside")
    with pytest.raises(StoreError, match="no backup of Tunesmith"):
        restore(foreign, empty)
    assert list(empty.iterdir()) == []


def test_there_must_be_something_to_save(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no SQLite database"):
        back_up(tmp_path / "nowhere", tmp_path / "backups")
    assert not (tmp_path / "backups").exists()


async def test_a_database_elsewhere_is_saved_and_put_back_there(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("old", "new")]
    settings = [
        load_settings(home=place / "home", database_url=f"sqlite+aiosqlite:///{place / 'data' / 'mine.sqlite'}")
        for place in places
    ]
    async with open_app(settings[0]) as app:
        job = await piece(app)
        made = back_up(settings[0].home, tmp_path / "backups", now=NOW, database=database_file(settings[0].database))
    restore(made.path, settings[1].home, database=database_file(settings[1].database))
    assert (places[1] / "data" / "mine.sqlite").is_file()
    assert not (settings[1].home / "tunesmith.db").exists()
    async with open_app(settings[1]) as again:
        assert (await again.service.track(job.id)).dir.is_relative_to(settings[1].home)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql+asyncpg://bot:hidden@db.example/tunesmith", "pg_dump"),
        ("sqlite+aiosqlite://", "in memory"),
        ("nonsense", "cannot be used"),
    ],
)
def test_what_is_no_sqlite_file_is_refused_in_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence) as caught:
        database_file(url)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_rotated_keys_open_everything_and_old_ones_nothing(app: App) -> None:
    key_file = app.settings.home / "key"
    old = key_file.read_bytes()
    await link(app)
    job, _ = await app.queue.enqueue("ada", request(), 7, reply=reply(1))
    assert await rotate_keys(app.store.database, key_file, NOW) == 2
    assert key_file.read_bytes() != old
    assert len(key_file.read_bytes().split()) == 1
    assert key_file.stat().st_mode & 0o077 == 0
    async with open_app(app.settings) as again:
        found = await again.store.links.get("ada", "spotify")
        assert found is not None
        assert found.token == "a secret token"
        (row,) = await again.store.messages.open()
        assert again.store.seal.open(job.id, row["sealed_token"]) == "interaction-token-1"
    key_file.write_bytes(old)
    async with open_app(app.settings) as without:
        with pytest.raises(StoreError, match="does not open"):
            await without.store.links.get("ada", "spotify")


async def test_a_crash_between_new_key_and_sealing_loses_nothing(app: App) -> None:
    await link(app)
    add_key(app.settings.home / "key")
    async with open_app(app.settings) as again:
        found = await again.store.links.get("ada", "spotify")
        assert found is not None
        assert found.token == "a secret token"
        assert await rotate_keys(again.store.database, app.settings.home / "key", NOW) == 1


async def test_keys_stay_while_something_is_composed(app: App) -> None:
    await app.queue.enqueue("ada", request(), 7)
    await app.queue.claim("tester")
    before = (app.settings.home / "key").read_bytes()
    with pytest.raises(UserError, match="stop `serve` and `worker` first"):
        await rotate_keys(app.store.database, app.settings.home / "key", datetime.now(UTC))
    assert (app.settings.home / "key").read_bytes() == before


def test_a_value_of_another_key_does_not_rotate(tmp_path: Path) -> None:
    sealed = Seal.load(tmp_path / "one").close("ada", "token")
    with pytest.raises(StoreError, match="does not open"):
        Seal.load(tmp_path / "other").rotate(sealed)
