"""Every error leaves as {"error": {"code", "message", "details"}} with an honest status."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, jsonify, make_response, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, HTTPException

from lightbulb import errors
from lightbulb.errors import InputError

log = structlog.get_logger()

STATUSES: tuple[tuple[type[errors.LightBulbError], int], ...] = (
    (errors.LabelError, 422),
    (errors.UnreadableImage, 422),
    (errors.InputError, 400),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.NotReady, 503),
    (errors.WeightsError, 503),
    (errors.FetchError, 502),
    (errors.LightBulbError, 500),
)


def error_response(
    status: int, code: str, message: str, details: list[dict[str, Any]] | None = None
) -> Response:
    body = {"error": {"code": code, "message": message, "details": details or []}}
    return make_response(jsonify(body), status)


def validation_response(error: ValidationError) -> Response:
    """For flask-openapi3: what does not fit the schema of a request."""
    details = [
        {"field": ".".join(str(part) for part in entry["loc"]), "problem": entry["msg"]}
        for entry in error.errors()
    ]
    first = details[0]
    where = f"{first['field']}: " if first["field"] else ""
    return error_response(422, "invalid_request", f"{where}{first['problem']}", details)


def read_json() -> Any:
    """The request's JSON. Raises: InputError (`bad_json`), unlike JSON that merely has the wrong shape."""
    try:
        return request.get_json()
    except (BadRequest, RecursionError) as error:
        cause = error.__cause__ or error
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(cause)
        raise InputError(f"the body is not valid JSON: {reason}", code="bad_json") from error


def register_errors(app: Flask) -> None:
    @app.errorhandler(errors.LightBulbError)
    def known(error: errors.LightBulbError) -> Response:
        status = next(status for kind, status in STATUSES if isinstance(error, kind))
        return error_response(status, error.code, error.message, error.details)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if error.response is not None:
            return make_response(error.response)
        name = (error.name or "error").lower().replace(" ", "_")
        return error_response(error.code or 500, name, error.description or error.name)

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.exception("request.failed", error=str(error))
        return error_response(
            500, "internal", "something went wrong inside; the server's log has the details"
        )
