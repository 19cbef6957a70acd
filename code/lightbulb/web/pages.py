"""The pages: shells that fill themselves from the API."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Response, current_app, redirect, render_template
from flask_openapi3 import OpenAPI
from werkzeug.wrappers import Response as AnyResponse

from lightbulb.services.assemble import Workspace
from lightbulb.web.assets import modules_of
from lightbulb.web.markdown import render_markdown
from lightbulb.web.task import describe_task


def pages(workspace: Workspace) -> Blueprint:
    blueprint = Blueprint("pages", __name__)
    title = workspace.config.task.title
    description = render_markdown(workspace.config.task.description)
    modules = {page: modules_of(f"{page}.js") for page in ("label", "review", "dataset", "model", "try")}

    @blueprint.context_processor
    def of_the_page() -> dict[str, Any]:
        return {"modules": modules, "task": describe_task(workspace)}

    @blueprint.get("/")
    def label() -> str:
        view = workspace.task.question_view
        return render_template(view, title=title, page="label", description=description)

    @blueprint.get("/review")
    def review() -> str:
        return render_template(workspace.task.batch_view, title=title, page="review")

    @blueprint.get("/dataset")
    def dataset() -> str:
        return render_template("dataset.html", title=title, page="dataset")

    @blueprint.get("/model")
    def model() -> str:
        return render_template("model.html", title=title, page="model")

    @blueprint.get("/try")
    def try_it() -> str:
        return render_template("try.html", title=title, page="try")

    return blueprint


def operations() -> Blueprint:
    blueprint = Blueprint("operations", __name__)

    @blueprint.get("/docs")
    def docs() -> AnyResponse:
        return redirect("/openapi/swagger")

    @blueprint.get("/openapi.json")
    def openapi() -> dict[str, Any]:
        return cast(OpenAPI, current_app).api_doc

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    return blueprint
