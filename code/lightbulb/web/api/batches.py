"""Proposals to confirm, and what an audit certifies."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask_openapi3 import APIBlueprint

from lightbulb.services.assemble import Workspace
from lightbulb.services.auditing import Audit
from lightbulb.services.reviewing import Review
from lightbulb.web import schemas


def add_batches(blueprint: APIBlueprint, workspace: Workspace) -> None:
    @blueprint.get("/batches/next", summary="Proposals of one class to confirm")
    def next_batch(query: schemas.BatchQuery) -> dict[str, Any]:
        return shape_review(workspace.reviewing.next(client=query.client, label=query.label))

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

    @blueprint.post("/certificates/<int:audit>/check", summary="Look at some of what was accepted")
    def check(path: schemas.CertificatePath, body: schemas.CheckBody) -> dict[str, Any]:
        return shape_review(workspace.reviewing.again(path.audit, client=body.client))

    @blueprint.post(
        "/certificates/<int:audit>/take-back", summary="Take off what was accepted without a look: one step"
    )
    def take_back(path: schemas.CertificatePath, body: schemas.Empty) -> dict[str, Any]:
        action, removed = workspace.upholding.take_back(path.audit)
        return {"removed": removed, "action": action}


def shape_review(review: Review) -> dict[str, Any]:
    """similar: an item's place in a row that has similar ones side by side. ahead: pictures to fetch early.
    certificates: what may be accepted now, by any batch of its audit."""
    batch = review.batch
    rows = zip(batch.items, batch.keys, batch.scores, review.similar, strict=True) if batch else ()
    return {
        "batch": batch.id if batch else None,
        "label": batch.label if batch else None,
        "candidates": batch.candidates if batch else 0,
        "items": [
            {"item": item, "name": key, "media": f"/media/{item}", "score": score, "similar": place}
            for item, key, score, place in rows
        ],
        "audit": shape_audit(review.audit) if review.audit else None,
        "ahead": [{"item": item, "media": f"/media/{item}"} for item in review.ahead],
        "certificates": [dataclasses.asdict(one) for one in review.certificates],
    }


def shape_audit(audit: Audit) -> dict[str, Any]:
    return dataclasses.asdict(audit)
