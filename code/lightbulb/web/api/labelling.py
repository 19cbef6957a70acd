"""What is asked, how it goes; ask, answer, take back."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask_openapi3 import APIBlueprint

from lightbulb.records import ActionKind, Answer, Flag, GivenAnswer, Question
from lightbulb.services import reporting
from lightbulb.services.assemble import Workspace
from lightbulb.web import schemas
from lightbulb.web.task import describe_task


def add_labelling(blueprint: APIBlueprint, workspace: Workspace) -> None:
    @blueprint.get("/task", summary="What is asked")
    def task() -> dict[str, Any]:
        return describe_task(workspace)

    @blueprint.get("/status", summary="Counts, accuracy, training, pace")
    def status() -> dict[str, Any]:
        return shape_status(reporting.status(workspace))

    @blueprint.get("/questions", summary="The next questions")
    def questions(query: schemas.QuestionsQuery) -> dict[str, Any]:
        found, remaining = workspace.asking.next_questions(query.n, client=query.client, have=query.held)
        return {"questions": [shape(one) for one in found], "remaining": remaining}

    @blueprint.post("/labels", summary="Answer questions: all are saved, or none")
    def labels(body: schemas.LabelsBody) -> dict[str, Any]:
        answers = [Answer(one.item, one.label, one.seconds, one.client_id) for one in body.labels]
        if body.as_one:
            action, kept = workspace.labeling.save_together(answers, body.client_id)
            return {"saved": len(answers), "action": action, "actions": [action], "kept": kept}
        saved = workspace.labeling.save(answers)
        return {"saved": len(saved), "action": saved[-1], "actions": saved}

    @blueprint.post("/labels/remove", summary="Take labels off: one step to undo")
    def remove_labels(body: schemas.RemoveLabelsBody) -> dict[str, Any]:
        action, items = workspace.labeling.remove(body.items, body.client_id)
        return {"removed": len(items), "action": action}

    @blueprint.get("/answers", summary="One's own last answers, the latest first")
    def answers(query: schemas.AnswersQuery) -> dict[str, Any]:
        found = workspace.labeling.latest(query.n, query.before)
        return {"answers": [shape_answer(one, workspace.flagging.of(one.item)) for one in found]}

    @blueprint.post("/undo", summary="Take back the last answer, skip or batch")
    def undo(body: schemas.UndoBody) -> dict[str, Any]:
        undone = workspace.labeling.undo(body.of)
        again = (
            []
            if undone.kind not in (ActionKind.LABEL, ActionKind.SKIP)
            else workspace.asking.questions(undone.items)
        )
        return {
            "undone": undone.action,
            "kind": undone.kind,
            "items": list(undone.items),
            "questions": [shape(one) for one in again],
        }

    @blueprint.post("/flags", summary="Flag an item with a note, or take its flag off")
    def flags(body: schemas.FlagBody) -> dict[str, Any]:
        if body.flagged:
            return {"item": body.item, "flag": shape_flag(workspace.flagging.put(body.item, body.note))}
        workspace.flagging.take_off(body.item)
        return {"item": body.item, "flag": None}

    @blueprint.post("/flags/many", summary="Flag many items with the same note, or take their flags off")
    def many_flags(body: schemas.FlagsBody) -> dict[str, Any]:
        return {"changed": workspace.flagging.put_many(body.items, body.note if body.flagged else None)}

    def shape(question: Question) -> dict[str, Any]:
        return shape_question(question, workspace.flagging.of(question.item))


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
            "flagged": now.flagged,
        },
        "accuracy": {**dataclasses.asdict(now.accuracy), "imported": now.imported} if now.accuracy else None,
        "training": {
            "state": learner.state,
            "active": learner.active,
            "progress": learner.progress,
            "error": learner.error,
        },
        "encoding": {"done": learner.encoded, "total": learner.total},
        "needed": dataclasses.asdict(now.needed) if now.needed else None,
        "model": dataclasses.asdict(now.model) if now.model else None,
        "pinned": now.pinned,
        "seconds_per_label": now.seconds_per_label,
        "outlook": dataclasses.asdict(now.outlook),
        "classes": now.labels_by_class,
        "proposed": now.proposals_by_class,
        "lapsed": [dataclasses.asdict(one) for one in now.lapsed],
        "banners": [{"level": level, "text": text} for level, text in now.banners],
    }


def shape_question(question: Question, flag: Flag | None) -> dict[str, Any]:
    guess = question.guess
    return {
        "item": question.item,
        "name": question.key,
        "media": f"/media/{question.item}",
        "guess": {"label": guess.label, "score": guess.score} if guess else None,
        "scores": [round(score, 4) for score in question.scores] if question.scores else None,
        "flag": shape_flag(flag),
    }


def shape_answer(answer: GivenAnswer, flag: Flag | None) -> dict[str, Any]:
    return {
        "item": answer.item,
        "name": answer.key,
        "media": f"/media/{answer.item}",
        "label": answer.value,
        "action": answer.action,
        "at": f"{answer.created_at.isoformat()}Z",
        "flag": shape_flag(flag),
    }


def shape_flag(flag: Flag | None) -> dict[str, Any] | None:
    if flag is None:
        return None
    return {"note": flag.note, "annotator": flag.annotator, "at": f"{flag.created_at.isoformat()}Z"}
