from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile_common.backends.http1 import default_tls
from domicile_common.errors import RequestError
from domicile_discovery.metadata import MetadataApi

API = MetadataApi("http://127.0.0.1:9", default_tls)  # connects to nothing before it is asked


async def ask(path, query=b""):
    async with API.stream("GET", path, {}, query=query):
        pass


@pytest.mark.parametrize(
    "path", ["/proxy/jobs/../../metrics", "/proxy/buckets/../secrets", "/proxy/tenants/.", "/proxy/..", "/proxy/a/./b"]
)
async def test_a_path_that_would_lead_elsewhere_is_asked_for_nowhere(path):
    with pytest.raises(RequestError, match="plain form"):
        await ask(path)


@pytest.mark.parametrize("query", [b"x=\xff", b"x=\x00", b"x=" + b"a" * 70_000])
async def test_a_query_that_is_none_is_asked_for_nowhere(query):
    with pytest.raises(RequestError, match="not that of a URL"):
        await ask("/proxy/tenants", query)


@given(st.lists(st.text("ab./%2eE~!'()*@:$&+,;=-_", min_size=0, max_size=6), max_size=5), st.text("ab=&%+./?*'", max_size=20))
def test_what_is_asked_for_is_what_was_looked_at(parts, query):
    path = "/proxy/" + "/".join(parts)
    try:
        url = API._asked(path, query.encode())
    except RequestError:
        assert {".", ".."} & set(path.split("/"))
        return
    assert url.raw_path.partition(b"?")[0] == path.encode()
    assert (url.host, url.port) == ("127.0.0.1", 9)
