"""What is asked, as the API gives it and as each page holds it."""

from __future__ import annotations

from typing import Any

from lightbulb.services.assemble import Workspace


def describe_task(workspace: Workspace) -> dict[str, Any]:
    config = workspace.config
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
        "uploads": {
            "allowed": workspace.uploading.allowed,
            "suffixes": sorted(workspace.task.suffixes),
            "max_megabytes": config.server.max_image_megabytes,
        },
    }
