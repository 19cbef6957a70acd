"""Files that a person adds: multipart, checked one by one."""

from __future__ import annotations

import dataclasses
from typing import Any
from urllib.parse import urlsplit

from flask import request
from flask_openapi3 import APIBlueprint

from lightbulb.errors import InputError
from lightbulb.services.assemble import Workspace
from lightbulb.services.uploading import SentFile, Upload

UPLOAD_PATH = "/api/upload"
MOST_FILES = 200  # in one request


def add_uploads(blueprint: APIBlueprint, workspace: Workspace) -> None:
    @blueprint.post(
        "/upload",
        summary="Add files to the dataset",
        description="multipart/form-data, the files in `files`; a file name may have folders in it. "
        "What cannot be an item is refused by name, the others are added.",
    )
    def upload() -> dict[str, Any]:
        files = request.files.getlist("files")
        if not files or len(files) > MOST_FILES:
            raise InputError(f"send 1 to {MOST_FILES} files in the form field `files`", code="bad_files")
        sent = [SentFile(file.filename or "file", file.read()) for file in files]
        uploads = workspace.uploading.add(sent)
        refuse_if_none_is_of_use(uploads)
        return {
            "added": sum(one.result == "added" for one in uploads),
            "files": [dataclasses.asdict(one) for one in uploads],
        }


def refuse_if_none_is_of_use(uploads: list[Upload]) -> None:
    """Raises: InputError naming each file and what is wrong with it."""
    if all(one.result == "refused" for one in uploads):
        first = f"{uploads[0].name}: {uploads[0].problem}"
        more = f" (and {len(uploads) - 1} more)" if len(uploads) > 1 else ""
        details = [{"name": one.name, "problem": one.problem} for one in uploads]
        raise InputError(f"{first}{more}", code="unusable_files", details=details)


def comes_from_elsewhere() -> bool:
    """A form on a foreign page can post files here; every browser then says where it came from."""
    origin = request.headers.get("Origin")
    try:
        return origin is not None and urlsplit(origin).netloc != request.host
    except ValueError:  # no address at all
        return True
