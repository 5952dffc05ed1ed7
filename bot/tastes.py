"""A listener's taste as they may see and change it: signals, plain words, exclusions, reset, export; and the refit of
what all listeners of this server share.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bot import clock
from bot.errors import UserError
from bot.store.store import Store
from generator.brief import Attributes, Brief

if TYPE_CHECKING:  # scikit-learn and SciPy behind these take seconds to import; only the threads below need them
    from personalization.about import About
    from personalization.evaluate.policy import Estimate
    from personalization.profile import Profile
    from personalization.refit import SharedTaste
    from personalization.statements import Statement

RECENT = 20  # pieces that the floor of styles looks back at
_SHARED = "taste.shared"
KINDS = ("track", "artist", "source")


@dataclass(frozen=True, slots=True)
class Refitted:
    """What came of a refit. `gain` is in nats a rating; `serves` says whether it is used from now on."""

    listeners: int
    ratings: int
    excluded: int
    gain: float
    serves: bool


@dataclass(frozen=True, slots=True)
class Edited:
    """What was understood of a sentence about one's taste, and the words that were not."""

    said: tuple[Statement, ...]
    withdrawn: tuple[str, ...]
    unknown: tuple[str, ...]


class Tastes:
    def __init__(self, store: Store, *, demographics: bool) -> None:
        self._store = store
        self._demographics = demographics

    async def profile(self, listener_id: str) -> Profile:
        """Everything known of a listener's taste; empty for somebody new."""
        store = self._store
        rows = {
            "counts": await store.listens.by_artist(listener_id),
            "ratings": await store.ratings.of_listener(listener_id),
            "statements": await store.statements.of_listener(listener_id),
            "signals": await store.tastes.signals(listener_id),
            "comparisons": await store.pairs.of_listener(listener_id),
            "recent": await store.tastes.recent_styles(listener_id, RECENT),
            "shared": await store.facts.get(_SHARED),
            "about": await store.tastes.about(listener_id) if self._demographics else None,
        }
        return await asyncio.to_thread(_profile, listener_id, rows)

    async def signal(self, listener_id: str, track_id: str, kind: str) -> None:
        """Store that a listener skipped, replayed, downloaded or varied a track. Raises UserError for another kind."""
        from personalization.signals import WORTH  # noqa: PLC0415 - see above

        if kind not in WORTH:
            raise UserError(f"A signal is one of {', '.join(WORTH)}, not {kind}.")
        await self._store.tastes.signal(listener_id, track_id, kind, clock.now())

    async def edit(self, listener_id: str, text: str) -> Edited:
        """Change a taste in plain words: “more jazz, less drums, I hate fast music; forget rock”. Raises UserError."""
        from personalization.edits import read_edits  # noqa: PLC0415 - see above

        wishes = await asyncio.to_thread(read_edits, text)
        if not wishes.said and not wishes.withdrawn:
            raise UserError(
                "I understood nothing of that; say for example “more jazz, less fast, forget rock”."
            )  # fmt: skip
        now = clock.now()
        for statement in wishes.said:
            await self._store.statements.say(
                listener_id, statement.kind, statement.value, liked=statement.liked, now=now
            )  # fmt: skip
        for statement in wishes.withdrawn:
            await self._store.statements.withdraw(listener_id, statement.kind, statement.value)
        return Edited(wishes.said, tuple(statement.value for statement in wishes.withdrawn), wishes.unknown)

    async def exclude(self, listener_id: str, kind: str, value: str) -> None:
        """“Don't learn from this”: a track (or its job, before it is there), an artist, a source. Raises UserError."""
        if kind not in KINDS:
            raise UserError(f"What can be excluded is one of {', '.join(KINDS)}, not {kind}.")
        if not value.strip() or len(value) > 200:
            raise UserError("Name what is to be excluded, in at most 200 letters.")
        await self._store.tastes.exclude(listener_id, kind, value.strip(), clock.now())

    async def include(self, listener_id: str, value: str) -> bool:
        """Take an exclusion back; whether there was one."""
        return await self._store.tastes.include(listener_id, value.strip())

    async def tell_about(self, listener_id: str, age_band: str | None, country: str | None) -> About:
        """Store age band and country; None deletes. Raises UserError, also where the operator has switched it off."""
        from personalization.about import About  # noqa: PLC0415 - see above

        if not self._demographics and (age_band or country):
            raise UserError("This server keeps no age bands and countries; its operator has switched them off.")
        try:
            about = About(age_band or None, country.upper() if country else None)
        except ValueError as error:
            raise UserError(str(error)) from error
        await self._store.tastes.tell_about(listener_id, about.age_band, about.country, clock.now())
        return about

    async def reset(self, listener_id: str) -> dict[str, int]:
        """Forget a listener's taste: ratings, comparisons, signals, statements, exclusions, plays; how many of each.

        Pieces stay.
        """
        return await self._store.tastes.reset(listener_id)

    async def export(self, listener_id: str) -> dict[str, Any]:
        """All that a listener's taste is made of, as JSON values."""
        store = self._store
        rows: dict[str, Sequence[Any]] = {
            "ratings": await store.ratings.of_listener(listener_id),
            "signals": await store.tastes.signals(listener_id),
            "comparisons": await store.pairs.of_listener(listener_id),
            "statements": await store.statements.of_listener(listener_id),
            "exclusions": await store.tastes.exclusions(listener_id),
            "plays_by_artist": [count._asdict() for count in await store.listens.by_artist(listener_id)],
        }
        about = await store.tastes.about(listener_id)
        data = {name: [_plain(dict(row)) for row in found] for name, found in rows.items()}
        return {"listener": listener_id, **data, "about": None if about is None else _plain(dict(about))}

    async def refit(self) -> Refitted:
        """Learn anew what the listeners of this server share, from the ratings there are now; what was learned before
        is replaced, so that deleted ratings are gone from it. Raises UserError while they are too few."""
        rows = await self._store.tastes.everybodys_ratings()
        shared = await asyncio.to_thread(_refit, rows, self._demographics)
        if shared is None:
            await self._store.facts.put(_SHARED, "")
            raise UserError(
                f"There are {len(rows)} ratings here, too few to learn from; everybody starts from the built-in taste."
            )
        await self._store.facts.put(_SHARED, json.dumps(shared.to_dict()) if shared.serves else "")
        return Refitted(shared.listeners, shared.ratings, shared.excluded, shared.gain, shared.serves)

    async def judge(self) -> Estimate | None:
        """What listeners would have given without personal taste, from the log of choices; None while it is silent."""
        rows = await self._store.tastes.choices()
        return await asyncio.to_thread(_judge, rows)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    row.pop("listener_id", None)
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


