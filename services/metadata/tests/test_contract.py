"""The service keeps the contract that its fake keeps: asked by the real client, over a socket."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn

from domicile_common.metadata_client.client import MetadataClient
from domicile_common.testing.metadata_contract import MetadataContract


@pytest.mark.servers
class TestService(MetadataContract):
    @pytest.fixture
    async def metadata(self, metadata, settings, unused_port) -> AsyncIterator[MetadataClient]:
        await metadata.sql("INSERT INTO tenants VALUES ('small', 'Small', repeat('d', 64))")
        await metadata.sql("INSERT INTO limits (tenant_id, bytes, objects) VALUES ('small', 10, 2)")
        config = uvicorn.Config(metadata.api, port=unused_port, http="httptools", lifespan="off", log_level="warning")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            assert not serving.done(), "the service does not start"
            await asyncio.sleep(0.005)
        client = MetadataClient(f"http://127.0.0.1:{unused_port}", settings.service_token.get_secret_value())
        yield client
        await client.close()
        server.should_exit = True
        await serving
