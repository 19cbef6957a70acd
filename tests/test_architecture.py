"""Imports point one way; no name of a task type is compared outside tasks/."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CODE = Path(__file__).parents[1] / "code" / "lightbulb"

# A package may import those listed for it, and itself. Written from the top down.
MAY_IMPORT: dict[str, set[str]] = {}
BOTTOM = {"config", "errors", "files", "records", "registry"}
TORCH = {"torch_setup", "vision"}
MAY_IMPORT["errors"] = set()
MAY_IMPORT["registry"] = set()
MAY_IMPORT["files"] = set()
MAY_IMPORT["records"] = set()
MAY_IMPORT["class_names"] = set()
MAY_IMPORT["config"] = {"errors", "class_names"}
MAY_IMPORT["torch_setup"] = set()
MAY_IMPORT["vision"] = {"torch_setup"}
MAY_IMPORT["items"] = BOTTOM | {"torch_setup"}
MAY_IMPORT["encoders"] = BOTTOM | TORCH | {"items"}
MAY_IMPORT["decoders"] = BOTTOM | TORCH | {"items"}
MAY_IMPORT["tasks"] = MAY_IMPORT["encoders"] | {"encoders", "decoders"}
LEARNING = {"training", "querying", "autolabel"}
for package in LEARNING:
    MAY_IMPORT[package] = MAY_IMPORT["tasks"] | {"tasks"} | LEARNING
MAY_IMPORT["store"] = BOTTOM
MAY_IMPORT["services"] = MAY_IMPORT["tasks"] | {"tasks", "store", "pretraining"} | LEARNING
MAY_IMPORT["web"] = {"services", "store", "lightbulb"} | BOTTOM
MAY_IMPORT["pretraining"] = MAY_IMPORT["encoders"] | {"encoders"}
MAY_IMPORT["datasets"] = BOTTOM | {"vision", "items"}
MAY_IMPORT["progress"] = set()
MAY_IMPORT["options"] = set()
MAY_IMPORT["measuring"] = MAY_IMPORT["services"] | {"services", "web", "datasets", "options"}
MAY_IMPORT["cli"] = {
    "files",
    "lightbulb",
    "datasets",
    "errors",
    "config",
    "services",
    "store",
    "web",
    "measuring",
    "options",
    "pretraining",
    "progress",
}


def imports_of(path: Path) -> Iterator[str]:
    """Top-level names below lightbulb that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "lightbulb" else [module]
        for name in names:
            if name == "lightbulb" or name == "lightbulb.__version__":
                yield "lightbulb"
            elif name.startswith("lightbulb."):
                yield name.split(".")[1]


def package_of(path: Path) -> str:
    return path.relative_to(CODE).parts[0].removesuffix(".py")


FILES = [path for path in sorted(CODE.rglob("*.py")) if path != CODE / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CODE)))
def test_imports_point_down(path: Path) -> None:
    package = package_of(path)
    forbidden = set(imports_of(path)) - MAY_IMPORT[package] - {package}
    assert not forbidden, f"{package} must not import {sorted(forbidden)}"


@pytest.mark.parametrize("package", sorted(LEARNING | {"decoders", "tasks", "encoders"}))
def test_learning_knows_no_store_no_flask_no_threads(package: str) -> None:
    allowed = {"encoders/embed.py"}  # decodes files in a thread pool
    for path in (CODE / package).rglob("*.py"):
        if str(path.relative_to(CODE)) in allowed:
            continue
        text = path.read_text(encoding="utf-8")
        for name in ("sqlalchemy", "flask", "threading", "concurrent.futures"):
            assert f"import {name}" not in text and f"from {name}" not in text, path


def test_config_imports_no_torch() -> None:
    program = "import sys, lightbulb.config; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=CODE.parent, check=False)
    assert done.returncode == 0


def test_task_types_are_compared_in_tasks_only() -> None:
    names = {"classification", "binary", "object_detection", "sequence", "images", "text"}
    for path in FILES:
        if package_of(path) == "tasks":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                values = {
                    one.value
                    for one in ast.walk(node)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
                assert not values & names, f"{path}:{node.lineno} compares a task type"


def test_the_folder_named_code_does_not_hide_the_stdlib() -> None:
    assert not (CODE.parent / "__init__.py").exists()
