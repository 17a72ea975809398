"""A short run of what ``make chaos`` does for as long as one likes."""

from __future__ import annotations

import pytest

from domicile_common.testing.chaos.run import run
from domicile_common.testing.chaos.world import world

pytestmark = pytest.mark.servers

SECONDS = 20
SEED = 1


def test_nothing_is_lost_while_everything_breaks(tmp_path, rabbitmq_url, rabbitmq_management):
    with world(tmp_path, broker=(rabbitmq_url, rabbitmq_management)) as made:
        outcome = run(made, SECONDS, SEED)
    assert outcome.clean, "\n".join([outcome.table(), *outcome.lines()])
    # It has been at work all the time, and has seen faults.
    assert sum(operation.acknowledged for operation in outcome.history) > 100
    assert len(outcome.faults) > 3
