"""What a listener can do here: compose, rate, import, look back. Knows no chat, no SQL and no sound.

Nothing here computes on the event loop: proposing and reading files happen in threads.
"""

from __future__ import annotations

import asyncio
import importlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import clock
from bot.changes import Change
from bot.errors import NotFoundError, Refused, UserError
from bot.imports import Imported, import_export
from bot.jobs.job import Job
from bot.jobs.queue import Queue
from bot.jobs.reply import Reply
from bot.linking import Account, Linked, Linking, Services, Shelf, Unlinked
from bot.moods import Moods, SetMood
from bot.pieces import Pieces
from bot.privacy import Privacy
from bot.servers import Servers
from bot.store.servers import Server
from bot.store.store import Store
from bot.tastes import Tastes
from generator.brief import BriefError

if TYPE_CHECKING:  # scikit-learn and SciPy behind these take seconds to import; only the threads below need them
    from personalization.describe import TasteView
    from personalization.likeness import Likeness
    from personalization.profile import Profile
    from personalization.request import Request
    from personalization.statements import Statement

STARS = (1, 2, 3, 4, 5)
_SEEDS = 2**32  # easy to read aloud; any seed up to 2**63 is accepted


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """A finished piece as the store keeps it; `files` are absolute paths by role."""

    id: str
    listener_id: str
    title: str
    brief: dict[str, Any]
    why: tuple[str, ...]
    measured: dict[str, Any]
    timings_s: dict[str, float]
    dir: Path
    files: dict[str, Any]
    created_at: datetime
    stars: int | None = None
    parent_id: str | None = None

    @property
    def verified(self) -> bool:
        return bool(self.measured.get("verified", False))


