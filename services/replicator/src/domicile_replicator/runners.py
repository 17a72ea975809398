"""What carries out a long task, by its kind; metadata's ``services/tasks.py`` has the other half of this table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from domicile_replicator.adopt import adopt
from domicile_replicator.export import export
from domicile_replicator.probe import probe
from domicile_replicator.rebuild import rebuild
from domicile_replicator.scrub import scrub
from domicile_replicator.tasks import Runner

RUNNERS: Final[Mapping[str, Runner]] = MappingProxyType(
    {"adopt": adopt, "export": export, "probe": probe, "rebuild": rebuild, "scrub": scrub}
)
