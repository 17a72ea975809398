from __future__ import annotations

import pytest

from domicile_local.errors import SuiteError
from domicile_local.parts import Servers
from domicile_local.servers import ceph, rabbitmq
from domicile_local.settings import parse
from domicile_local.state import State


def servers(folder, **values):
    settings = parse({"DOMICILE_STATE": str(folder), **values}, folder)
    return Servers(settings, State(folder))


def test_what_is_not_installed_is_named_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(rabbitmq, "DEBIAN_SERVER", tmp_path / "none")
    monkeypatch.setattr(rabbitmq, "docker_answers", lambda: False)
    with pytest.raises(SuiteError, match="RabbitMQ is missing"):
        servers(tmp_path).check()


def test_what_the_backends_need_is_named_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(rabbitmq, "docker_answers", lambda: True)
    monkeypatch.setattr(ceph, "GATEWAY", tmp_path / "none")
    with pytest.raises(SuiteError, match="radosgw"):
        servers(tmp_path, BACKENDS="ceph").check()
