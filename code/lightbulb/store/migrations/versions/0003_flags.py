"""Flags: a person's marks on items, with a note."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flags"),
        sa.ForeignKeyConstraint(["item"], ["items.id"], name="fk_flags_item_items"),
    )
    op.create_index("ix_flags_item", "flags", ["item"])


def downgrade() -> None:
    op.drop_index("ix_flags_item", "flags")
    op.drop_table("flags")