class Service:
    def __init__(
        self,
        store: Store,
        queue: Queue,
        services: Services,
        *,
        demographics: bool = True,
        takes: int = 2,
        compares: bool = False,
    ) -> None:
        """`takes` are composed for a request that does not say, and `compares` says whether it gets a second piece."""
        self.takes = takes
        self.compares = compares
        self.tastes = Tastes(store, demographics=demographics)
        self._store = store
        self._queue = queue
        self.moods = Moods(store)
        self.pieces = Pieces(store, queue)
        self._linking = Linking(store, services)
        self.privacy = Privacy(store, self._linking)
        self.servers = Servers(store)
        self._closing: str | None = None

    def refuse(self, reason: str) -> None:
        """From now on every new request gets this sentence; used while stopping."""
        self._closing = reason

    async def warm_up(self) -> None:
        """Import what proposing needs before the first request waits for it."""
        await asyncio.to_thread(importlib.import_module, "personalization.propose")

    def request(self, text: str, **wishes: Any) -> Request:
        """A checked request; wishes that are None are left to us.

        Raises UserError with one sentence for an empty text, an unknown style, key "H minor" ….
        """
        from personalization.request import Request, RequestError  # noqa: PLC0415 - see above

        try:
            return Request(text, **{name: wish for name, wish in wishes.items() if wish is not None})
        except (RequestError, BriefError) as error:
            raise UserError(str(error)) from error

    async def liken(self, path: Path) -> Likeness:
        """What a sound file is like, whose `wishes()` ask for something like it. Raises UserError."""
        from personalization.likeness import LikenessError, liken  # noqa: PLC0415 - see above

        try:
            return await liken(path)
        except LikenessError as error:
            raise UserError(str(error)) from error

    async def compose(
        self,
        listener_id: str,
        request: Request,
        *,
        reply: Reply | None = None,
        limited: bool = True,
        twice: bool = False,
    ) -> tuple[Job, bool]:
        """Store the request as a job; False when this very interaction already asked for it.

        `twice` makes a second take to compare with the first, when nobody waits for anything else.

        Raises UserError when too much is waiting (unless not `limited`) or when we are stopping.
        """
        for member in request.blend_with:
            if not await self._store.listeners.exists(member):
                raise UserError("A blend is for people who have used me before; ask them to try /compose once.")
        job, new = await self._enqueue(listener_id, request.to_dict(), reply, limited=limited, twice=twice)
        if request.private and new:
            pair = await self._store.pairs.of_first(job.id)
            for one in (job.id, *(() if pair is None else (pair["second_id"],))):
                await self.tastes.exclude(listener_id, "track", one)
        return job, new

    async def known(self, listener_id: str) -> bool:
        """Whether somebody has used us before, and so has a taste to be heard."""
        return await self._store.listeners.exists(listener_id)

    async def broadcast(self, listener_id: str, request: Request, server_id: str) -> Job:
        """Store a request that nobody waits for, such as a radio's: it comes after all others.

        Raises UserError when nothing new is accepted, or the server's quota is used up.
        """
        job, _ = await self._enqueue(
            listener_id, request.to_dict(), None, server_id=server_id, background=True
        )  # fmt: skip
        return job

    async def change(
        self, listener_id: str, track_id: str, change: Change, *, seed: int | None = None, reply: Reply | None = None
    ) -> tuple[Job, bool]:
        """Store a request for a changed version of a piece as a job; False when this very interaction already did.

        Wanting another version is a weak sign of liking the piece. Raises NotFoundError, and UserError as `compose`.
        """
        parent = await self.track(track_id)
        request = {
            "text": f"{change.says} of “{parent.title}”", "parent": parent.id, "changes": dict(change.asks),
            "seed": seed,
        }  # fmt: skip
        job, new = await self._enqueue(listener_id, request, reply)
        if new:
            await self.tastes.signal(listener_id, parent.id, "variation")
        return job, new

    async def again(self, listener_id: str, track_id: str, *, reply: Reply | None = None) -> tuple[Job, bool]:
        """Store the request of a piece once more, with another seed. Raises NotFoundError, and UserError as `compose`.

        Only the one who asked may repeat it: a request is in their words.
        """
        asked = await self.job(track_id)
        if asked.listener_id != listener_id:
            raise UserError("Only the one who asked for this piece can do that.")
        job, new = await self._enqueue(listener_id, asked.request | {"seed": None}, reply)
        if asked.request.get("private") and new:
            await self.tastes.exclude(listener_id, "track", job.id)
        return job, new

    async def _enqueue(
        self, listener_id: str, request: dict[str, Any], reply: Reply | None, **options: Any
    ) -> tuple[Job, bool]:
        """`options` as `Queue.enqueue` takes them."""
        if self._closing is not None:
            raise UserError(self._closing)
        if reply is not None:
            request = request | {"language": reply.language}
        seed = secrets.randbelow(_SEEDS) if request["seed"] is None else request["seed"]
        return await self._queue.enqueue(listener_id, request, seed, reply=reply, **options)

    async def propose(self, job: Job) -> dict[str, Any]:
        """What to compose for a job, and why: JSON with brief, why, heard, unknown, probability, ranker, choice; and
        parent, the folder of the piece that is to be changed.

        Raises UserError when the wishes contradict each other or that piece is gone.
        """
        if "parent" in job.request:
            return _changed(await self.track(job.request["parent"]), job)
        first_id = await self._store.pairs.first_of(job.id)
        if first_id is not None:
            first = await self.job(first_id)
            proposal = first.proposal or await self.propose(first)
            return {**proposal, "brief": {**proposal["brief"], "seed": job.seed}}
        with_whom = [name for name in job.request.get("blend_with", ()) if name != job.listener_id]
        profiles = [await self.profile(name) for name in (job.listener_id, *dict.fromkeys(with_whom))]
        mood = await self.moods.get(job.listener_id)
        usual = None if job.server_id is None else await self.servers.of(job.server_id)
        if usual is not None and job.background:
            usual = replace(usual, style=None)  # a radio of one style only would have been asked for so
        return await asyncio.to_thread(_propose, job.request, profiles, job.seed, mood, usual)

    async def job(self, job_id: str) -> Job:
        job = await self._queue.get(job_id)
        if job is None:
            raise NotFoundError(f"There is no request {job_id}.")
        return job

    async def track(self, track_id: str) -> TrackRecord:
        """Raises NotFoundError."""
        row = await self._store.tracks.get(track_id)
        if row is None:
            raise NotFoundError(f"There is no track {track_id}; “history” lists yours.")
        return _record(row)

    async def rate(self, listener_id: str, track_id: str, stars: int, *, source: str = "typed") -> TrackRecord:
        """Store a rating, "typed" or a "reaction"; the listener's newest one for the track counts."""
        if stars not in STARS:
            raise UserError(f"A rating is a whole number from 1 to 5, not {stars}.")
        track = await self.track(track_id)
        await self._store.ratings.give(listener_id, track_id, stars, source=source, now=clock.now())
        return track

    async def compare(self, listener_id: str, first_id: str, verdict: str) -> str:
        """Store which of two takes a listener likes better, one of `bot.store.pairs.VERDICTS`; the second take's id.

        Raises Refused when one of them is gone.
        """
        pair = await self._store.pairs.of_first(first_id)
        if pair is None:
            raise Refused("pair.gone")
        second = await self.track(pair["second_id"])
        await self._store.pairs.judge(listener_id, first_id, second.id, verdict, clock.now())
        return second.id

    async def withdraw_rating(self, listener_id: str, track_id: str, stars: int) -> bool:
        """Whether there was such a rating to withdraw."""
        return await self._store.ratings.withdraw(listener_id, track_id, stars)

    async def reactions(self, track_id: str) -> set[tuple[str, int]]:
        """All (listener_id, stars) that reactions gave to a track."""
        return await self._store.ratings.of_track(track_id, "reaction")

    async def import_history(
        self, listener_id: str, path: Path, progress: Callable[[float, int], None] | None = None
    ) -> Imported:
        """Add an export of a streaming service, piece by piece; plays that are known already are not doubled.

        `progress` is told the share read, 0 … 1, and how many plays that is. Raises UserError for a file that gives
        nothing; what lies before a break is kept, and a note says so.
        """
        return await import_export(self._store.listens, listener_id, path, progress)

    async def link(self, listener_id: str, source: str, account: str, token: str | None = None) -> Linked:
        """Link "listenbrainz" or "lastfm" by name and read what is new. Raises UserError with the refusal."""
        return await self._linking.link(listener_id, source, account, token)

    def ask_spotify(self, listener_id: str) -> str:
        """The address where a listener agrees; good for ten minutes and once. Raises UserError."""
        return self._linking.ask_spotify(listener_id)

    async def finish_spotify(self, address: str, listener_id: str | None = None) -> Linked:
        """Link Spotify with the address it led to, pasted by a listener or received as the HTTPS callback.

        Raises UserError.
        """
        return await self._linking.finish_spotify(address, listener_id)

    async def shelf(self, listener_id: str) -> Shelf:
        """What Spotify says right now; to be shown with its links, never to be stored. Raises UserError."""
        return await self._linking.shelf(listener_id)

    async def accounts(self, listener_id: str) -> list[Account]:
        """What a listener has linked, by service."""
        return await self._linking.accounts(listener_id)

    async def unlink(self, listener_id: str, source: str) -> Unlinked:
        """Delete a link, its token and all plays of that service, at once. Raises UserError for an unknown source."""
        return await self._linking.unlink(listener_id, source)

    async def say(self, listener_id: str, text: str, *, liked: bool) -> Statement:
        """Store that a listener likes or dislikes a style, an artist or an attribute. Raises UserError."""
        statement = await asyncio.to_thread(_recognise, text, liked)
        now = clock.now()
        await self._store.statements.say(listener_id, statement.kind, statement.value, liked=liked, now=now)
        return statement

    async def unsay(self, listener_id: str, text: str) -> bool:
        """Withdraw a statement; whether there was one. Raises UserError."""
        statement = await asyncio.to_thread(_recognise, text, liked=True)
        return await self._store.statements.withdraw(listener_id, statement.kind, statement.value)

    async def profile(self, listener_id: str) -> Profile:
        """Everything known of a listener's taste; empty for somebody new."""
        return await self.tastes.profile(listener_id)

    async def taste(self, listener_id: str) -> TasteView:
        profile = await self.profile(listener_id)
        return await asyncio.to_thread(_describe, profile)

    async def history(self, listener_id: str, limit: int = 10) -> list[TrackRecord]:
        """The listener's newest pieces first, with the ratings they gave."""
        return [_record(row) for row in await self._store.tracks.of_listener(listener_id, limit)]

    async def favourites(self, listener_id: str, limit: int = 10) -> list[TrackRecord]:
        """The pieces the listener rated 4 or 5, the newest rating first."""
        return [_record({**row, "stars": n}) for row, n in await self.pieces.favourites(listener_id, limit)]


