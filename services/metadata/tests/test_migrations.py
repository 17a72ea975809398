import asyncio

import asyncpg
import pytest

from domicile_common.errors import ConfigurationError
from domicile_metadata.domain.migration import Migration, pending
from domicile_metadata.storage import migrate as module
from domicile_metadata.storage.migrate import load_migrations, migrate


def made(*names: str) -> list[Migration]:
    return [Migration(name, f"sum of {name}", "") for name in names]


ALL = made("0001_pre_a", "0002_post_b", "0003_pre_c", "0004_post_d", "0005_post_e")


def due(applied, *, trailing_post=False, known=ALL):
    return [migration.name[:4] for migration in pending(known, applied, trailing_post=trailing_post)]


def sums(*names: str) -> dict[str, str]:
    return {name: f"sum of {name}" for name in names}


def test_a_start_applies_everything_up_to_the_last_pre():
    assert due({}) == ["0001", "0002", "0003"]
    assert due(sums("0001_pre_a")) == ["0002", "0003"]
    assert due(sums("0001_pre_a", "0002_post_b", "0003_pre_c")) == []


def test_migrate_applies_everything():
    assert due(sums("0001_pre_a"), trailing_post=True) == ["0002", "0003", "0004", "0005"]


def test_a_newer_releases_pre_is_no_harm():
    assert due(sums("0001_pre_a", "0002_post_b"), known=ALL[:1] + ALL[1:2]) == []
    assert due(sums("0001_pre_a", "0002_post_b", "0003_pre_c"), known=ALL[:2]) == []


@pytest.mark.parametrize(
    "applied",
    [
        {"0001_pre_a": "another sum"},
        sums("0002_post_b"),
        sums("0001_pre_a", "0006_post_f"),
        sums("0001_pre_a", "0002_pre_other"),
    ],
)
def test_what_does_not_fit_is_refused(applied):
    with pytest.raises(ValueError, match="migration"):
        pending(ALL, applied, trailing_post=True)


def test_files_are_numbered_in_order():
    numbers = [migration.name[:4] for migration in load_migrations()]
    assert numbers == sorted(set(numbers))


async def schema(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT table_name || '.' || column_name || ' ' || data_type AS line FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1"
    )
    await connection.close()
    return [row["line"] for row in rows]


@pytest.mark.servers
async def test_migrating_again_and_at_once_changes_nothing(empty_database_url):
    applied = await asyncio.gather(*(migrate(empty_database_url, trailing_post=True) for _ in range(4)))
    assert sorted(applied, key=len)[:3] == [[], [], []]
    assert max(applied, key=len) == [migration.name for migration in load_migrations()]
    before = await schema(empty_database_url)
    assert await migrate(empty_database_url, trailing_post=True) == []
    assert await schema(empty_database_url) == before
    assert "versions.digest json" in before


@pytest.mark.servers
async def test_a_pre_migration_takes_nothing_away(empty_database_url, monkeypatch):
    """The release before, which is still running, finds every column that it knows, of the type that it knows."""
    known, before = load_migrations(), set()
    for count, newest in enumerate(known, 1):
        monkeypatch.setattr(module, "load_migrations", lambda count=count: known[:count])
        await migrate(empty_database_url, trailing_post=True)
        after = set(await schema(empty_database_url))
        assert newest.is_post or before <= after, (newest.name, before - after)
        before = after


@pytest.mark.servers
async def test_a_changed_file_stops_the_start(empty_database_url, monkeypatch):
    await migrate(empty_database_url, trailing_post=False)
    (first, *_) = load_migrations()
    changed = (Migration(first.name, "another", first.text),)
    monkeypatch.setattr(module, "load_migrations", lambda: changed)
    with pytest.raises(ConfigurationError, match="was changed"):
        await migrate(empty_database_url, trailing_post=False)


@pytest.mark.servers
async def test_one_outside_a_transaction_goes_on_after_a_failure(empty_database_url, monkeypatch):
    text = "-- outside a transaction\nCREATE TABLE IF NOT EXISTS half (a int);\nCREATE INDEX CONCURRENTLY half_a ON {} (a);\n"
    for table, outcome in (("none", None), ("half", ["0001_pre_x"])):
        monkeypatch.setattr(module, "load_migrations", lambda table=table: (Migration("0001_pre_x", "s", text.format(table)),))
        if outcome is None:
            with pytest.raises(asyncpg.UndefinedTableError):
                await migrate(empty_database_url, trailing_post=False)
        else:
            assert await migrate(empty_database_url, trailing_post=False) == outcome
    assert "half.a integer" in await schema(empty_database_url)


@pytest.mark.servers
async def test_a_migration_that_fails_leaves_nothing(empty_database_url, monkeypatch):
    broken = (Migration("0001_pre_x", "s", "CREATE TABLE half (); SELECT 1 / 0;"),)
    monkeypatch.setattr(module, "load_migrations", lambda: broken)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database_url, trailing_post=False)
    assert not [line for line in await schema(empty_database_url) if line.startswith("half")]
