"""Pixels by item id, never by path."""

from __future__ import annotations

import base64
from typing import Any

from flask import Response, make_response, request
from flask_openapi3 import APIBlueprint, Tag

from lightbulb.services.assemble import Workspace
from lightbulb.web.schemas import MediaPath, MediaQuery, ThumbnailsQuery


def media(workspace: Workspace) -> APIBlueprint:
    blueprint = APIBlueprint("media", __name__, abp_tags=[Tag(name="media")])

    @blueprint.get("/media/<int:item>", summary="An item's picture, whole or as a thumbnail")
    def picture(path: MediaPath, query: MediaQuery) -> Response:
        etag = f"{workspace.media.version(path.item)}-{query.width or 'whole'}"
        if request.if_none_match.contains(etag):
            response = make_response("", 304)
        else:
            data, mime = (
                workspace.media.original(path.item)
                if query.width is None
                else workspace.media.thumbnail(path.item, query.width)
            )
            response = make_response(data)
            response.mimetype = mime
        response.set_etag(etag)
        response.headers["Cache-Control"] = "private, no-cache"  # a file may change; the ETag tells
        return response

    @blueprint.get("/media/thumbnails", summary="Many thumbnails in one answer, as data: URLs")
    def thumbnails(query: ThumbnailsQuery) -> dict[str, Any]:
        made = workspace.media.thumbnails(query.wanted, query.width)
        return {"thumbnails": {str(item): _data_url(*picture) for item, picture in made.items()}}

    return blueprint


def _data_url(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
