"""One engine, one write path: every write is a short transaction behind one lock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy import Connection, Table, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from lightbulb.errors import StoreError

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 10.0
IDS_PER_QUERY = 500  # SQLite allows a limited number of variables in a statement


class Database:
    """Opens the database, creating or migrating it.

    Raises: StoreError if another process writes to it, or it cannot be opened or migrated.
    """

    def __init__(self, url: str, *, exclusive: bool = True) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise StoreError(f"storage.database: {url!r} is not a database URL: {error}") from error
        self._file_lock: FileLock | None = None
        self._write_lock = threading.RLock()
        try:
            if _is_file(parsed):
                Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
                self._file_lock = _locked(str(parsed.database)) if exclusive else None
            self._engine = create_engine(parsed)
            if parsed.get_backend_name() == "sqlite":
                event.listen(self._engine, "connect", _prepare_sqlite)
                event.listen(self._engine, "begin", _begin_sqlite)
            self._migrate()
        except (SQLAlchemyError, CommandError, OSError, ModuleNotFoundError) as error:
            self._release_file_lock()
            raise StoreError(
                f"storage.database: {parsed.render_as_string()} cannot be opened: {error}"
            ) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is on disk when the block ends, or did not happen."""
        options = {"lightbulb_write": True}
        with (
            self._write_lock,
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        self._engine.dispose()
        self._release_file_lock()

    def _migrate(self) -> None:
        settings = AlembicConfig()
        settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        settings.set_main_option("path_separator", "os")
        with self._write_lock, self._engine.connect() as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
            connection.commit()

    def _release_file_lock(self) -> None:
        if self._file_lock is not None:
            self._file_lock.release()


def _locked(path: str) -> FileLock:
    """Raises: StoreError if another process holds the lock."""
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreError(
            f"{path} is in use by another Light Bulb process; stop that one first", code="in_use"
        ) from None
    return lock


def now() -> datetime:
    """UTC without a zone, as the database keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), IDS_PER_QUERY):
        yield values[start : start + IDS_PER_QUERY]


def inserted_id(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Inserts one row; returns the id it was given."""
    key = connection.execute(table.insert().values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _is_file(url: Any) -> bool:
    return url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin below, not where the driver thinks best
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a click answered with 200 survives a power cut, too
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("lightbulb_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
