"""The checker is worth something only if it finds bugs. Each of these is seeded into a real service; without it the same is found right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from boto3.s3.transfer import TransferConfig

from domicile_common.testing.chaos.audit import Findings, compare
from domicile_common.testing.chaos.work import KEY, Work
from domicile_common.testing.installation import until
from domicile_common.testing.links import Links
from domicile_common.testing.run_servers import servers
from domicile_local.servers import ports

pytestmark = pytest.mark.servers

SIZE = 300_000
LONG = 6_000_000
PARTS = {"REPLICATOR_MULTIPART_BYTES": str(5 * 2**20)}


@pytest.fixture(scope="module")
def links(backends):
    targets = {backend.backend_id: backend.port for backend in backends}
    targets["rabbitmq"] = int(servers("rabbitmq").reach.amqp.rpartition(":")[2])
    with Links({name: (ports.take(), port) for name, port in targets.items()}) as links:
        yield links.by_name


@pytest.fixture(scope="module")
def domicile(open_installation, links):
    reached = {name: link.port for name, link in links.items() if name != "rabbitmq"}
    with open_installation(links=reached, INTENT_SECONDS="3", OVERDUE_SECONDS="2", BACKEND_IDLE_SECONDS="2") as made:
        yield made


@pytest.fixture(autouse=True)
def _mended(domicile, links):
    yield
    for link in links.values():
        link.heal()
    domicile.mend()


@pytest.fixture
def work(domicile) -> Work:
    return Work(domicile)


@pytest.mark.parametrize("bug, found", [("", set()), ("ack-before-commit", {"lost"})])
def test_an_answer_before_the_commit(domicile, work, bug, found):
    """The proxy dies right after its answer."""
    domicile.restart("proxy", bug=bug)
    assert work.put(SIZE).acknowledged
    domicile.restart("proxy")
    assert set(work.wrong()) == found


@pytest.mark.parametrize("bug, found", [("", set()), ("delete-on-timeout", {"orphaned"})])
def test_a_removal_concluded_from_silence(domicile, links, work, bug, found):
    """A backend hangs while something is to be removed from it."""
    domicile.restart("replicator", bug=bug)
    assert work.put(SIZE).acknowledged
    domicile.verified(work.bucket, KEY)
    links["de"].cut()
    assert work.client.delete(work.bucket, KEY).acknowledged
    until(lambda: domicile.sql(f"SELECT is_confirmed FROM removals WHERE bucket = '{work.bucket}' AND backend_id = 'fi'"))
    until(lambda: domicile.sql("SELECT attempt FROM replicas WHERE attempt > 0") or bug, what="the removal has been tried")
    if bug:
        domicile.idle()
    links["de"].heal()
    assert set(work.wrong()) == found


@pytest.mark.parametrize("bug, found", [("", set()), ("skip-verify", {"lost"})])
def test_a_copy_that_is_believed_unseen(domicile, links, work, bug, found):
    """Bytes change on the way from the backend that the copy is made from. It is sent in parts: a plain PUT carries the MD5 on record."""
    domicile.suite.services["replicator"].kill()
    assert work.put(LONG).acknowledged
    [source] = [name for name, copy in domicile.replicas(work.bucket, KEY).items() if copy["state"] == "verified"]
    links[source].garble(every=1, least=10_000)
    domicile.start("replicator", bug=bug, **PARTS)
    owed = f"SELECT state, attempt FROM replicas JOIN buckets USING (bucket_id) WHERE name = '{work.bucket}' AND backend_id <> '{source}'"
    until(lambda: domicile.sql(owed) not in ([("wanted", 0)], []), what="the copy has been tried")
    links[source].heal()
    with preferred(domicile, source):  # a read of the copy would have it repaired
        assert set(work.wrong()) == found


def test_a_wrong_copy_that_reads_prefer(domicile, work):
    """A long read breaks off where the copy is wrong, and the checker goes on with the next try."""
    assert work.put(LONG).acknowledged
    bad, good = domicile.verified(work.bucket, KEY).values()
    unlike_any_md5 = TransferConfig(multipart_threshold=LONG, multipart_chunksize=5 * 2**20)
    domicile.at(bad["backend_id"]).upload_fileobj(BytesIO(bytes(LONG)), bad["namespace"], bad["blob_key"], Config=unlike_any_md5)
    findings = Findings()
    with preferred(domicile, bad["backend_id"]):
        compare(domicile, findings, [work.bucket])
    assert len(findings.lost) == 1
    until(lambda: domicile.read(bad) == domicile.read(good), what="what the read has met is repaired")
    domicile.idle()


@contextmanager
def preferred(domicile, backend_id: str) -> Iterator[None]:
    """Reads come from this backend as long as it is well."""
    usual = domicile.admin("GET", f"/backends/{backend_id}")["cost"]
    domicile.register(backend_id, cost=usual - 1)
    try:
        yield
    finally:
        domicile.register(backend_id, cost=usual)


@pytest.mark.parametrize("bug, found", [("", set()), ("publish-without-confirm", {"unfinished work"})])
def test_a_message_that_is_forgotten_before_the_broker_has_it(domicile, links, work, bug, found):
    """RabbitMQ is cut off while a copy is owed. No reconciler runs that would find it all the same."""
    domicile.restart("metadata", bug=bug, METADATA_ROLES="api,relay,sweep", RABBITMQ_URL=through(domicile, links["rabbitmq"]))
    assert work.put(SIZE, "k1").acknowledged
    until(lambda: is_relayed(domicile), what="the relay is at work")
    links["rabbitmq"].cut()
    assert work.put(SIZE).acknowledged
    if bug:
        until(lambda: is_relayed(domicile), what="the relay has forgotten it")
    links["rabbitmq"].heal()
    assert set(work.wrong(patience=3 if bug else 30)) == found


def is_relayed(domicile) -> bool:
    return domicile.sql("SELECT count(*) FROM outbox") == [(0,)]


def through(domicile, link) -> str:
    url = domicile.suite.infrastructure.rabbitmq_url
    before, _, after = url.rpartition("@")
    return f"{before}@127.0.0.1:{link.port}/{after.partition('/')[2]}"
