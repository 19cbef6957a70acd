"""The items: browse, look again at the folder, doubt, export."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint

from lightbulb.config import did_you_mean
from lightbulb.errors import InputError
from lightbulb.services import reporting
from lightbulb.services.assemble import Workspace
from lightbulb.services.doubting import LabelledItem
from lightbulb.services.plugins import FORMATS
from lightbulb.web import schemas
from lightbulb.web.api.labelling import shape_flag


def add_items(blueprint: APIBlueprint, workspace: Workspace) -> None:
    @blueprint.get("/items", summary="Browse and filter the items")
    def items(query: schemas.ItemsQuery) -> dict[str, Any]:
        total, rows = reporting.page_of_items(
            workspace,
            state=query.state,
            label=query.label,
            text=query.q,
            offset=query.offset,
            limit=query.limit,
        )
        return {"total": total, "items": [shape_item(row) for row in rows]}

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


def shape_item(row: reporting.ItemRow) -> dict[str, Any]:
    label, proposal = row.label, row.proposal
    return {
        "item": row.item.id,
        "name": row.item.key,
        "media": f"/media/{row.item.id}",
        "state": row.state,
        "label": label.value if label else None,
        "source": label.source if label else None,
        "annotator": label.annotator if label else None,
        "reason": row.item.broken,
        "proposal": {"label": proposal.label, "score": proposal.score} if proposal else None,
        "flag": shape_flag(row.flag),
    }


def shape_labelled(item: LabelledItem) -> dict[str, Any]:
    return {"item": item.item, "name": item.key, "media": f"/media/{item.item}", "label": item.label}
