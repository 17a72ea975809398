"""Bringing a database up to date, by the command that metadata ships for it."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

from domicile_local.errors import SuiteError
from domicile_local.servers.process import run


def migrate(database_url: str) -> None:
    run([sys.executable, "-m", "domicile_metadata", "migrate"], "Migrating the database", env={"DATABASE_URL": database_url})


def fingerprint() -> str:
    """Names one state of the migrations: 16 hex digits over their names and contents."""
    spec = importlib.util.find_spec("domicile_metadata")
    if spec is None or not spec.submodule_search_locations:
        raise SuiteError("The package domicile_metadata is not installed")
    files = sorted(Path(spec.submodule_search_locations[0], "migrations").glob("*.sql"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
