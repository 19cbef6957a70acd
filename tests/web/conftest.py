from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from lightbulb.services.assemble import Workspace
from lightbulb.web.app import create_app


@pytest.fixture
def client(workspace: Workspace) -> FlaskClient:
    """On 60 digits, nothing labelled, no model."""
    return create_app(workspace).test_client()


@pytest.fixture
def trained_client(trained: Workspace) -> FlaskClient:
    """On 300 digits with 60 labels and a model. Shared: change nothing."""
    return create_app(trained).test_client()
