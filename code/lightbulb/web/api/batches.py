"""Proposals to confirm, and what an audit certifies."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask_openapi3 import APIBlueprint

from lightbulb.records import Batch
from lightbulb.services.assemble import Workspace
from lightbulb.services.auditing import Audit
from lightbulb.web import schemas


def add_batches(blueprint: APIBlueprint, workspace: Workspace) -> None:
    @blueprint.get("/batches/next", summary="Proposals of one class to confirm")
    def next_batch(query: schemas.BatchQuery) -> dict[str, Any]:
        batch = workspace.confirming.next_batch(client=query.client, label=query.label)
        if batch is None:
            return {"batch": None, "label": None, "candidates": 0, "items": [], "audit": None}
        return shape_batch(batch, workspace.confirming.audit_of(batch))

    @blueprint.post("/batches/<int:batch>", summary="Confirm a batch but for what is rejected")
    def answer_batch(path: schemas.BatchPath, body: schemas.BatchBody) -> dict[str, Any]:
        rejected = {one.item: one.label for one in body.rejected}
        done = workspace.confirming.answer(path.batch, rejected, seconds=body.seconds)
        return {
            "confirmed": done.confirmed,
            "rejected": done.rejected,
            "action": done.action,
            "audit": shape_audit(done.audit),
        }

    @blueprint.post(
        "/batches/<int:batch>/accept-rest", summary="Label the rest of a certified audit without a look"
    )
    def accept_rest(path: schemas.BatchPath, body: schemas.Empty) -> dict[str, Any]:
        action, certified = workspace.confirming.accept_rest(path.batch)
        return {"certified": certified, "action": action}


def shape_batch(batch: Batch, audit: Audit) -> dict[str, Any]:
    rows = zip(batch.items, batch.keys, batch.scores, strict=True)
    return {
        "batch": batch.id,
        "label": batch.label,
        "candidates": batch.candidates,
        "items": [
            {"item": item, "name": key, "media": f"/media/{item}", "score": score}
            for item, key, score in rows
        ],
        "audit": shape_audit(audit),
    }


def shape_audit(audit: Audit) -> dict[str, Any]:
    return dataclasses.asdict(audit)
