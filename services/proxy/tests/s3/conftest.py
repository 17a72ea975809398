"""A version to speak about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from domicile_common.model import Digest, Facts, Version

MODIFIED = datetime(2009, 10, 12, 17, 50, 30, 987654, tzinfo=UTC)


@pytest.fixture
def version() -> Callable[..., Version]:
    def make(size: int = 1000, facts: Facts | None = None, **digest: object) -> Version:
        return Version(
            bucket_id="b",
            key="k",
            version_id="v",
            committed_at=MODIFIED,
            facts=facts or Facts(),
            digest=Digest(size=size, md5="d41d8cd98f00b204e9800998ecf8427e", **digest),
        )

    return make
