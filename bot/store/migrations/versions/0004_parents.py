"""Which piece a piece was made from."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("tracks") as batch:
        batch.add_column(sa.Column("parent_id", sa.String(length=25), nullable=True))
        batch.create_index("ix_tracks_parent_id", ["parent_id"])
