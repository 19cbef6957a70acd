"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.String(64), nullable=True),
        sa.Column("broken", sa.Text(), nullable=True),
        sa.Column("draw", sa.Float(), nullable=False),
        sa.Column("held_out", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_items"),
        sa.UniqueConstraint("key", name="uq_items_key"),
    )
    op.create_table(
        "actions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=True),
        sa.Column("undoes", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_actions"),
        sa.UniqueConstraint("client_id", name="uq_actions_client_id"),
        sa.UniqueConstraint("undoes", name="uq_actions_undoes"),
        sa.ForeignKeyConstraint(["undoes"], ["actions.id"], name="fk_actions_undoes_actions"),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("action", sa.Integer(), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.ForeignKeyConstraint(["action"], ["actions.id"], name="fk_labels_action_actions"),
        sa.ForeignKeyConstraint(["item"], ["items.id"], name="fk_labels_item_items"),
    )
    op.create_index("ix_labels_item", "labels", ["item"])
    op.create_index("ix_labels_action", "labels", ["action"])
    op.create_table(
        "current_labels",
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("item", name="pk_current_labels"),
        sa.ForeignKeyConstraint(["item"], ["items.id"], name="fk_current_labels_item_items"),
        sa.ForeignKeyConstraint(["label"], ["labels.id"], name="fk_current_labels_label_labels"),
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("action", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
        sa.ForeignKeyConstraint(["action"], ["actions.id"], name="fk_batches_action_actions"),
    )
    op.create_index("ix_batches_action", "batches", ["action"])
    op.create_table(
        "batch_items",
        sa.Column("batch", sa.Integer(), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=True),
        sa.PrimaryKeyConstraint("batch", "item", name="pk_batch_items"),
        sa.ForeignKeyConstraint(["batch"], ["batches.id"], name="fk_batch_items_batch_batches"),
        sa.ForeignKeyConstraint(["item"], ["items.id"], name="fk_batch_items_item_items"),
    )
    op.create_index("ix_batch_items_item", "batch_items", ["item"])
    op.create_table(
        "models",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("trained_on", sa.Integer(), nullable=False),
        sa.Column("accuracy", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=True),
        sa.Column("encoder_fingerprint", sa.String(32), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_models"),
    )


def downgrade() -> None:
    for table in (
        "models",
        "batch_items",
        "batches",
        "current_labels",
        "labels",
        "actions",
        "items",
        "facts",
    ):
        op.drop_table(table)