def _record(row: Mapping[str, Any] | Any) -> TrackRecord:
    home = Path(row["dir"])
    return TrackRecord(
        id=row["id"],
        listener_id=row["listener_id"],
        title=row["title"],
        brief=row["brief"],
        why=tuple(row["why"]),
        measured=row["measured"],
        timings_s=row["timings_s"],
        dir=home,
        files={role: absolute(home, names) for role, names in row["files"].items()},
        created_at=row["created_at"],
        stars=row.get("stars"),
        parent_id=row["parent_id"],
    )


def absolute(home: Path, names: Any) -> Any:
    """File names, one or a list of them, as absolute paths in `home`."""
    return [str(home / name) for name in names] if isinstance(names, list) else str(home / names)


def _changed(parent: TrackRecord, job: Job) -> dict[str, Any]:
    why = [f"because you asked for {job.request['text']}"]
    brief = parent.brief | {"seed": job.seed}
    return {
        "brief": brief, "why": why, "heard": [], "unknown": [], "probability": 1.0, "ranker": None, "choice": None,
        "parent": str(parent.dir),
    }  # fmt: skip


def _propose(
    request: dict[str, Any], profiles: list[Profile], seed: int, set_mood: SetMood | None, usual: Server | None
) -> dict[str, Any]:
    from personalization.propose import propose  # noqa: PLC0415 - see above
    from personalization.request import Request, RequestError  # noqa: PLC0415
    from personalization.understand import understand  # noqa: PLC0415

    wishes = {name: wish for name, wish in request.items() if name != "language"}
    try:
        said = understand(request["text"])
        if set_mood is not None and wishes.get("mood") is None and said.mood is None:
            wishes["mood"] = (set_mood.valence, set_mood.arousal)
        else:
            set_mood = None
        if usual is not None and usual.length_s is not None and not wishes.get("length_s") and not said.length_s:
            wishes["length_s"] = usual.length_s
        style = None
        if usual is not None and not wishes.get("styles") and not said.styles:
            style = usual.style
            wishes["styles"] = (style,) if style is not None else ()
        proposal = propose(Request.from_dict(wishes), profiles[0], seed=seed, others=profiles[1:])
    except (RequestError, BriefError) as error:
        raise UserError(str(error)) from error
    return {
        "brief": proposal.brief.to_dict(),
        "why": [
            *proposal.why,
            *([f"your mood is set to “{set_mood.words}”"] if set_mood else []),
            *([f"{style} is the usual style of this server"] if style else []),
        ],
        "heard": list(proposal.heard),
        "unknown": list(proposal.unknown),
        "probability": proposal.probability,
        "ranker": proposal.ranker,
        "choice": proposal.choice,
    }


def _recognise(text: str, liked: bool) -> Statement:
    from personalization.statements import recognise  # noqa: PLC0415 - see above

    try:
        return recognise(text, liked=liked)
    except ValueError as error:
        raise UserError(str(error)) from error


def _describe(profile: Profile) -> TasteView:
    from personalization.describe import describe  # noqa: PLC0415 - see above

    return describe(profile)
