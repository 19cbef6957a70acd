"""The pages' scripts and styles: browsers keep them for good, under an address that their contents change."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
SCRIPTS = STATIC / "js"
KEPT_SECONDS = 365 * 24 * 3600
IMPORTED = re.compile(r"""^(?:import|export)\b(?!\()[^"';]*["']\./([\w-]+\.js)["']""", re.MULTILINE)


def contents_digest() -> str:
    """Twelve hexadecimal digits, others as soon as any file is another."""
    digest = hashlib.sha256()
    for path in sorted(path for path in STATIC.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(STATIC).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def modules_of(entry: str) -> list[str]:
    """All modules that a script imports, itself first: a browser would find them one level at a time."""
    found = [entry]
    for name in found:  # grows as it goes
        imported = IMPORTED.findall((SCRIPTS / name).read_text(encoding="utf-8"))
        found += [one for one in dict.fromkeys(imported) if one not in found]
    return found
