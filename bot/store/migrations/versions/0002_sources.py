"""Links to services, what listeners say of themselves, request budgets; a play is known by source, time and title."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Rows that only the old key told apart would be in the way of the new one.
    op.execute(
        "DELETE FROM listens WHERE id NOT IN "
        "(SELECT min(id) FROM listens GROUP BY listener_id, source, played_at, title) OR source = 'spotify'"
    )
    with op.batch_alter_table("listens") as table:
        table.drop_constraint("uq_listens_listener_id_played_at_artist_title", type_="unique")
        table.create_unique_constraint(
            "uq_listens_listener_id_source_played_at_title", ["listener_id", "source", "played_at", "title"]
        )
        table.create_check_constraint("ck_listens_storable", "source <> 'spotify'")
    op.create_table(
        "statements",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("liked", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("source = 'self'", name="ck_statements_own_words"),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_statements_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listener_id", "kind", "value", name="pk_statements"),
    )
    op.create_table(
        "links",
        sa.Column("listener_id", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sealed_token", sa.Text(), nullable=True),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"], ["listeners.id"], name="fk_links_listener_id_listeners", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("listener_id", "source", name="pk_links"),
    )
    op.create_table(
        "requests",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "hour", name="pk_requests"),
    )
