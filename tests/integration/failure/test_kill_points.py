"""SIGKILL between the numbered steps of the flows (docs/architecture.md), and in the middle of those that are a transaction: the service
comes back, everything settles, and nothing is lost or left behind. After one step is before the next, so each boundary has one row; those that
``test_processes.py`` and ``test_rearrange.py`` kill at have none here:

PUT 6 (metadata), 7, 7 | 8, 8 (metadata), 9 before and after the confirms, 10 before, in the middle of and after a copy; COMPLETE 3 | 4 and after
its answer; CHANGE 2 wanted, 2 before the mark, 3 copied, 4 before and after a removal.
"""

from __future__ import annotations

import pytest

from domicile_common.testing.chaos.work import KEY, Work
from domicile_common.testing.installation import until
from domicile_local.errors import SuiteError

pytestmark = pytest.mark.servers

P, M, R = "domicile_proxy.operations", "domicile_metadata", "domicile_replicator"

WRITE = [
    ("PUT 6 | 7 the intent is there", "proxy", "after", f"{P}.intents:begin"),
    ("PUT 8 recorded, not committed", "metadata", "after", f"{M}.storage.intents:record"),
    ("PUT 8 | answer committed, not told", "proxy", "after", f"{P}.intents:commit"),
    ("PUT 9 confirmed, not forgotten", "metadata", "after", f"{M}.storage.outbox:delete"),
    ("PUT 10 copied, not reported", "replicator", "after", f"{R}.execute:Executor.copy"),
    ("PUT 10 reported, not answered", "metadata", "after", f"{M}.services.work:report"),
]
ABANDONED = [("PUT 11 swept, not committed", "metadata", "after", f"{M}.storage.expired:end")]
DELETE = [
    ("DELETE 1 | 2 recorded, not answered", "metadata", "after", f"{M}.services.deletions:delete"),
    ("DELETE 2 | 3 the job is there", "replicator", "before", f"{R}.execute:Executor.remove"),
    ("DELETE 3 | 4 removed, not reported", "replicator", "after", f"{R}.execute:Executor.remove"),
    ("DELETE 4 closed, not committed", "metadata", "after", f"{M}.storage.work:close"),
]
DUE = [("DELETE 2 enqueued, not committed", "metadata", "after", f"{M}.storage.outbox:enqueue_due")]
COPY = [
    ("COPY 6 | 7 the intent is there", "proxy", "before", f"{P}.copy:Copy.fill"),
    ("COPY 7 | 8 the bytes are there", "proxy", "after", f"{P}.copy:Copy.fill"),
]
UPLOAD = [
    ("CREATE open at the backends", "proxy", "after", f"{P}.multipart:create_uploads"),
    ("PART taken, not recorded", "proxy", "before", f"{P}.multipart:record_part"),
    ("PART recorded, not answered", "metadata", "after", f"{M}.services.uploads:put_part"),
    ("COMPLETE 2 | 3 the parts are fixed", "metadata", "after", f"{M}.storage.uploads:choose"),
    ("COMPLETE 4 | answer committed, not told", "metadata", "after", f"{M}.services.commit:commit"),
]
REPLACE = [
    ("CHANGE 1 asked for, not committed", "metadata", "after", f"{M}.services.rearrange:request"),
    ("CHANGE 2 a page is compared, not marked", "metadata", "after", f"{M}.services.rearrange:compare"),
    ("CHANGE 2 | 3 marked", "metadata", "after", f"{M}.storage.rearrange:advance"),
    ("CHANGE 3 the job is there", "replicator", "before", f"{R}.execute:Executor.copy"),
    ("CHANGE 4 no longer wanted, not committed", "metadata", "after", f"{M}.storage.rearrange:unwant"),
    ("CHANGE 4 settled, not committed", "metadata", "after", f"{M}.storage.rearrange:settle"),
]


def points(rows):
    return pytest.mark.parametrize("service, when, place", [row[1:] for row in rows], ids=[row[0] for row in rows])


@pytest.fixture(scope="module")
def domicile(open_installation):
    settings = {"OVERDUE_SECONDS": "1.5", "INTENT_SECONDS": "3", "UPLOAD_SECONDS": "4", "REMOVAL_GRACE_SECONDS": "0.2"}
    with open_installation(**settings, RECONCILE_SECONDS="0.2", REARRANGE_SECONDS="0.2", SWEEP_SECONDS="0.2") as made:
        made.admin("PUT", "/policies/default", {"replica_count": 2, "write_quorum": 1})
        yield made


@pytest.fixture(autouse=True)
def _mended(domicile):
    yield
    domicile.mend()


@pytest.fixture
def work(domicile) -> Work:
    """With an object that is copied everywhere, so that there is something to lose."""
    work = Work(domicile)
    assert work.put(1000).acknowledged
    domicile.idle()
    return work


@points(WRITE)
def test_a_write(domicile, work, service, when, place):
    domicile.restart(service, kill=(when, place))
    work.survives(service, lambda: work.put(300_000))
    assert work.wrong() == {}


@points(ABANDONED)
def test_the_end_of_a_write_that_nobody_goes_on_with(domicile, work, service, when, place):
    domicile.restart("proxy", kill=("before", f"{P}.intents:commit"))
    work.put(1000)
    domicile.killed("proxy")
    domicile.suite.services[service].kill()
    domicile.sql("UPDATE intents SET deadline = now()")
    domicile.start(service, kill=(when, place), wait=False)
    work.survives(service)
    domicile.start("proxy")
    assert work.wrong() == {}


@points(DUE)
def test_a_deletion_that_is_due(domicile, work, service, when, place):
    assert work.client.delete(work.bucket, KEY).acknowledged
    domicile.suite.services[service].kill()
    until(lambda: domicile.sql("SELECT bool_and(next_attempt_at < now()) FROM replicas WHERE state = 'deleting'") == [(True,)])
    domicile.start(service, kill=(when, "--count", "2", place), wait=False)  # removals are the second lane
    work.survives(service)
    assert work.wrong() == {}


@points(DELETE)
def test_a_deletion(domicile, work, service, when, place):
    domicile.restart(service, kill=(when, place))
    work.survives(service, lambda: work.client.delete(work.bucket, KEY))
    assert work.wrong() == {}


@points(COPY)
def test_a_copy(domicile, work, service, when, place):
    domicile.restart(service, kill=(when, place))
    work.survives(service, lambda: work.client.copy(work.bucket, KEY, KEY))
    assert work.wrong() == {}


@points(UPLOAD)
def test_an_upload_in_parts(domicile, work, service, when, place):
    domicile.restart(service, kill=(when, place))
    work.survives(service, lambda: work.client.multipart(work.bucket, KEY, ends=True))
    assert work.wrong() == {}


@points(REPLACE)
def test_what_exists_is_moved(domicile, service, when, place):
    work = Work(domicile, location="us,fi")
    for key in ("k0", "k1", "k2"):
        assert work.put(1000, key).acknowledged
    domicile.idle()
    domicile.restart(service, kill=(when, place))
    work.survives(service, lambda: until(lambda: put_policy(domicile, work.bucket), what="the policy is set"))
    assert work.wrong() == {}
    assert sorted(domicile.leftovers(work.bucket)) == ["de", "fi"]


def put_policy(domicile, bucket: str) -> bool:
    """Whether it was answered: whoever does it may die in between."""
    try:
        domicile.admin("PUT", f"/policies/buckets/one/{bucket}", {"region_lock": ["FI", "DE"]})
    except SuiteError:
        return False
    return True
