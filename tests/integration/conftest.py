"""Installations for the integration tests: one that is shared, and private ones for tests that break something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from domicile_common.testing.installation import Installation, installation


@pytest.fixture(scope="module")
def open_installation(tmp_path_factory, backends) -> Callable[..., AbstractContextManager[Installation]]:
    """Makes installations: ``with open_installation(INTENT_SECONDS="3") as domicile``; see ``installation``."""
    return partial(installation, tmp_path_factory.mktemp("services"), backends=backends)


@pytest.fixture(scope="session")
def domicile(tmp_path_factory, backends) -> Iterator[Installation]:
    """The shared one. Tests have buckets of their own there, and leave its services and policies alone."""
    with installation(tmp_path_factory.mktemp("services"), backends=backends) as made:
        yield made


@pytest.fixture
def s3(domicile):
    """A boto3 client of tenant ``one``."""
    return domicile.client()


@pytest.fixture
def bucket(domicile) -> str:
    """A new bucket of tenant ``one``, under the default policy: two copies in two countries of the EU."""
    return domicile.new_bucket()
