"""What holds on a server: quotas, defaults, channels, who is banned; and on which server a piece was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "servers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("listener_daily", sa.Integer(), nullable=True),
        sa.Column("server_daily", sa.Integer(), nullable=True),
        sa.Column("style", sa.String(length=32), nullable=True),
        sa.Column("length_s", sa.Float(), nullable=True),
        sa.Column("takes", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_servers"),
    )
    for name, key, more in (
        ("channels", sa.Column("channel_id", sa.String(length=32), nullable=False), ()),
        (
            "bans",
            sa.Column("listener_key", sa.String(length=64), nullable=False),
            (
                sa.Column("listener_id", sa.String(length=64), nullable=True),
                sa.Column("banned_at", sa.DateTime(timezone=True), nullable=False),
            ),
        ),
    ):
        op.create_table(
            name,
            sa.Column("server_id", sa.String(length=64), nullable=False),
            key,
            *more,
            sa.ForeignKeyConstraint(
                ["server_id"], ["servers.id"], name=f"fk_{name}_server_id_servers", ondelete="CASCADE"
            ),
            sa.PrimaryKeyConstraint("server_id", key.name, name=f"pk_{name}"),
        )
    op.create_table(
        "uses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=25), nullable=True),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("listener_key", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_uses_job_id_jobs", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_uses"),
    )
    op.create_index("ix_uses_server_id_used_at", "uses", ["server_id", "used_at"])
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("server_id", sa.String(length=64), nullable=True))
        batch.create_index("ix_jobs_server_id_created_at", ["server_id", "created_at"])
