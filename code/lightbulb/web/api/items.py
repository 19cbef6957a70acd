"""The items: browse, look again at the folder, doubt, export."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint

from lightbulb.config import did_you_mean
from lightbulb.errors import InputError, NotFound
from lightbulb.services.assemble import Workspace
from lightbulb.services.browsing import ItemRow
from lightbulb.services.doubting import LabelledItem
from lightbulb.services.plugins import FORMATS
from lightbulb.store.item_history import PastLabel, Refusal
from lightbulb.web import schemas
from lightbulb.web.api.labelling import shape_flag


def add_items(blueprint: APIBlueprint, workspace: Workspace) -> None:
    @blueprint.get("/items", summary="Browse and filter the items")
    def items(query: schemas.ItemsQuery) -> dict[str, Any]:
        total, rows = workspace.browsing.page(query.filter(), query.offset, query.limit)
        return {"total": total, "items": [shape_item(row) for row in rows]}

    @blueprint.get("/items/ids", summary="The ids alone of the items that match, in their order")
    def item_ids(query: schemas.ItemIdsQuery) -> dict[str, Any]:
        total, ids = workspace.browsing.ids(query.filter(), query.offset, query.limit)
        return {"total": total, "ids": ids}

    @blueprint.get("/items/<int:item>", summary="One item, and every label and flag it was ever given")
    def item(path: schemas.ItemPath) -> dict[str, Any]:
        rows = workspace.browsing.rows([path.item])
        if not rows:
            raise NotFound(f"there is no item {path.item}", code="unknown_item")
        history = workspace.item_history
        return {
            **shape_item(rows[0]),
            "history": [shape_past(one) for one in history.labels(path.item)],
            "refusals": [shape_past(one) for one in history.refusals(path.item)],
            "flags": [{**(shape_flag(flag) or {}), "flagged": on} for flag, on in history.flags(path.item)],
        }

    @blueprint.get("/annotators", summary="Everyone whose labels there are")
    def annotators() -> dict[str, Any]:
        return {"annotators": sorted(workspace.catalog.annotators)}

    @blueprint.get("/duplicates", summary="Groups of items that are nearly the same")
    def duplicates(query: schemas.GroupsQuery) -> dict[str, Any]:
        page = workspace.duplicates.page(query.offset, query.limit)
        groups = [
            {**dataclasses.asdict(one), "items": [shape_labelled(item) for item in one.items]}
            for one in page.groups
        ]
        return {**dataclasses.asdict(page), "groups": groups}

    @blueprint.post("/rescan", summary="Look for new, changed and vanished files")
    def rescan(body: schemas.Empty) -> dict[str, Any]:
        changes = dataclasses.asdict(workspace.rescan())
        view = workspace.catalog.view
        return {**changes, "total": len(view.ids), "broken": int(view.broken.sum())}

    @blueprint.get("/suspects", summary="Labels that look wrong, and copies with different labels")
    def suspects() -> dict[str, Any]:
        return {
            "suspects": [
                {**shape_labelled(item), "suggested": suspect.suggested, "score": suspect.score}
                for item, suspect in workspace.doubting.suspects()
            ],
            "conflicts": [
                {"items": [shape_labelled(item) for item in conflict.items]}
                for conflict in workspace.doubting.conflicts()
            ],
        }

    @blueprint.get("/export", summary="Download the labels")
    def export(query: schemas.ExportQuery) -> Response:
        if query.format not in FORMATS:
            raise InputError(
                f"unknown format {query.format!r}{did_you_mean(query.format, FORMATS)}", code="unknown_format"
            )
        file_format = FORMATS[query.format]()
        text = file_format.write(workspace.labels.export_rows())
        response = Response(text, mimetype=file_format.media_type)
        response.headers.set(
            "Content-Disposition", "attachment", filename=f"{workspace.config.name}{file_format.suffix}"
        )
        return response


def shape_past(row: PastLabel | Refusal) -> dict[str, Any]:
    undone_at = f"{row.undone_at.isoformat()}Z" if row.undone_at else None
    return {
        **dataclasses.asdict(row), "created_at": f"{row.created_at.isoformat()}Z", "undone_at": undone_at
    }  # fmt: skip


def shape_item(row: ItemRow) -> dict[str, Any]:
    label, proposal, guess = row.label, row.proposal, row.guess
    return {
        "item": row.item.id,
        "name": row.item.key,
        "media": f"/media/{row.item.id}",
        "state": row.state,
        "label": label.value if label else None,
        "source": label.source if label else None,
        "annotator": label.annotator if label else None,
        "reason": row.item.broken,
        "at": f"{label.created_at.isoformat()}Z" if label else None,
        "proposal": {"label": proposal.label, "score": proposal.score} if proposal else None,
        "guess": {"label": guess.label, "score": guess.score} if guess else None,
        "similarity": row.similarity,
        "flag": shape_flag(row.flag),
    }


def shape_labelled(item: LabelledItem) -> dict[str, Any]:
    return {"item": item.item, "name": item.key, "media": f"/media/{item.item}", "label": item.label or None}
