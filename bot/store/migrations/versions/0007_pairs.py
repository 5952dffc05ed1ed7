"""Two takes of one request, and which of them who likes better."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "pairs",
        sa.Column("first_id", sa.String(length=25), nullable=False),
        sa.Column("second_id", sa.String(length=25), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["first_id"], ["jobs.id"], name="fk_pairs_first_id_jobs", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["second_id"], ["jobs.id"], name="fk_pairs_second_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("first_id", name="pk_pairs"),
        sa.UniqueConstraint("second_id", name="uq_pairs_second_id"),
    )
    op.create_index("ix_pairs_shown_at", "pairs", ["shown_at"])
    op.create_table(
        "comparisons",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("first_id", sa.String(length=25), nullable=False),
        sa.Column("second_id", sa.String(length=25), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("verdict IN ('first', 'second', 'both', 'neither')", name="ck_comparisons_verdict"),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_comparisons_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["first_id"], ["tracks.id"], name="fk_comparisons_first_id_tracks", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["second_id"], ["tracks.id"], name="fk_comparisons_second_id_tracks", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listener_id", "first_id", "second_id", name="pk_comparisons"),
    )
