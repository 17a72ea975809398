from __future__ import annotations

from datetime import UTC

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domicile_metadata.domain.audit import BEGINNING, Entry, Verdict, chain, check

FRESH = Verdict(0, 0, BEGINNING)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
entries = st.builds(
    Entry,
    at=st.datetimes(timezones=st.just(UTC)),
    kind=texts, actor=texts, role=texts, tenant_id=st.none() | texts, action=texts, target=texts, status=st.integers(100, 599),
    code=texts, request_id=texts,
)  # fmt: skip


def chained(found):
    rows, previous = [], BEGINNING
    for seq, entry in enumerate(found, 1):
        rows.append(chain(entry, seq, previous))
        previous = rows[-1].hash
    return rows


@given(st.lists(entries, max_size=6), st.integers(0, 6))
def test_what_was_written_hangs_together_in_whatever_pages(found, cut):
    rows = chained(found)
    verdict = check(rows[cut:], check(rows[:cut], FRESH))
    assert (verdict.entries, verdict.broken_at) == (len(rows), None)


@given(st.lists(entries, min_size=1, max_size=6), st.data())
def test_whatever_is_changed_shows(found, data):
    rows = chained(found)
    at = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from([name for name in Entry.__struct_fields__ if name not in ("at", "status")]))
    changed = msgspec.structs.replace(rows[at], **{name: f"{getattr(rows[at], name)}x"})
    assert check([*rows[:at], changed, *rows[at + 1 :]], FRESH).broken_at == at + 1


@given(st.lists(entries, min_size=2, max_size=6), entries, st.data())
def test_whatever_is_removed_put_in_or_written_anew_shows(found, other, data):
    rows = chained(found)
    at = data.draw(st.integers(0, len(rows) - 2))
    assert check([*rows[:at], *rows[at + 1 :]], FRESH).broken_at == (at + 2 if at else None)
    rewritten = chain(other, at + 1, rows[at].previous)
    if rewritten.hash != rows[at].hash:
        assert check([*rows[:at], rewritten, *rows[at + 1 :]], FRESH).broken_at == at + 2
        # All of it rewritten: only what was kept elsewhere shows it.
        forged = chained([*found[:at], other, *found[at + 1 :]])
        assert check(forged, FRESH).broken_at is None
        kept = rows[at]
        assert check(forged[at + 1 :], Verdict(0, kept.seq, kept.hash)).broken_at == at + 2
