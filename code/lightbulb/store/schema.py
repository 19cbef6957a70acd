"""The tables. Labels and actions are append-only: an undo is one more action, never a deleted row.

A change here needs a migration in `migrations/versions/`; a test compares the two.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Facts about the whole pool, such as where its held-out items end.
facts = Table(
    "facts", metadata, Column("name", String(64), primary_key=True), Column("value", Text, nullable=False)
)

items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("content", String(64)),
    Column("broken", Text),
    Column("draw", Float, nullable=False),
    Column("held_out", Boolean(create_constraint=False), nullable=False),
    Column("added_at", DateTime, nullable=False),
)

# One step a person can undo. `undoes` is set on actions of kind "undo" only.
actions = Table(
    "actions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("annotator", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("client_id", String(64), unique=True),
    Column("undoes", Integer, ForeignKey("actions.id"), unique=True),
)

# value NULL: the item was skipped.
labels = Table(
    "labels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("action", Integer, ForeignKey("actions.id"), nullable=False),
    Column("item", Integer, ForeignKey("items.id"), nullable=False),
    Column("value", Text),
    Column("source", String(16), nullable=False),
    Column("seconds", Float),
    Index(None, "item"),
    Index(None, "action"),
)

# Which row of `labels` is in force for an item; derived from the two tables above, in the same transaction.
current_labels = Table(
    "current_labels",
    metadata,
    Column("item", Integer, ForeignKey("items.id"), primary_key=True),
    Column("label", Integer, ForeignKey("labels.id"), nullable=False),
)

# The proposals of one class, frozen: `items` are their ids as little-endian int64, in the random order they
# are looked at. spent: looks of the class before it; looks: those it came to, whatever was undone since.
audits = Table(
    "audits",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("items", LargeBinary, nullable=False),
    Column("spent", Integer, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("ended_at", DateTime),
    Column("accepted_by", Integer, ForeignKey("actions.id")),
    Index(None, "label"),
)

# A person's mark on an item; the last row of an item counts. note NULL: the flag was taken off.
flags = Table(
    "flags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item", Integer, ForeignKey("items.id"), nullable=False),
    Column("note", Text),
    Column("annotator", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Index(None, "item"),
)

# A batch shown for confirmation, whether or not it was answered, and what became of each item in it.
# audit: the one it is part of. recalled: the last model whose proposals it called back by what it showed.
batches = Table(
    "batches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("model_version", Integer, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("candidates", Integer, nullable=False),
    Column("client", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("action", Integer, ForeignKey("actions.id")),
    Column("audit", Integer),
    Column("recalled", Integer),
    Index(None, "action"),
)


class Verdict(StrEnum):
    """What a person said of an item of a batch."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"  # "not this class", with or without another class given


batch_items = Table(
    "batch_items",
    metadata,
    Column("batch", Integer, ForeignKey("batches.id"), primary_key=True),
    Column("item", Integer, ForeignKey("items.id"), primary_key=True),
    Column("score", Float, nullable=False),
    Column("verdict", String(16)),
    Index(None, "item"),
)

# One row per published model, kept when the model's folder is pruned: the learning curve.
models = Table(
    "models",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("created_at", DateTime, nullable=False),
    Column("labels", Integer, nullable=False),
    Column("trained_on", Integer, nullable=False),
    Column("accuracy", Float),
    Column("low", Float),
    Column("high", Float),
    Column("n", Integer),
    Column("encoder_fingerprint", String(32), nullable=False),
    Column("metrics", JSON, nullable=False),
)
