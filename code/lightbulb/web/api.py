"""The JSON API of the pages: ask, answer, take back, confirm, browse, export."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask import Response
from flask_openapi3 import APIBlueprint, Tag

from lightbulb.config import did_you_mean
from lightbulb.errors import InputError
from lightbulb.records import ActionKind, Answer, Batch, Question
from lightbulb.services import reporting
from lightbulb.services.assemble import FORMATS, Workspace
from lightbulb.services.auditing import Audit
from lightbulb.services.doubting import LabelledItem
from lightbulb.web import schemas
from lightbulb.web.schemas import ErrorBody


def api(workspace: Workspace) -> APIBlueprint:
    errors: dict[Any, Any] = dict.fromkeys((400, 404, 409, 422), ErrorBody)
    blueprint = APIBlueprint(
        "api", __name__, url_prefix="/api", abp_tags=[Tag(name="labelling")], abp_responses=errors
    )
    config = workspace.config

    @blueprint.get("/task", summary="What is asked")
    def task() -> dict[str, Any]:
        return {
            "title": config.task.title,
            "description": config.task.description,
            "data_type": config.dataset.data_type,
            "label": {
                "type": config.label.type,
                "classes": [{"name": one.name, "key": one.key} for one in workspace.task.class_keys()],
            },
            "user": config.user,
            "mode": "development",
            "training": workspace.train,
            "confidence": config.auto_label.confidence,
            "batch_size": config.auto_label.batch_size,
            "dataset": config.name,
            "pool": workspace.pool_id,
        }

    @blueprint.get("/status", summary="Counts, accuracy, training, pace")
    def status() -> dict[str, Any]:
        return shape_status(reporting.status(workspace))

    @blueprint.get("/history", summary="One row for each model: the learning curve")
    def history() -> dict[str, Any]:
        rows = workspace.history.rows()
        return {"models": [{**row, "created_at": f"{row['created_at'].isoformat()}Z"} for row in rows]}

    @blueprint.get("/model", summary="The present model in detail: per class, and who is taken for whom")
    def model() -> dict[str, Any]:
        details = reporting.model_details(workspace)
        return {"model": shape_model(details) if details else None}

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

    @blueprint.get("/questions", summary="The next questions")
    def questions(query: schemas.QuestionsQuery) -> dict[str, Any]:
        found, remaining = workspace.asking.next_questions(query.n, client=query.client, have=query.held)
        return {"questions": [shape_question(one) for one in found], "remaining": remaining}

    @blueprint.post("/labels", summary="Answer questions: all are saved, or none")
    def labels(body: schemas.LabelsBody) -> dict[str, Any]:
        answers = [Answer(one.item, one.label, one.seconds, one.client_id) for one in body.labels]
        saved = workspace.labeling.save(answers)
        return {"saved": len(saved), "action": saved[-1], "actions": saved}

    @blueprint.post("/undo", summary="Take back the last answer, skip or batch")
    def undo(body: schemas.Empty) -> dict[str, Any]:
        undone = workspace.labeling.undo()
        again = (
            []
            if undone.kind in (ActionKind.BATCH, ActionKind.ACCEPT)
            else workspace.asking.questions(undone.items)
        )
        return {
            "undone": undone.action,
            "kind": undone.kind,
            "items": list(undone.items),
            "questions": [shape_question(one) for one in again],
        }

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
            "Content-Disposition", "attachment", filename=f"{config.name}{file_format.suffix}"
        )
        return response

    return blueprint


def shape_status(now: reporting.Status) -> dict[str, Any]:
    learner = now.learner
    return {
        "items": {
            "total": now.total,
            "labelled": now.labelled,
            "unlabelled": now.unlabelled,
            "proposed": now.proposed,
            "broken": now.broken,
            "skipped": now.skipped,
        },
        "accuracy": dataclasses.asdict(now.accuracy) if now.accuracy else None,
        "training": {
            "state": learner.state,
            "active": learner.active,
            "progress": learner.progress,
            "error": learner.error,
        },
        "encoding": {"done": learner.encoded, "total": learner.total},
        "needed": dataclasses.asdict(now.needed) if now.needed else None,
        "model": dataclasses.asdict(now.model) if now.model else None,
        "seconds_per_label": now.seconds_per_label,
        "outlook": dataclasses.asdict(now.outlook),
        "classes": now.labels_by_class,
        "proposed": now.proposals_by_class,
        "banners": [{"level": level, "text": text} for level, text in now.banners],
    }


def shape_model(details: reporting.ModelDetails) -> dict[str, Any]:
    """Precision and recall are measured on held-out items, null where there was none to measure them on."""
    snapshot = details.snapshot
    return {
        "version": snapshot.version,
        "labels": snapshot.labels,
        "trained_on": snapshot.trained_on,
        "accuracy": dataclasses.asdict(snapshot.accuracy) if snapshot.accuracy else None,
        "temperature": snapshot.temperature,
        "classes": [
            {"name": name, "threshold": threshold, **dataclasses.asdict(metrics)}
            for name, threshold, metrics in details.classes
        ],
        "confusion": details.confusion,
        "metrics": dict(snapshot.metrics),
    }


def shape_labelled(item: LabelledItem) -> dict[str, Any]:
    return {"item": item.item, "name": item.key, "media": f"/media/{item.item}", "label": item.label}


def shape_question(question: Question) -> dict[str, Any]:
    guess = question.guess
    return {
        "item": question.item,
        "name": question.key,
        "media": f"/media/{question.item}",
        "guess": {"label": guess.label, "score": guess.score} if guess else None,
    }


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
    }
