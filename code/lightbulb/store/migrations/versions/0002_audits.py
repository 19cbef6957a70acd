"""Audits of proposals, and what failed ones recall."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("items", sa.LargeBinary(), nullable=False),
        sa.Column("spent", sa.Integer(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("accepted_by", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audits"),
        sa.ForeignKeyConstraint(["accepted_by"], ["actions.id"], name="fk_audits_accepted_by_actions"),
    )
    op.create_index("ix_audits_label", "audits", ["label"])
    # Without a foreign key: SQLite adds one only by making the table anew, which others refer to.
    op.add_column("batches", sa.Column("audit", sa.Integer(), nullable=True))
    op.add_column("batches", sa.Column("recalled", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("batches", "recalled")
    op.drop_column("batches", "audit")
    op.drop_index("ix_audits_label", "audits")
    op.drop_table("audits")
