from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from domicile_common.amqp.definitions import main
from domicile_common.amqp.topology import INVALIDATE, JOBS, PARKING, definitions, parking_queue, topology, work_queue

BACKEND_IDS = st.lists(st.from_regex(r"[a-z0-9][a-z0-9-]{0,30}", fullmatch=True), max_size=5)


@given(BACKEND_IDS)
def test_every_backend_has_a_work_queue_that_parks_what_nobody_answers(backend_ids):
    wanted = topology(backend_ids)
    queues = {queue.name: queue for queue in wanted.queues}
    assert len(queues) == len(wanted.queues) == 2 * len(set(backend_ids))
    for backend_id in backend_ids:
        work, parked = queues[work_queue(backend_id)], queues[parking_queue(backend_id)]
        assert (work.exchange, work.routing_key) == (JOBS, backend_id)
        # Dead letters keep their routing key, so they arrive in the same backend's parking queue.
        assert (parked.exchange, parked.routing_key) == (work.arguments["x-dead-letter-exchange"], work.routing_key)
        assert {queue.arguments["x-queue-type"] for queue in (work, parked)} == {"quorum"}


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
    assert {binding["destination"] for binding in printed["bindings"]} == {"replicate.fi", "parked.fi"}
    assert all(item["vhost"] == "domicile" for items in printed.values() for item in items)
