"""The JSON API of the pages, a module for each part of it."""

from __future__ import annotations

from typing import Any

from flask_openapi3 import APIBlueprint, Tag

from lightbulb.services.assemble import Workspace
from lightbulb.web.api.batches import add_batches
from lightbulb.web.api.items import add_items
from lightbulb.web.api.labelling import add_labelling
from lightbulb.web.api.models import add_models
from lightbulb.web.api.uploads import add_uploads
from lightbulb.web.schemas import ErrorBody


def api(workspace: Workspace) -> APIBlueprint:
    errors: dict[Any, Any] = dict.fromkeys((400, 404, 409, 422), ErrorBody)
    blueprint = APIBlueprint(
        "api", __name__, url_prefix="/api", abp_tags=[Tag(name="labelling")], abp_responses=errors
    )
    for add_part in (add_labelling, add_batches, add_items, add_uploads, add_models):
        add_part(blueprint, workspace)
    return blueprint
