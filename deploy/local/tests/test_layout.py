from __future__ import annotations

import pytest

from domicile_local.layout import BACKENDS, PORTS, Layout
from domicile_local.servers.seaweedfs import PORTS_EACH


@pytest.mark.parametrize("first", [1, 9000, 28000])
def test_no_two_parts_share_a_port_and_suites_a_hundred_apart_do_not_meet(first):
    layout = Layout(first)
    ports = [layout.port(name) for name in PORTS] + [port for name in BACKENDS for port in layout.backend_ports(name)]
    assert len(set(ports)) == len(ports)
    assert min(ports) == first
    assert max(ports) < first + 80


def test_a_backend_has_the_ports_its_server_needs():
    assert {len(Layout().backend_ports(name)) for name in BACKENDS} == {PORTS_EACH}
