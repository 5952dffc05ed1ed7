"""Conditions that queries share: which rating is in force, and what listeners do not want to be learned from."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, exists, or_

from bot.store.tables import exclusions, ratings


def in_force() -> Any:
    """A row of `ratings` is the newest that its listener gave to its track."""
    later = ratings.alias("later")
    newer = and_(
        later.c.listener_id == ratings.c.listener_id,
        later.c.track_id == ratings.c.track_id,
        or_(
            later.c.rated_at > ratings.c.rated_at,
            and_(later.c.rated_at == ratings.c.rated_at, later.c.stars > ratings.c.stars),
        ),
    )
    return ~exists().where(newer)


def not_excluded(listener_id: Any, track_id: Any) -> Any:
    """The listener has nothing against this track being learned from."""
    mine = and_(exclusions.c.listener_id == listener_id, exclusions.c.kind == "track", exclusions.c.value == track_id)
    return ~exists().where(mine)
