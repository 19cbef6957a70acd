"""CSV with a header: path,label,labelled_by,source,seconds,created_at. Only the first two must be there."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pandas as pd

from lightbulb.errors import InputError
from lightbulb.records import Label
from lightbulb.store.formats import LabelFormat, LabelRow

COLUMNS = ("path", "label", "labelled_by", "source", "seconds", "created_at")


class CsvTable(LabelFormat):
    name: ClassVar[str] = "csv"
    suffix: ClassVar[str] = ".csv"
    media_type: ClassVar[str] = "text/csv"

    def write(self, rows: Iterable[tuple[str, Label]]) -> str:
        table = pd.DataFrame(
            [
                (
                    key, label.value, label.annotator, str(label.source),
                    "" if label.seconds is None else f"{label.seconds:.2f}",
                    label.created_at.isoformat(timespec="milliseconds") + "Z",
                )
                for key, label in rows
            ],
            columns=list(COLUMNS),
        )  # fmt: skip
        return str(table.to_csv(index=False, lineterminator="\n"))

    def read(self, text: str) -> Sequence[LabelRow]:
        if not text.strip():
            return []
        try:
            # As written: a class named NA or 012 is a name, not a gap or a number.
            table = pd.read_csv(io.StringIO(text.lstrip("\ufeff")), dtype=str, keep_default_na=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise InputError(f"not a CSV table: {error}") from error
        missing = [column for column in COLUMNS[:2] if column not in table.columns]
        if missing:
            raise InputError(f"the header lacks the column {', '.join(missing)} (needed: path,label)")
        problems: list[dict[str, Any]] = []
        rows = [
            _read_row(f"row {index + 2}", cells, problems)
            for index, cells in enumerate(table.to_dict("records"))
        ]
        if problems:
            raise InputError(f"{len(problems)} rows cannot be read", details=problems)
        return [row for row in rows if row is not None]


def _read_row(where: str, cells: dict[Any, Any], problems: list[dict[str, Any]]) -> LabelRow | None:
    path, label = str(cells["path"]).strip(), str(cells["label"]).strip()
    if not path or not label:
        problems.append({"row": where, "problem": "path and label must not be empty"})
        return None
    try:
        seconds = float(cells["seconds"]) if cells.get("seconds") else None
        created_at = _read_time(str(cells["created_at"])) if cells.get("created_at") else None
    except ValueError as error:
        problems.append({"row": where, "problem": str(error)})
        return None
    return LabelRow(
        where, path, label, cells.get("labelled_by") or None, cells.get("source") or None, seconds, created_at
    )


def _read_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
