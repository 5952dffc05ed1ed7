"""A listener's taste through the service and a real database: changed, excluded, exported, forgotten, refitted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bot.app import App, open_app
from bot.errors import UserError
from bot.settings import Settings
from personalization.features import features
from personalization.propose import prior, taste_of
from tests.bot.making import finished


async def rated(app: App, stars: int, listener: str = "local", style: str = "lofi", acousticness: float = 0.5) -> str:
    """A finished piece with a rating; its id."""
    job = await finished(app.queue, listener)
    from sqlalchemy import update

    from bot.store.tables import tracks

    row = await app.store.tracks.get(job.id)
    assert row is not None
    changed = dict(row["attributes"], styles=[[style, 1.0]], acousticness=acousticness)
    async with app.store.database.write() as tx:
        await tx.execute(update(tracks).where(tracks.c.id == job.id).values(attributes=changed))
    await app.service.rate(listener, job.id, stars)
    return job.id


async def test_dont_learn_from_this(app: App) -> None:
    track = await rated(app, 1)
    tastes = app.service.tastes
    assert len((await tastes.profile("local")).ratings) == 1
    await tastes.exclude("local", "track", track)
    assert (await tastes.profile("local")).ratings == ()
    assert await app.store.tastes.everybodys_ratings() == []
    assert await tastes.include("local", track)
    assert not await tastes.include("local", track)
    assert len((await tastes.profile("local")).ratings) == 1


async def test_a_private_request_teaches_nothing(app: App) -> None:
    job, _ = await app.service.compose("local", app.service.request("chill", private=True))
    assert [(row["kind"], row["value"]) for row in await app.store.tastes.exclusions("local")] == [("track", job.id)]


async def test_signals_count_and_unknown_ones_are_refused(app: App) -> None:
    track = await rated(app, 3)
    await app.service.tastes.signal("local", track, "replay")
    await app.service.tastes.signal("local", track, "replay")
    assert [signal.kind for signal in (await app.service.tastes.profile("local")).signals] == ["replay"]
    with pytest.raises(UserError, match="skip, replay"):
        await app.service.tastes.signal("local", track, "smile")


async def test_plain_words_change_what_is_said(app: App) -> None:
    edited = await app.service.tastes.edit("local", "more jazz, less rock")
    assert [(one.value, one.liked) for one in edited.said] == [("jazz", True), ("rock", False)]
    await app.service.tastes.edit("local", "forget rock")
    assert [one.value for one in (await app.service.tastes.profile("local")).statements] == ["jazz"]
    with pytest.raises(UserError, match="understood nothing"):
        await app.service.tastes.edit("local", "hm")


async def test_an_export_holds_everything_and_a_reset_leaves_nothing(app: App) -> None:
    track = await rated(app, 5)
    tastes = app.service.tastes
    await tastes.signal("local", track, "download")
    await tastes.edit("local", "more jazz")
    await tastes.exclude("local", "artist", "Nobody")
    await tastes.tell_about("local", "25-34", "de")
    data = json.loads(json.dumps(await tastes.export("local")))
    assert [row["stars"] for row in data["ratings"]] == [5]
    assert [row["kind"] for row in data["signals"]] == ["download"]
    assert [row["value"] for row in data["statements"]] == ["jazz"]
    assert [row["value"] for row in data["exclusions"]] == ["Nobody"]
    assert (data["about"]["age_band"], data["about"]["country"]) == ("25-34", "DE")
    gone = await tastes.reset("local")
    assert {name for name, count in gone.items() if count} == {
        "ratings", "signals", "statements", "exclusions", "abouts",
    }  # fmt: skip
    empty = await tastes.export("local")
    assert not any(empty[name] for name in ("ratings", "signals", "statements", "exclusions", "about"))
    assert await app.service.track(track), "the piece stays"


async def test_what_all_share_is_refitted_and_deletion_reaches_it(app: App) -> None:
    with pytest.raises(UserError, match="too few"):
        await app.service.tastes.refit()
    for listener in range(6):
        for turn in range(10):
            acoustic = turn % 2
            await rated(app, 5 - 3 * acoustic, f"l{listener}", acousticness=0.05 + 0.9 * acoustic)
    found = await app.service.tastes.refit()
    assert (found.listeners, found.ratings, found.serves) == (6, 60, True)
    stranger = await app.service.tastes.profile("stranger")
    assert stranger.prior is not None
    track = await app.store.tracks.get(await rated(app, 3, "x", acousticness=0.95))
    assert track is not None
    from bot.tastes import _measured

    seen = features(*_measured(track))
    assert taste_of(stranger).predict(seen)[0][0] < prior().predict(seen)[0] - 0.2
    for listener in range(6):
        await app.service.tastes.reset(f"l{listener}")
    with pytest.raises(UserError, match="too few"):
        await app.service.tastes.refit()
    assert (await app.service.tastes.profile("stranger")).prior is None


async def test_an_operator_can_switch_age_and_country_off(settings: Settings) -> None:
    async with open_app(settings.model_copy(update={"demographics": False})) as app:
        with pytest.raises(UserError, match="switched them off"):
            await app.service.tastes.tell_about("local", "25-34", None)
        await app.service.tastes.tell_about("local", None, None)


async def test_one_play_in_two_packages_of_a_service_counts_once(app: App) -> None:
    start = datetime(2024, 5, 1, 12, 0, 17, tzinfo=UTC)

    def play(source: str, day: int, **changes: object) -> dict[str, object]:
        base = {"source": source, "played_at": start + timedelta(days=day), "artist": "Bill Evans", "title": f"T{day}"}
        return base | {"album": None, "ms_played": 200_000, "genres": []} | changes

    whole = [play("spotify_export", day) for day in range(10)]
    year = [
        play("spotify_account", day, played_at=(start + timedelta(days=day)).replace(second=0)) for day in range(1, 14)
    ]
    now = datetime.now(UTC)
    await app.store.listens.add("local", [*whole, *whole], now)
    assert sum(count.plays for count in await app.store.listens.by_artist("local")) == 10
    await app.store.listens.add("local", year, now)
    counts = {count.source: count.plays for count in await app.store.listens.by_artist("local")}
    assert counts == {"spotify_export": 10, "spotify_account": 4}, "only what lies after the extended history"
    await app.service.tastes.exclude("local", "source", "spotify_export")
    assert {count.source for count in await app.store.listens.by_artist("local")} == {"spotify_account"}
    await app.service.tastes.exclude("local", "artist", "bill evans")
    assert await app.store.listens.by_artist("local") == []


async def test_nothing_can_be_judged_from_a_short_log(app: App) -> None:
    await rated(app, 4)
    assert await app.service.tastes.judge() is None
