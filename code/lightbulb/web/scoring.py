"""`POST /score`: the model, served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request
from flask_openapi3 import APIBlueprint, Tag
from pydantic import ValidationError

from lightbulb.errors import InputError
from lightbulb.services.nearest import Nearest, Neighbour
from lightbulb.services.scoring import Scored, Scoring
from lightbulb.web.errors import read_json, validation_response
from lightbulb.web.schemas import ErrorBody, ScoreAnswer, ScoreBody, ScoreQuery

DECIMALS = 6
MOST_FILES = 64

# Two content types for one operation, which flask-openapi3 cannot derive from annotations.
REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": ScoreBody.model_json_schema()},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                "required": ["files"],
            }
        },
    },
}


def scoring(service: Scoring, count: Callable[[int], None], nearest: Nearest | None = None) -> APIBlueprint:
    """count: is told how many images were scored. nearest: finds labelled items, where there are any."""
    blueprint = APIBlueprint("score", __name__, abp_tags=[Tag(name="score")])

    @blueprint.post(
        "/score",
        summary="Class probabilities of images, by the model that serves",
        responses={200: ScoreAnswer, 400: ErrorBody, 422: ErrorBody, 502: ErrorBody, 503: ErrorBody},
    )
    def score(query: ScoreQuery) -> Any:
        if query.nearest and nearest is None:
            raise InputError("nearest: there are no labelled items here", code="no_items")
        if request.mimetype == "multipart/form-data":
            scored = _score_files(service)
        elif not request.is_json:
            raise InputError("send JSON or multipart/form-data", code="unsupported_media_type")
        else:
            try:
                body = ScoreBody.model_validate(read_json())
            except ValidationError as error:
                return validation_response(error)
            scored = service.score_urls(body.urls)
        count(len(scored.scores))
        answer = _shape(scored)
        if query.nearest and nearest is not None:
            found = nearest.find(scored.embeddings, scored.encoder_fingerprint, query.nearest)
            answer["nearest"] = found and [[_shape_neighbour(one) for one in row] for row in found]
        return answer

    return blueprint


def _score_files(service: Scoring) -> Scored:
    files = request.files.getlist("files")
    if not files or len(files) > MOST_FILES:
        raise InputError(f"send 1 to {MOST_FILES} images in the form field `files`", code="bad_files")
    return service.score_bytes([file.read() for file in files], [file.filename or "file" for file in files])


def _shape(scored: Scored) -> dict[str, Any]:
    scores = [[round(float(score), DECIMALS) for score in row] for row in scored.scores]
    return {"labels": list(scored.labels), "scores": scores, "model": scored.model_version}


def _shape_neighbour(one: Neighbour) -> dict[str, Any]:
    return {
        "item": one.item,
        "name": one.key,
        "media": f"/media/{one.item}",
        "label": one.label,
        "similarity": round(one.similarity, DECIMALS),
    }
