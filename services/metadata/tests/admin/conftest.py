"""The admin API on a real database, without a socket of its own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from domicile_common.metadata_client.models import CreateBucket
from domicile_common.sealing import Sealer
from domicile_common.sigv4 import canonical
from domicile_common.sigv4.sign import Signer
from domicile_metadata.context import Context
from domicile_metadata.handlers.admin import admin_routes
from domicile_metadata.services import buckets
from domicile_metadata.settings import Settings
from domicile_metadata.storage.database import connect

ADMIN_KEY = "an-operator-key-4711"
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture(scope="session")
def sealer():
    return Sealer("correct horse battery staple")


@pytest.fixture
async def context(database_url, sealer):
    settings = Settings(
        database_url=SecretStr(database_url),
        rabbitmq_url=SecretStr("amqp://u:p@127.0.0.1/v"),
        service_token=SecretStr("between-services-4711"),
        admin_api_key=SecretStr(ADMIN_KEY),
        tenant_secret_passphrase=SecretStr("correct horse battery staple"),
        namespace_key=SecretStr("an example key, not one to use"),
        erasure_signing_key=SecretStr("another example, not to use"),
    )
    database = await connect(database_url, size=4)
    yield Context(settings=settings, database=database, sealer=sealer, clock=lambda: NOW)
    await database.close()


@dataclass
class Admin:
    client: httpx.AsyncClient
    context: Context
    sql: asyncpg.Connection
    now: datetime = NOW

    async def call(self, method: str, path: str, body: Any = None, status: int = 200, **params: Any) -> Any:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        response = await self.client.request(method, f"/proxy{path}", content=content, params=params)
        assert response.status_code == status, response.text
        return response.json()

    async def refused(self, status: int, code: str, method: str, path: str, body: Any = None, **params: Any) -> str:
        error = (await self.call(method, path, body, status, **params))["error"]
        assert error["code"] == code, error
        return error["message"]

    async def invalidations(self) -> list[tuple[str, str]]:
        """What was sent since the last look."""
        rows = await self.sql.fetch("DELETE FROM outbox WHERE routing_key = 'invalidate' RETURNING id, payload::text")
        return [(event["kind"], event["id"]) for _, text in sorted(rows) for event in [json.loads(text)]]

    @staticmethod
    def registration(**fields: Any) -> dict[str, Any]:
        return {
            "provider": "acme-cloud",
            "endpoint": "http://127.0.0.1:9000",
            "country": "FI",
            "jurisdictions": ["FI"],
            "access_key": "AK",
            "secret_key": "hunter2hunter2",
        } | fields

    async def backend(self, backend_id: str, country: str, jurisdictions: list[str] | None = None, **fields: Any) -> Any:
        body = self.registration(country=country, jurisdictions=jurisdictions or [country], **fields)
        return await self.call("PUT", f"/backends/{backend_id}", body)

    async def prepared(self, *, tenant: str = "acme", **policy: Any) -> None:
        """Backends in FI, DE and US, a tenant, and a default policy of one copy anywhere."""
        for backend_id in ("fi", "de", "us"):
            await self.backend(backend_id, backend_id.upper())
        await self.call("POST", "/tenants", {"tenant_id": tenant}, 201)
        await self.call("PUT", "/policies/default", {"replica_count": 1, "write_quorum": 1} | policy)

    async def bucket(self, name: str, location: str = "", tenant: str = "acme") -> str:
        made = await buckets.create(self.context, CreateBucket(tenant_id=tenant, name=name, location=location))
        return made.bucket_id

    async def version(self, bucket_id: str, key: str, **states: str) -> str:
        """A committed version with a replica in the given state at each of the given backends."""
        version_id = (await self.sql.fetchval("SELECT gen_random_uuid()")).hex
        decision = json.dumps({"wanted": list(states), "write": list(states)[:1], "policy_version": 1, "reason": "because"})
        await self.sql.execute(
            """INSERT INTO versions (bucket_id, version_id, key, size, etag, storage_class, digest, facts, decision, is_null)
               VALUES ($1, $2, $3, 5, 'etag', 'STANDARD', '{}', '{}', $4, true)""",
            bucket_id, version_id, key.encode(), decision,
        )  # fmt: skip
        await self.sql.execute(
            "INSERT INTO objects VALUES ($1, $2, $3) ON CONFLICT (bucket_id, key) DO UPDATE SET version_id = excluded.version_id",
            bucket_id, key.encode(), version_id,
        )  # fmt: skip
        for backend_id, state in states.items():
            await self.sql.execute(
                """INSERT INTO replicas (bucket_id, version_id, backend_id, namespace, blob_key, state, next_attempt_at)
                   VALUES ($1, $2, $3, 'ns', $4, $5, now())""",
                bucket_id, version_id, backend_id, f"{key}/{version_id}", state,
            )  # fmt: skip
        return version_id

    async def intent(self, bucket_id: str, backend_id: str) -> None:
        """A write under way to one backend."""
        decision = json.dumps({"wanted": [backend_id], "write": [backend_id], "policy_version": 1, "reason": "because"})
        await self.sql.execute(
            """INSERT INTO intents (bucket_id, version_id, key, decision, blobs, facts, is_upload, deadline)
               VALUES ($1, gen_random_uuid(), 'a', $2, '[]', '{}', false, now())""",
            bucket_id, decision,
        )  # fmt: skip

    async def until_waiting(self, count: int) -> None:
        """Until so many statements of this database wait for a lock."""
        statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with asyncio.timeout(20):
            while await self.sql.fetchval(statement) < count:
                await self.sql.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees the same statistics throughout
                await asyncio.sleep(0.02)

    async def compared(self) -> dict[str, bool]:
        """Buckets whose versions are to be compared, and whether they have been."""
        rows = await self.sql.fetch("SELECT name, finished_at FROM rearrangements JOIN buckets USING (bucket_id)")
        return {row["name"]: row["finished_at"] is not None for row in rows}

    async def locks(self) -> dict[str, tuple[Any, Any]]:
        rows = await self.sql.fetch("SELECT name, countries, jurisdictions FROM buckets")
        return {row["name"]: (row["countries"], row["jurisdictions"]) for row in rows}


@dataclass
class Person:
    """Somebody who has signed in with an access key."""

    client: httpx.AsyncClient
    token: str

    async def ask(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"X-Admin-Key": "", "Authorization": f"Bearer {self.token}"}
        return await self.client.request(method, f"/proxy{path}", content=content, params=params, headers=headers)

    async def call(self, method: str, path: str, body: Any = None, status: int = 200, **params: Any) -> Any:
        response = await self.ask(method, path, body, **params)
        assert response.status_code == status, response.text
        return response.json()


@pytest.fixture
def sign_in(admin):
    """Makes a tenant, if it is not there, an access key of it, and a session of that."""

    async def person(tenant: str, access: str = "full") -> Person:
        await admin.client.post("/proxy/tenants", json={"tenant_id": tenant})
        pair = await admin.call("POST", "/credentials", {"tenant_id": tenant, "access": access}, 201)
        headers = {"host": "discovery.example"}
        signer = Signer(pair["credential"]["access_key"], pair["secret_key"], "us-east-1")
        headers |= signer.sign("POST", "/api/session/tenant", "", headers, payload=canonical.EMPTY_SHA256, now=admin.now)
        issued = await admin.call("POST", "/sessions/tenant", {"headers": headers}, 201)
        return Person(admin.client, issued["token"])

    return person


@pytest.fixture
async def admin(context, database_url):
    app = Starlette(routes=admin_routes(context))
    sql = await asyncpg.connect(database_url)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://metadata", headers={"X-Admin-Key": ADMIN_KEY}
    ) as client:
        yield Admin(client, context, sql)
    await sql.close()
