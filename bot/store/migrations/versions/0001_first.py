"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.create_table(
        "listeners",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_listeners"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=25), nullable=False),
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("proposal", sa.JSON(), nullable=True),
        sa.Column("wants_post", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=80), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("fraction", sa.Float(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_jobs_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_listener_id_claimed_at", "jobs", ["listener_id", "claimed_at"], unique=False)
    op.create_index("ix_jobs_state_created_at", "jobs", ["state", "created_at"], unique=False)
    op.create_table(
        "listens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("played_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("album", sa.Text(), nullable=True),
        sa.Column("ms_played", sa.Integer(), nullable=True),
        sa.Column("genres", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_listens_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_listens"),
        sa.UniqueConstraint(
            "listener_id",
            "played_at",
            "artist",
            "title",
            name="uq_listens_listener_id_played_at_artist_title",
        ),
    )
    op.create_table(
        "messages",
        sa.Column("job_id", sa.String(length=25), nullable=False),
        sa.Column("interaction_id", sa.String(length=32), nullable=False),
        sa.Column("application_id", sa.String(length=32), nullable=False),
        sa.Column("sealed_token", sa.Text(), nullable=False),
        sa.Column("token_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("channel_id", sa.String(length=32), nullable=True),
        sa.Column("channel_open", sa.Boolean(), nullable=False),
        sa.Column("upload_limit", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_messages_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", name="pk_messages"),
        sa.UniqueConstraint("interaction_id", name="uq_messages_interaction_id"),
        sa.UniqueConstraint("message_id", name="uq_messages_message_id"),
    )
    op.create_index("ix_messages_answered_at", "messages", ["answered_at"], unique=False)
    op.create_table(
        "tracks",
        sa.Column("id", sa.String(length=25), nullable=False),
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("brief", sa.JSON(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("measured", sa.JSON(), nullable=False),
        sa.Column("timings_s", sa.JSON(), nullable=False),
        sa.Column("why", sa.JSON(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("dir", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["jobs.id"], name="fk_tracks_id_jobs", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_tracks_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tracks"),
    )
    op.create_index("ix_tracks_listener_id_created_at", "tracks", ["listener_id", "created_at"], unique=False)
    op.create_table(
        "ratings",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("track_id", sa.String(length=25), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_ratings_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name="fk_ratings_track_id_tracks", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("listener_id", "track_id", "stars", name="pk_ratings"),
    )
