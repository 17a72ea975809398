"""The metadata service on a database of its own, asked through its internal API without a socket in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
import pytest

from domicile_common.errors import RequestError, Unavailable
from domicile_common.metadata_client.models import (
    CALLS,
    Begin,
    Commit,
    Committed,
    Condition,
    CreateBucket,
    Intent,
    Outcome,
    Request,
    Stored,
)
from domicile_common.model import Bucket, Digest, Facts
from domicile_common.sealing import Sealer
from domicile_metadata.context import Context
from domicile_metadata.handlers.internal import InternalApi
from domicile_metadata.settings import Settings
from domicile_metadata.storage.database import Database, connect

R = TypeVar("R")

SECRET = "a-long-enough-value-0f3b9c71"
HOME = """
INSERT INTO tenants (tenant_id, name, canonical_id) VALUES ('acme', 'Acme', repeat('a', 64)), ('zeta', 'Zeta', repeat('b', 64));
INSERT INTO policies (level, subject, document) VALUES ('default', '', '{"replica_count": 2, "write_quorum": 1}');
INSERT INTO backends (backend_id, provider, endpoint, country, jurisdictions, access_key, sealed_secret, region, addressing, quirks,
                      state, cost)
VALUES ('fi', 'nord', 'http://fi', 'FI', '{FI}', 'k', 's', 'r', 'path', 'generic', 'active', 10),
       ('de', 'mitte', 'http://de', 'DE', '{DE}', 'k', 's', 'r', 'path', 'generic', 'active', 20),
       ('us', 'west', 'http://us', 'US', '{US}', 'k', 's', 'r', 'path', 'generic', 'active', 5);
"""


class Metadata:
    """A client of the service that goes through its bytes. Errors are raised; ``ask_all`` answers them as values."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.database = context.database
        self.api = InternalApi(context)

    async def post(self, path: str, body: bytes, token: str = SECRET, method: str = "POST") -> tuple[int, bytes]:
        scope = {"type": "http", "method": method, "path": path, "headers": [(b"authorization", b"Bearer " + token.encode())]}
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.api(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]

    async def ask_all(self, *requests: Request[R]) -> list[R | RequestError | Unavailable]:
        call = CALLS[type(requests[0])]
        status, body = await self.post(f"/internal/{call.name}", msgspec.json.encode(requests))
        assert status == 200, body
        outcomes = msgspec.json.decode(body, type=list[Outcome[call.result]])  # type: ignore[name-defined]
        assert len(outcomes) == len(requests)
        return [_value(outcome) for outcome in outcomes]

    async def ask(self, request: Request[R]) -> R:
        (answer,) = await self.ask_all(request)
        if isinstance(answer, RequestError | Unavailable):
            raise answer
        return answer

    async def sql(self, statement: str, *args: object) -> list[Any]:
        async with self.database._pool.acquire() as connection:
            rows: list[Any] = await connection.fetch(statement, *args) if args else await connection.fetch(statement)
            return rows

    async def make_bucket(self, name: str = "photos", location: str = "") -> Bucket:
        return await self.ask(CreateBucket(tenant_id="acme", name=name, location=location))

    async def begin(self, bucket: Bucket, key: str, **fields: Any) -> Intent:
        return await self.ask(Begin(bucket_id=bucket.bucket_id, key=key, **fields))

    def commit(self, intent: Intent, size: int = 3, md5: str = "0" * 32, **fields: Any) -> Commit:
        fields.setdefault("stored", tuple(Stored(backend_id, md5) for backend_id in intent.decision.write))
        return Commit(bucket_id=intent.bucket_id, version_id=intent.version_id, digest=Digest(size, md5), **fields)

    async def put(
        self, bucket: Bucket, key: str, *, md5: str = "0" * 32, condition: Condition | None = None, facts: Facts | None = None
    ) -> Committed:
        intent = await self.begin(bucket, key, facts=facts or Facts())
        return await self.ask(self.commit(intent, md5=md5, condition=condition or Condition()))

    async def replicas(self, version_id: str) -> dict[str, str]:
        rows = await self.sql("SELECT backend_id, state FROM replicas WHERE version_id = $1", version_id)
        return {row["backend_id"]: row["state"] for row in rows}


def _value(outcome: Outcome[Any]) -> Any:
    if outcome.error is not None:
        return RequestError(outcome.error.code, outcome.error.message, outcome.error.detail)
    return Unavailable(outcome.unavailable) if outcome.unavailable is not None else outcome.ok


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        rabbitmq_url="amqp://nobody:nothing@127.0.0.1:1/none",
        service_token=SECRET,
        admin_api_key=SECRET,
        tenant_secret_passphrase=SECRET,
        namespace_key=SECRET,
    )


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await connect(database_url, wait_seconds=30)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def sealer() -> Sealer:
    """Deriving its key is slow on purpose."""
    return Sealer(SECRET)


@pytest.fixture
async def metadata(settings: Settings, database: Database, sealer: Sealer) -> Metadata:
    """Two tenants, a default policy of two copies, backends in FI, DE and US, and no bucket."""
    metadata = Metadata(Context(settings=settings, database=database, sealer=sealer))
    async with database._pool.acquire() as connection:
        await connection.execute(HOME)
    return metadata
