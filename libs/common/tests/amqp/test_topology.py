from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from domicile_common.amqp.definitions import main
from domicile_common.amqp.topology import (
    INVALIDATE,
    JOBS,
    PARKING,
    backfill_key,
    backfill_queue,
    definitions,
    parking_queue,
    topology,
    work_queue,
)

BACKEND_IDS = st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True), max_size=5)


@given(BACKEND_IDS)
def test_every_backend_has_work_queues_that_park_what_nobody_answers(backend_ids):
    wanted = topology(backend_ids)
    queues = {queue.name: queue for queue in wanted.queues}
    assert len(queues) == len(wanted.queues) == 3 * len(set(backend_ids))
    for backend_id in backend_ids:
        work, backfill = queues[work_queue(backend_id)], queues[backfill_queue(backend_id)]
        parked = queues[parking_queue(backend_id)]
        assert (work.exchange, work.routing_key) == (JOBS, backend_id)
        assert (backfill.exchange, backfill.routing_key) == (JOBS, backfill_key(backend_id))
        # Dead letters keep their routing key unless another is given, so they arrive in the same backend's parking queue.
        for queue in (work, backfill):
            dead_letters_go = queue.arguments.get("x-dead-letter-routing-key", queue.routing_key)
            assert (parked.exchange, parked.routing_key) == (queue.arguments["x-dead-letter-exchange"], dead_letters_go)
        assert {queue.arguments["x-queue-type"] for queue in (work, backfill, parked)} == {"quorum"}


def test_exchanges_are_there_without_any_backend():
    assert {exchange.name: exchange.kind for exchange in topology(()).exchanges} == {
        JOBS: "direct",
        PARKING: "direct",
        INVALIDATE: "fanout",
    }


def test_the_order_of_backends_does_not_matter():
    assert topology(["fi", "de"]) == topology(["de", "fi", "de"])


def test_prints_definitions(capsys):
    main(["--vhost", "domicile", "fi"])
    printed = json.loads(capsys.readouterr().out)
    assert printed == definitions(["fi"], "domicile")
    assert {binding["destination"] for binding in printed["bindings"]} == {"replicate.fi", "backfill.fi", "parked.fi"}
    assert all(item["vhost"] == "domicile" for items in printed.values() for item in items)
