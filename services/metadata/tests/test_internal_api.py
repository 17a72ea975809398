from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domicile_common.metadata_client.models import CALLS, Delete, FindBucket, Locate
from domicile_metadata.handlers.internal import SERVICES
from domicile_metadata.services.answers import CHUNK, chunked

pytestmark = pytest.mark.servers


def test_every_call_has_a_service():
    assert set(SERVICES) == set(CALLS)


async def test_transactions_over_keys_are_small(metadata):
    """PostgreSQL's table of locks has a fixed size."""
    sizes = []

    async def serve(_context, requests):
        sizes.append(len(requests))
        return requests

    requests = list(range(2 * CHUNK + 7))
    assert await chunked(serve)(metadata.context, requests) == requests
    assert sizes == [CHUNK, CHUNK, 7]
    bucket = await metadata.make_bucket()
    await metadata.ask_all(*(Delete(bucket_id=bucket.bucket_id, key=f"{n}") for n in range(3 * CHUNK)))


@pytest.mark.parametrize("token", ["", "x", "a-long-enough-value-0f3b9c7", "a-long-enough-value-0f3b9c711", "ä"])
@pytest.mark.parametrize("path", ["/internal/list-backends", "/internal/nonsense", "/internal/"])
async def test_without_the_token_nothing_is_told(metadata, path, token):
    assert (await metadata.post(path, b"[]", token))[0] == 401


async def test_what_is_no_call(metadata):
    assert (await metadata.post("/internal/nonsense", b"[]"))[0] == 404
    assert (await metadata.post("/internal/locate", b"[]", method="GET"))[0] == 405
    assert await metadata.post("/internal/locate", b"[]") == (200, b"[]")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[{}]", b"[", b"\xff", b"null", b'[{"bucket_id": 1, "key": "k"}]', b"[" * 100_000, b'[{"bucket_id": "\xff", "key": "k"}]', b'[{"bucket_id": "a", "key": "\\ud800"}]'],
)  # fmt: skip
async def test_bad_json_is_the_callers_fault(metadata, body):
    status, answer = await metadata.post("/internal/locate", body)
    assert status == 400
    assert "error" in msgspec.json.decode(answer)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(call=st.sampled_from(sorted(CALLS.values(), key=lambda call: call.name)), data=st.data())
async def test_no_values_of_the_right_types_break_a_call(metadata, call, data):
    """Whatever is asked: an answer for each item, and never the word of a bug."""
    request = data.draw(st.from_type(dict).flatmap(lambda _: requests_of(call.request)))
    status, body = await metadata.post(f"/internal/{call.name}", msgspec.json.encode([request, request]))
    assert status == 200, body
    assert len(msgspec.json.decode(body)) == 2
    assert b"internal error" not in body


IDS = st.sampled_from(["", "?", "0" * 32, "1" * 32, "F" * 32, "\x00", "null"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
COUNTS = st.integers(-(2**31), 2**31 - 1)


def requests_of(kind):
    """Requests of this type as plain data, with values that are well-typed and otherwise arbitrary."""
    return st.fixed_dictionaries({field.encode_name: values_of(field.name, field.type) for field in msgspec.structs.fields(kind)})


def values_of(name, kind):
    if name.endswith("_id"):
        return IDS
    info = msgspec.inspect.type_info(kind)
    return build(info)


def build(info):  # noqa: C901, PLR0911 - a table of cases
    match info:
        case msgspec.inspect.StrType():
            return TEXTS
        case msgspec.inspect.IntType():
            return COUNTS
        case msgspec.inspect.FloatType():
            return st.floats(-1e9, 1e9)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.DateTimeType():
            return st.datetimes(datetime(2, 1, 1), datetime(9990, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat)  # noqa: DTZ001 - hypothesis wants naive bounds
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.AnyType():
            return st.one_of(st.none(), COUNTS, TEXTS, st.lists(TEXTS, max_size=2))
        case msgspec.inspect.LiteralType(values=values):
            return st.sampled_from(values)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of(*map(build, types))
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(build(key), build(value), max_size=2)
        case msgspec.inspect.VarTupleType(item_type=item):
            return st.lists(build(item), max_size=3)
        case msgspec.inspect.StructType(fields=fields):
            return st.fixed_dictionaries({field.encode_name: build(field.type) for field in fields})
    raise TypeError(info)


async def test_an_answer_says_what_went_wrong_with_each_item(metadata):
    bucket = await metadata.make_bucket()
    body = msgspec.json.encode([FindBucket(tenant_id="acme", name="photos"), FindBucket(tenant_id="acme", name="other")])
    status, answer = await metadata.post("/internal/find-bucket", body)
    found, missing = msgspec.json.decode(answer)
    assert status == 200
    assert found["ok"]["bucket_id"] == bucket.bucket_id
    assert list(missing) == ["error"]
    assert missing["error"]["code"] == "NoSuchBucket"


async def test_without_the_database_every_item_is_unavailable(metadata):
    bucket = await metadata.make_bucket()
    await metadata.database.close()
    for request in (Locate(bucket_id=bucket.bucket_id, key="k"), FindBucket(tenant_id="acme", name="photos")):
        status, answer = await metadata.post(f"/internal/{CALLS[type(request)].name}", msgspec.json.encode([request] * 3))
        assert (status, msgspec.json.decode(answer)) == (200, [{"unavailable": "the database is away"}] * 3)
