"""Metadata in memory, for unit tests of those who call it.

It answers what the proxy asks; one contract suite (``domicile_common.testing.metadata_contract``) runs on it and on the service. It knows
no time and no workers: nothing expires (a retention holds for ever), and a version stays where its commit says that it is stored.
"""

from __future__ import annotations

from domicile_common.errors import Unavailable
from domicile_common.metadata_client import models as m
from domicile_common.metadata_client.fake import buckets, listing, objects, probes, tasks, uploads, writes  # noqa: F401 -- they register their answers
from domicile_common.metadata_client.fake.state import ANSWERS, State


class FakeMetadata(State):
    """``asked``: all requests so far. ``failing``: what to raise instead of answering, by type of request.

    Tenants are those of ``credentials`` and ``tenants``; each has bucket names of its own. ``quotas``: tenant id → bytes and objects
    (``None``: as many as it likes). ``tasks``: those that wait to be claimed; ``holders``: task id → who has it. ``probed``: reports of probes.
    """

    async def call(self, request: m.Request[m.R]) -> m.R:
        self.asked.append(request)
        if type(request) in self.failing:
            raise self.failing[type(request)]
        answer = ANSWERS.get(type(request))
        if answer is None:
            raise Unavailable(f"the fake does not answer {type(request).__name__}")
        result: m.R = answer(self, request)
        return result
