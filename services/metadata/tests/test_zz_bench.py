import time
import pytest
pytestmark = pytest.mark.servers

async def run(metadata, bucket, prefix, rounds=60, batch=16):
    begun = committed = 0.0
    for r in range(rounds):
        from domicile_common.metadata_client.models import Begin
        t = time.perf_counter()
        intents = await metadata.ask_all(*[Begin(bucket_id=bucket.bucket_id, key=f"{prefix}{r}-{i}") for i in range(batch)])
        begun += time.perf_counter() - t
        t = time.perf_counter()
        await metadata.ask_all(*[metadata.commit(i) for i in intents])
        committed += time.perf_counter() - t
    n = rounds * batch
    return round(begun / n * 1e6), round(committed / n * 1e6)

async def test_bench(metadata):
    bucket = await metadata.make_bucket()
    out = []
    await run(metadata, bucket, "w")
    for n in range(3):
        for state in ("ENABLE", "DISABLE"):
            for name in ("versions_came", "versions_went"):
                await metadata.sql(f"ALTER TABLE versions {state} TRIGGER {name}")
            out.append((state, await run(metadata, bucket, f"{n}{state}")))
    from domicile_metadata.services import quotas as service
    from domicile_metadata.storage.quotas import Limits
    for name in ("versions_came", "versions_went"):
        await metadata.sql(f"ALTER TABLE versions ENABLE TRIGGER {name}")
    await service.put(metadata.context, "acme", Limits(bytes=10**15))
    out.append(("QUOTA", await run(metadata, bucket, "q")))
    print(out)
