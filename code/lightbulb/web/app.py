"""The Flask application: one for labelling, one that only scores."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask_openapi3 import Info, OpenAPI
from werkzeug.exceptions import Forbidden, UnsupportedMediaType

import lightbulb
from lightbulb.config import Config
from lightbulb.errors import Conflict
from lightbulb.services.assemble import Workspace
from lightbulb.services.production import Production
from lightbulb.web.api import api
from lightbulb.web.api.uploads import UPLOAD_PATH, comes_from_elsewhere
from lightbulb.web.assets import KEPT_SECONDS, contents_digest
from lightbulb.web.errors import read_json, register_errors, validation_response
from lightbulb.web.hosts import refuse_foreign_hosts
from lightbulb.web.media import media
from lightbulb.web.metrics import Metrics, snapshot_gauges, workspace_gauges
from lightbulb.web.pages import operations, pages
from lightbulb.web.scoring import REQUEST_BODY, scoring

LARGEST_BODY = 64 * 1024 * 1024  # bytes
POOL_HEADER = "X-Lightbulb-Pool"
CONTENT_POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'"
# The API documentation's own page starts itself from an inline script.
DOCS_POLICY = "default-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


def create_app(workspace: Workspace) -> OpenAPI:
    """Pages and API for labelling, and `/score`."""
    app = _new_app(workspace.config)
    metrics = Metrics(lambda: workspace_gauges(workspace))
    app.register_api(api(workspace))
    app.register_api(media(workspace))
    app.register_blueprint(pages(workspace))
    app.before_request(lambda: _only_pool(workspace.pool_id))
    return _finish(app, metrics, scoring(workspace.scoring, metrics.scored.inc, workspace.nearest))


def create_production_app(production: Production) -> OpenAPI:
    """`/score`, its documentation, `/healthz` and `/metrics`, and nothing that changes anything."""
    metrics = Metrics(lambda: snapshot_gauges(production.snapshot))
    return _finish(_new_app(production.config), metrics, scoring(production.scoring, metrics.scored.inc))


def _new_app(config: Config) -> OpenAPI:
    app = OpenAPI(
        "lightbulb.web.app",
        static_url_path=f"/static/{contents_digest()}",
        info=Info(title=f"Light Bulb: {config.task.title}", version=lightbulb.__version__),
        security_schemes={},
        doc_prefix="/openapi",
        validation_error_callback=validation_response,
    )
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.before_request(lambda: refuse_foreign_hosts(config.server.trusted_hosts))
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    return app


def _finish(app: OpenAPI, metrics: Metrics, score: Any) -> OpenAPI:
    metrics.watch(app)
    app.register_api(score)
    app.register_blueprint(operations())
    app.api_doc["paths"]["/score"]["post"]["requestBody"] = REQUEST_BODY
    register_errors(app)
    app.before_request(_only_json)
    app.after_request(_headers)
    return app


def _only_json() -> None:
    """JSON it must be, but for files: a form on a foreign page can post anything else, but not that."""
    if request.method == "POST" and request.path == UPLOAD_PATH:
        if comes_from_elsewhere():
            raise Forbidden("files are taken from this service's own pages alone")
    elif request.method == "POST" and request.path.startswith("/api/"):
        if not request.is_json:
            raise UnsupportedMediaType("send JSON (Content-Type: application/json)")
        read_json()


def _only_pool(pool_id: str) -> None:
    """A page may outlive the server that it came from: item ids of its dataset mean other items in this one.

    Raises: Conflict (`other_dataset`).
    """
    if request.headers.get(POOL_HEADER, pool_id) != pool_id and request.path.startswith("/api/"):
        raise Conflict("this server has another dataset: reload the page", code="other_dataset")


def _headers(response: Response) -> Response:
    docs = request.path.startswith("/openapi")
    response.headers.setdefault("Content-Security-Policy", DOCS_POLICY if docs else CONTENT_POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"
    elif request.endpoint == "static" and response.status_code == 200:
        response.headers["Cache-Control"] = f"public, max-age={KEPT_SECONDS}, immutable"
    elif request.endpoint and request.endpoint.startswith("pages."):
        # Back shows what is kept, "no-cache" or not: an old task
        response.headers["Cache-Control"] = "no-store"
    return response
