from __future__ import annotations

import pytest

from domicile_local.errors import SuiteError
from domicile_local.servers.reach import S3Backend
from domicile_local.servers.seaweedfs import SeaweedFS


def test_what_another_user_left_in_its_way_is_named(tmp_path, monkeypatch):
    def forbidden(_path, missing_ok):
        raise PermissionError

    server = SeaweedFS(tmp_path / "fi", S3Backend("fi", "FI", "http://127.0.0.1:9050", "a", "s"))
    monkeypatch.setattr("pathlib.Path.unlink", forbidden)
    with pytest.raises(SuiteError, match=r"seaweedfs-\w+-grpc-90\d\d\.sock was left by another user"):
        server._remove_sockets()
