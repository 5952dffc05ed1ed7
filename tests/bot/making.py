"""Values that many tests need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.jobs.job import Job
from bot.jobs.queue import Queue
from bot.jobs.reply import Reply
from generator.brief import Brief, Mood

START = datetime(2026, 1, 1, tzinfo=UTC)


def brief(text: str = "chill", **changes: Any) -> Brief:
    values: dict[str, Any] = {
        "styles": (("lofi", 1.0),),
        "mood": Mood(0.3, -0.5, ("chill",)),
        "tempo_bpm": 80.0,
        "key": "A minor",
        "meter": "4/4",
        "length_s": 30.0,
        "seed": 7,
        "text": text,
    }
    return Brief(**{**values, **changes})


def proposal(text: str = "chill", **changes: Any) -> dict[str, Any]:
    return {
        "brief": brief(text, **changes).to_dict(),
        "why": ["because you asked for chill"],
        "heard": ["chill"],
        "unknown": [],
        "probability": 1.0,
        "ranker": None,
    }


def request(text: str = "chill") -> dict[str, Any]:
    return {"text": text, "takes": 2}


def reply(number: int = 1, **changes: Any) -> Reply:
    values: dict[str, Any] = {
        "interaction_id": str(number),
        "application_id": "9",
        "token": f"interaction-token-{number}",
        "token_until": datetime(2100, 1, 1, tzinfo=UTC),
        "user_id": "6",
        "channel_id": "7",
        "channel_open": True,
        "upload_limit": 10_000_000,
    }
    return Reply(**{**values, **changes})


def track_row(job: Job) -> dict[str, Any]:
    """As the runner records a finished piece."""
    given = brief()
    attributes = {
        "styles": given.styles,
        "valence": 0.3,
        "arousal": -0.5,
        "tempo_bpm": 80.0,
        "density": 0.5,
        "minor": 1.0,
        "acousticness": 0.5,
        "complexity": 0.5,
        "brightness": 0.5,
        "novelty": 0.1,
        "instruments": ["grand_piano"],
    }
    return {
        "id": job.id,
        "listener_id": job.listener_id,
        "title": "Tone",
        "brief": given.to_dict(),
        "attributes": attributes,
        "measured": {"key": "A minor", "tempo_bpm": 80.0, "length_s": 30.0, "verified": True},
        "timings_s": {"compose": 0.1},
        "why": ["because you asked for chill"],
        "probability": 1.0,
        "files": {"mp3": "track.mp3"},
        "dir": "/nowhere",
    }


async def finished(queue: Queue, listener: str = "local") -> Job:
    """A job carried to its end without an engine; its id is its track's."""
    job, _ = await queue.enqueue(listener, request(), 7)
    claimed = await queue.claim("tester", only=job.id)
    assert claimed is not None
    return await queue.finish(claimed, track_row(claimed), lambda: None)
