"""Plug-ins by name: every class in a package that derives from the package's base and has a `name`.

A new encoder, decoder, strategy, task, dataset or file format is one new file in its package; nothing
else has to be edited.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar, cast

T = TypeVar("T")


def discover(package: ModuleType, base: Callable[..., T]) -> dict[str, type[T]]:
    """Classes below `package` that derive from `base`, by their `name`, in alphabetical order.

    Raises: ValueError if two classes claim one name.
    """
    base_class = cast(Any, base)  # mypy lets no abstract class pass as type[T]
    found: dict[str, type[T]] = {}
    for info in pkgutil.iter_modules(package.__path__, prefix=f"{package.__name__}."):
        module = importlib.import_module(info.name)
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ != module.__name__ or not issubclass(cls, base_class) or cls is base_class:
                continue
            name = getattr(cls, "name", "")
            if not name or inspect.isabstract(cls):
                continue
            if name in found:
                raise ValueError(f"{found[name]} and {cls} are both named {name!r}")
            found[name] = cast(type[T], cls)
    return dict(sorted(found.items()))
