"""The models: the present one in detail, and one row for each there was."""

from __future__ import annotations

import dataclasses
from typing import Any

from flask_openapi3 import APIBlueprint

from lightbulb.services import reporting
from lightbulb.services.assemble import Workspace


def add_models(blueprint: APIBlueprint, workspace: Workspace) -> None:
    @blueprint.get("/history", summary="One row for each model: the learning curve")
    def history() -> dict[str, Any]:
        rows = workspace.history.rows()
        return {"models": [{**row, "created_at": f"{row['created_at'].isoformat()}Z"} for row in rows]}

    @blueprint.get("/model", summary="The present model in detail: per class, and who is taken for whom")
    def model() -> dict[str, Any]:
        details = reporting.model_details(workspace)
        return {"model": shape_model(details) if details else None}


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
