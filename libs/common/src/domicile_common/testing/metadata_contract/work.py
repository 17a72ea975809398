"""Long tasks, and how backends look."""

from __future__ import annotations

from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.client import Metadata
from domicile_common.metadata_client.health import Doubt, DoubtCopies, NoteHealth, Seen
from domicile_common.metadata_client.tasks import AdvanceTask, ClaimTask
from domicile_common.model import Blob
from domicile_common.testing.metadata_contract.common import NOWHERE


class TaskContract:
    async def test_tasks_that_nobody_has(self, metadata: Metadata) -> None:
        assert (await metadata.call(ClaimTask(kinds=("none",), worker="w"))).task is None
        assert not (await metadata.call(AdvanceTask(task_id=NOWHERE, worker="w"))).go_on


class HealthContract:
    async def test_how_backends_look_is_noted_also_of_those_that_nobody_knows(self, metadata: Metadata) -> None:
        seen = (Seen("fi", is_avoided=True, seconds=0.0), Seen("nowhere", is_avoided=False, seconds=0.1))
        for said in (seen, seen[:1], ()):
            assert await metadata.call(NoteHealth(observer="proxy", backends=said)) == m.Empty()

    async def test_copies_may_be_doubted_also_those_that_nobody_knows(self, metadata: Metadata) -> None:
        unknown = Doubt(NOWHERE, NOWHERE, Blob("fi", "bucket", "key"))
        assert await metadata.call(DoubtCopies(doubts=(unknown, unknown))) == m.Empty()
