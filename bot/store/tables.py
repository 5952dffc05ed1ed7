"""The tables, and nothing but the tables.

Every listener id is text ("local", "discord:123"); every moment is an aware UTC datetime; what belongs to
other packages (requests, briefs, attributes) is kept as the JSON those packages write and read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)

SCHEMA = "0007"  # the newest revision in migrations/versions

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Utc(TypeDecorator[datetime]):
    """Aware datetimes in UTC on every database; a naive one is a mistake and is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _listener(**options: Any) -> Column[str]:
    return Column("listener_id", ForeignKey("listeners.id", ondelete="CASCADE"), nullable=False, **options)


listeners = Table(
    "listeners",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", Utc, nullable=False),
)

listens = Table(
    "listens",
    metadata,
    Column("id", Integer, primary_key=True),
    _listener(),
    Column("source", String(32), nullable=False),
    Column("played_at", Utc, nullable=False),
    Column("artist", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("album", Text),
    Column("ms_played", Integer),
    Column("genres", JSON, nullable=False),
    UniqueConstraint("listener_id", "source", "played_at", "title"),
    CheckConstraint("source <> 'spotify'", name="storable"),
)

# What listeners say of their own taste: the only history-like evidence that may reach a taste model.
statements = Table(
    "statements",
    metadata,
    _listener(primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("liked", Boolean, nullable=False),
    Column("source", String(32), nullable=False),
    Column("said_at", Utc, nullable=False),
    CheckConstraint("source = 'self'", name="own_words"),
)

links = Table(
    "links",
    metadata,
    _listener(primary_key=True),
    Column("source", String(32), primary_key=True),
    Column("account", Text, nullable=False),
    Column("sealed_token", Text),
    Column("linked_at", Utc, nullable=False),
)

# Requests made to a service, by the hour they were made in, for budgets over a day.
requests = Table(
    "requests",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("hour", Utc, primary_key=True),
    Column("count", Integer, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(25), primary_key=True),
    _listener(),
    Column("request", JSON, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("proposal", JSON(none_as_null=True)),
    Column("wants_post", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("posts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("worker", String(80)),
    Column("lease_until", Utc),
    Column("not_before", Utc),
    Column("stage", String(32), nullable=False),
    Column("fraction", Float, nullable=False),
    Column("error", Text),
    Column("created_at", Utc, nullable=False),
    Column("claimed_at", Utc),
    Column("updated_at", Utc, nullable=False),
    # The server it was asked for on, where the bot is a member of it.
    Column("server_id", String(64)),
    # Nobody waits for it: it comes after all others.
    Column("background", Boolean, nullable=False, server_default=false()),
    Index(None, "state", "created_at"),
    Index(None, "listener_id", "claimed_at"),
    Index(None, "server_id", "created_at"),
)

tracks = Table(
    "tracks",
    metadata,
    # A job makes at most one track and lends it its id.
    Column("id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    _listener(),
    Column("title", Text, nullable=False),
    Column("brief", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("measured", JSON, nullable=False),
    Column("timings_s", JSON, nullable=False),
    Column("why", JSON, nullable=False),
    Column("probability", Float, nullable=False),
    Column("files", JSON, nullable=False),
    Column("dir", Text, nullable=False),
    # The piece that this one was made from, by its id; that may be gone.
    Column("parent_id", String(25), index=True),
    Column("created_at", Utc, nullable=False),
    Index(None, "listener_id", "created_at"),
)

ratings = Table(
    "ratings",
    metadata,
    _listener(primary_key=True),
    Column("track_id", ForeignKey("tracks.id", ondelete="CASCADE"), primary_key=True),
    # Several number reactions may stand at once; the newest counts, withdrawing it revives the one before.
    Column("stars", Integer, primary_key=True),
    Column("source", String(16), nullable=False),
    Column("rated_at", Utc, nullable=False),
)

# Two takes of one request; the second is made when nobody waits, and shown beside the first.
pairs = Table(
    "pairs",
    metadata,
    Column("first_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("second_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("shown_at", Utc, index=True),
)

# Which of two takes a listener likes better.
comparisons = Table(
    "comparisons",
    metadata,
    _listener(primary_key=True),
    Column("first_id", ForeignKey("tracks.id", ondelete="CASCADE"), primary_key=True),
    Column("second_id", ForeignKey("tracks.id", ondelete="CASCADE"), primary_key=True),
    Column("verdict", String(8), nullable=False),
    Column("compared_at", Utc, nullable=False),
    CheckConstraint("verdict IN ('first', 'second', 'both', 'neither')", name="verdict"),
)

# What listeners did with a piece beside rating it; weak evidence, of their own doing.
signals = Table(
    "signals",
    metadata,
    _listener(primary_key=True),
    Column("track_id", ForeignKey("tracks.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("given_at", Utc, nullable=False),
)

# What a listener does not want to be learned from: a piece (a job's id, so that it can be said before the piece is
# there), an artist, or all plays of a source.
exclusions = Table(
    "exclusions",
    metadata,
    _listener(primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("value", String(200), primary_key=True),
    Column("said_at", Utc, nullable=False),
    CheckConstraint("kind IN ('track', 'artist', 'source')", name="kind"),
)

# Age band and country of those who chose to say them.
abouts = Table(
    "abouts",
    metadata,
    _listener(primary_key=True),
    Column("age_band", String(16)),
    Column("country", String(2)),
    Column("said_at", Utc, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("interaction_id", String(32), nullable=False, unique=True),
    Column("application_id", String(32), nullable=False),
    Column("sealed_token", Text, nullable=False),
    Column("token_until", Utc, nullable=False),
    Column("user_id", String(32), nullable=False),
    Column("channel_id", String(32)),
    Column("channel_open", Boolean, nullable=False),
    Column("upload_limit", Integer, nullable=False),
    Column("message_id", String(32), unique=True),
    Column("answered_at", Utc),
    Column("seeded_at", Utc),
    Index(None, "answered_at"),
)

# What holds on one server ("discord:123"); NULL is no limit, and nothing set.
servers = Table(
    "servers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("listener_daily", Integer),
    Column("server_daily", Integer),
    Column("style", String(32)),
    Column("length_s", Float),
    Column("takes", Integer),
)


def _server() -> Column[str]:
    return Column("server_id", ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True)


# Where pieces may be asked for; none means everywhere.
channels = Table("channels", metadata, _server(), Column("channel_id", String(32), primary_key=True))

# Who may not use the bot on a server. The keyed hash is what counts; the id, to list them by, goes when they are
# forgotten.
bans = Table(
    "bans",
    metadata,
    _server(),
    Column("listener_key", String(64), primary_key=True),
    Column("listener_id", String(64)),
    Column("banned_at", Utc, nullable=False),
)

# What counts against a daily quota, kept for that day also when its job is deleted: that gives nothing back.
uses = Table(
    "uses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="SET NULL")),
    Column("server_id", String(64), nullable=False),
    Column("listener_key", String(64), nullable=False),
    Column("used_at", Utc, nullable=False),
    Index(None, "server_id", "used_at"),
)

facts = Table(
    "facts",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("value", Text, nullable=False),
)
