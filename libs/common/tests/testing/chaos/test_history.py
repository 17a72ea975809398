"""What answers say of keys: small stories, each right as it stands and wrong with one answer changed."""

from __future__ import annotations

import pytest

from domicile_common.testing.chaos.history import Listed, Operation, check, unexpected


class Story:
    """Operations one after the other, each of which takes no time unless it says so."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def tell(self, kind, number: int = 0, key: str = "k", status: int = 200, **told) -> int:
        now = len(self.operations) + 1
        number = number or now
        told = {"invoked": 10 * now, "returned": 10 * now + told.pop("lasts", 1)} | told
        self.operations.append(Operation(number, 1, kind, "b", key, status=status, **told))
        return number

    def put(self, status: int = 200, **told) -> int:
        number = len(self.operations) + 1
        return self.tell("put", number, status=status, **{"etag": f"e{number}", "md5": f"m{number}"} | told)

    def get(self, seen: int, content: int = 0, **told) -> None:
        if seen:
            self.tell("get", seen=seen, content=content or seen, **told)
        else:
            self.tell("get", status=404, **told)

    def wrong(self, *versioned: str) -> list[str]:
        return [fault.kind for fault in check(self.operations, versioned)]


@pytest.fixture
def story() -> Story:
    return Story()


def test_what_was_acknowledged_is_read(story):
    story.get(0)
    first = story.put()
    story.get(first)
    second = story.put()
    story.get(second)
    assert story.wrong() == []
    story.get(first)
    story.get(0)
    assert story.wrong() == ["resurrected", "lost"]


def test_bytes_that_nobody_wrote(story):
    first = story.put()
    story.get(first, content=-1)
    other = story.put(key="other")
    story.get(first, content=other)
    story.get(other, key="k")
    assert story.wrong().count("wrong bytes") == 3


def test_a_write_without_an_answer_may_take_effect_later_and_once(story):
    first = story.put()
    lost = story.put(status=0)
    story.get(first)
    story.get(lost)
    assert story.wrong() == []
    story.put()
    story.get(lost)
    assert story.wrong() == ["resurrected"]


def test_a_refused_write_has_no_effect(story):
    first = story.put()
    refused = story.put(status=412, condition="absent")
    story.get(first)
    assert story.wrong() == []
    story.get(refused)
    assert story.wrong() == ["resurrected"]


def test_conditions_are_observations(story):
    first = story.put(condition="absent")
    story.put(condition=f"e{first}")
    story.put(status=412, condition=f"e{first}")
    assert story.wrong() == []
    story.put(condition="absent")
    assert story.wrong() == ["unexplained"]


def test_a_deletion(story):
    first = story.put()
    story.tell("delete", status=204)
    story.get(0)
    story.put(status=404, condition=f"e{first}")
    assert story.wrong() == []
    story.get(first)
    assert story.wrong() == ["resurrected"]


def test_a_list_reads_every_key_that_it_covers(story):
    first = story.put(key="a")
    story.put(key="c")
    story.tell("list", key="", to="b", listed=(Listed("a", f"e{first}"),))
    assert story.wrong() == []
    story.tell("list", key="", listed=(Listed("a", f"e{first}"),))
    assert story.wrong() == ["lost"]


def test_a_copy_reads_its_source_and_has_its_bytes(story):
    first = story.put(key="from")
    second = story.put(key="from")
    copy = story.tell("copy", key="to", source="from", etag=f"m{second}", md5=f"m{second}")
    story.get(copy, key="to", content=second)
    story.tell("list", key="", listed=(Listed("from", f"e{second}"), Listed("to", f"m{second}")))
    assert story.wrong() == []
    story.tell("copy", key="to", source="from", etag=f"m{first}", md5=f"m{first}")
    assert story.wrong() == ["resurrected"]


def test_a_copy_without_an_answer_is_known_by_what_is_read(story):
    first = story.put(key="from")
    copy = story.tell("copy", key="to", source="from", status=503)
    story.tell("delete", key="from", status=204)
    story.get(copy, key="to", content=first)
    assert story.wrong() == []


def test_a_copy_of_nothing(story):
    story.put(key="from")
    story.tell("copy", key="to", source="from", status=404)
    assert story.wrong() == ["lost"]


def versions(*entries: tuple[str, str]) -> tuple[Listed, ...]:
    """Version ids, newest first, with their ETags; those of markers have none."""
    return tuple(Listed("k", etag, version, is_marker=not etag) for version, etag in entries)


def test_versions_stay_until_they_are_erased(story):
    first, second = story.put(version="v1"), story.put(version="v2")
    story.tell("delete", status=204, version="v3")
    story.get(0)
    story.tell("get version", version="v1", seen=first, content=first)
    story.tell("list versions", listed=versions(("v3", ""), ("v2", f"e{second}"), ("v1", f"e{first}")))
    story.tell("erase", status=204, version="v3")
    story.get(second, version="v2")
    story.tell("erase", status=204, version="v2")
    story.get(first, version="v1")
    story.tell("list versions", listed=versions(("v1", f"e{first}")))
    assert story.wrong("b") == []
    story.tell("get version", version="v1", status=404)
    assert story.wrong("b") == ["lost"]


def test_an_erased_version_does_not_come_back(story):
    first = story.put(version="v1")
    story.tell("erase", status=204, version="v1")
    story.tell("get version", version="v1", seen=first, content=first)
    assert story.wrong("b") == ["resurrected"]


def test_a_list_of_versions_is_in_order(story):
    first, second = story.put(version="v1"), story.put(version="v2")
    story.tell("list versions", listed=versions(("v1", f"e{first}"), ("v2", f"e{second}")))
    assert story.wrong("b") == ["unexplained"]


def test_a_marker_of_a_deletion_without_an_answer(story):
    first = story.put(version="v1")
    story.tell("delete", status=0)
    story.get(first, version="v1")
    story.get(0)
    story.tell("list versions", listed=versions(("v9", ""), ("v1", f"e{first}")))
    assert story.wrong("b") == []
    story.tell("list versions", listed=versions(("v8", ""), ("v9", ""), ("v1", f"e{first}")))
    assert story.wrong("b") == ["unexplained"]


def test_what_no_fault_may_cause_is_told_apart(story):
    for status in (200, 0, 503, 404, 500):
        story.put(status=status)
    assert [operation.status for operation in unexpected(story.operations)] == [500]
