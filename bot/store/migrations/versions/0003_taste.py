"""What listeners do with pieces, what is not to be learned from, and age band and country of who says them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "signals",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("track_id", sa.String(length=25), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_signals_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["track_id"], ["tracks.id"], name="fk_signals_track_id_tracks", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("listener_id", "track_id", "kind", name="pk_signals"),
    )
    op.create_table(
        "exclusions",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('track', 'artist', 'source')", name="ck_exclusions_kind"),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_exclusions_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listener_id", "kind", "value", name="pk_exclusions"),
    )
    op.create_table(
        "abouts",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("age_band", sa.String(length=16), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_abouts_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listener_id", name="pk_abouts"),
    )
