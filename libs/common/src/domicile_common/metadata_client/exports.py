"""The internal calls of leaving: a bucket's objects copied under their natural names to somewhere else (docs/adr/0016). Pure."""

from __future__ import annotations

from domicile_common.metadata_client.base import Call, Request
from domicile_common.model import Backend, Value


class Export(Value, frozen=True, kw_only=True):
    """The parameters of a task ``export``. ``target``: where to, a registered backend or another endpoint, without its secret.

    ``to_bucket``: the bucket there. ``overwrite``: what is there under the same key and is something else is replaced.
    ``allow_outside_lock``: the operator has said that the target may lie outside the bucket's lock.
    """

    tenant: str
    bucket: str
    prefix: str = ""
    target: Backend
    to_bucket: str
    overwrite: bool = False
    allow_outside_lock: bool = False


class OpenTarget(Request[Backend], frozen=True, kw_only=True):
    """The target of an export that this worker has in hand, with its sealed secret. Error: ``NoSuchTask``."""

    task_id: str
    worker: str


CALLS = (Call("open-target", OpenTarget, Backend, safe=True),)
