"""The models: the one that serves in detail, one row for each there was, roll-back and download."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

from flask import Response, send_file
from flask_openapi3 import APIBlueprint

import lightbulb
from lightbulb.services import model_report
from lightbulb.services.assemble import Workspace
from lightbulb.services.packing import pack
from lightbulb.web import schemas

HISTORY = (
    "version", "created_at", "labels", "trained_on", "accuracy", "low", "high", "n",
    "encoder_fingerprint", "fit_seconds",
)  # fmt: skip


def add_models(blueprint: APIBlueprint, workspace: Workspace) -> None:
    name = workspace.config.name

    @blueprint.get("/history", summary="One row for each model: the learning curve")
    def history() -> dict[str, Any]:
        return {"models": [shape_history(row) for row in workspace.history.rows()]}

    @blueprint.get("/history.csv", summary="The same as a table")
    def history_csv() -> Response:
        text = io.StringIO()
        writer = csv.DictWriter(text, HISTORY, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**row["metrics"], **shape_history(row)} for row in workspace.history.rows())
        response = Response(text.getvalue(), mimetype="text/csv")
        response.headers.set("Content-Disposition", "attachment", filename=f"{name}-history.csv")
        return response

    @blueprint.get("/model", summary="The model that serves: per class, confusion, calibration")
    def model() -> dict[str, Any]:
        details = model_report.model_details(workspace)
        return {"model": shape_model(details) if details else None}

    @blueprint.get("/model/confusion", summary="The held-out items that a cell of the matrix counted")
    def confusion(query: schemas.ConfusionQuery) -> dict[str, Any]:
        version, items = model_report.items_of_cell(workspace, query.actual, query.predicted)
        return {"version": version, "items": [shape_measured(one) for one in items]}

    @blueprint.get("/models", summary="The versions that are kept, and which of them serves")
    def models() -> dict[str, Any]:
        found = [shape_version(one) for one in model_report.versions(workspace)]
        return {"models": found, **shape_serving(workspace)}

    @blueprint.post("/models/<int:version>/serve", summary="Roll back: this version serves until released")
    def serve(path: schemas.VersionPath, body: schemas.Empty) -> dict[str, Any]:
        workspace.serving.choose(path.version)
        return shape_serving(workspace)

    @blueprint.post("/models/release", summary="The newest model serves again")
    def release(body: schemas.Empty) -> dict[str, Any]:
        workspace.serving.release()
        return shape_serving(workspace)

    @blueprint.get("/models/<int:version>/download", summary="A version as a zip file that serves elsewhere")
    def download(path: schemas.VersionPath) -> Response:
        packed = pack(workspace.models, path.version, workspace.config, lightbulb.__version__)
        file_name = f"{name}-model-{path.version}.zip"
        return send_file(packed, mimetype="application/zip", as_attachment=True, download_name=file_name)


def shape_history(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "created_at": f"{row['created_at'].isoformat()}Z"}


def shape_serving(workspace: Workspace) -> dict[str, Any]:
    """serving follows pinned a moment later: the learner finishes what it is at."""
    snapshot = workspace.learner.snapshot
    return {"pinned": workspace.serving.pinned, "serving": snapshot.version if snapshot else None}


def shape_version(one: model_report.Version) -> dict[str, Any]:
    return {**dataclasses.asdict(one), "created_at": f"{one.created_at.isoformat()}Z"}


def shape_measured(one: model_report.MeasuredItem) -> dict[str, Any]:
    return {
        "item": one.item.id,
        "name": one.item.key,
        "media": f"/media/{one.item.id}",
        "actual": one.actual,
        "predicted": one.predicted,
        "score": one.confidence,
    }


def shape_model(details: model_report.ModelDetails) -> dict[str, Any]:
    """Precision and recall are measured on held-out items, null where there was none to measure them on.

    Calibration is null where the model is of an earlier release.
    """
    snapshot, reliability = details.snapshot, details.reliability
    return {
        "version": snapshot.version,
        "labels": snapshot.labels,
        "trained_on": snapshot.trained_on,
        "accuracy": dataclasses.asdict(snapshot.accuracy) if snapshot.accuracy else None,
        "temperature": snapshot.temperature,
        "classes": [
            {
                "name": one.name,
                "threshold": min(1.0, one.threshold),
                "labels": one.labels,
                **dataclasses.asdict(one.metrics),
            }
            for one in details.classes
        ],
        "confusion": details.confusion.tolist(),
        "calibration": dataclasses.asdict(reliability) if reliability else None,
        "metrics": dict(snapshot.metrics),
    }
