from __future__ import annotations

import pytest

from domicile_local.layout import BACKENDS, PORTS, Layout
from domicile_local.servers.reach import PORTS_EACH


@pytest.mark.parametrize("first", [1, 9000, 28000])
def test_no_two_parts_share_a_port_and_suites_a_hundred_apart_do_not_meet(first):
    layout = Layout(first)
    ports = [layout.port(name) for name in PORTS] + [
        port for start in BACKENDS.values() for port in range(first + start, first + start + PORTS_EACH)
    ]
    assert len(set(ports)) == len(ports)
    assert min(ports) == first
    assert max(ports) < first + 80