def _profile(listener_id: str, rows: dict[str, Any]) -> Profile:
    from personalization.about import About  # noqa: PLC0415 - see above
    from personalization.profile import ArtistPlays, ComparedTracks, Profile, RatedTrack  # noqa: PLC0415
    from personalization.refit import SharedTaste  # noqa: PLC0415
    from personalization.signals import SignalledTrack  # noqa: PLC0415
    from personalization.statements import Statement  # noqa: PLC0415

    about = rows["about"]
    groups = About(about["age_band"], about["country"]).groups if about is not None else ()
    prior = SharedTaste.from_dict(json.loads(rows["shared"])).prior_for(groups) if rows["shared"] else None
    return Profile(
        listener_id,
        plays=tuple(ArtistPlays(c.artist, c.genres, c.plays, c.source) for c in rows["counts"]),
        ratings=tuple(
            RatedTrack(row["track_id"], row["title"], *_measured(row), row["stars"]) for row in rows["ratings"]
        ),
        statements=tuple(Statement(row["kind"], row["value"], row["liked"]) for row in rows["statements"]),
        signals=tuple(SignalledTrack(row["track_id"], *_measured(row), row["kind"]) for row in rows["signals"]),
        comparisons=tuple(
            ComparedTracks(_measured(row, "first_"), _measured(row, "second_"), row["verdict"])
            for row in rows["comparisons"]
        ),
        recent_styles=tuple(rows["recent"]),
        prior=prior,
    )


def _measured(row: Any, which: str = "") -> tuple[Attributes, Any]:
    """What was measured on a track, and the mood it was asked for."""
    return Attributes.from_dict(row[f"{which}attributes"]), Brief.from_dict(row[f"{which}brief"]).mood


def _refit(rows: Sequence[Any], demographics: bool) -> SharedTaste | None:
    from personalization.about import About  # noqa: PLC0415 - see above
    from personalization.propose import prior  # noqa: PLC0415
    from personalization.refit import GivenRating, refit  # noqa: PLC0415

    given = [
        GivenRating(
            row["listener_id"], *_measured(row), row["stars"],
            About(row["age_band"], row["country"]).groups if demographics else (),
        )
        for row in rows
    ]  # fmt: skip
    return refit(given, prior())


def _judge(rows: Sequence[Any]) -> Estimate | None:
    from personalization.evaluate.policy import logged_choices, without_taste  # noqa: PLC0415 - see above

    return without_taste(logged_choices([(row["proposal"], row["stars"]) for row in rows]))
