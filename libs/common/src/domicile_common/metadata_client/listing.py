"""The internal calls that list objects, versions and uploads, page by page. Pure."""

from __future__ import annotations

from datetime import datetime

from domicile_common.bucket_settings import Acl
from domicile_common.metadata_client.base import Call, Request
from domicile_common.model import Tenant, Value


class ListObjects(Request["ObjectPage"], frozen=True, kw_only=True):
    """A page of current versions, sorted by UTF-8 bytes. ``after``: exclusive; a common prefix as ``after`` skips all below it.

    ``limit`` counts keys and common prefixes together, 0 to 1,000.
    """

    bucket_id: str
    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    limit: int = 1000


class ObjectEntry(Value, frozen=True):
    key: str
    size: int
    etag: str
    last_modified: datetime
    storage_class: str
    checksum_algorithms: tuple[str, ...] = ()
    checksum_type: str = ""


class ObjectPage(Value, frozen=True):
    """``last``: the last key or common prefix on the page, to be the next page's ``after``."""

    objects: tuple[ObjectEntry, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    last: str


class ListVersions(Request["VersionPage"], frozen=True, kw_only=True):
    """A page of all versions: keys by UTF-8 bytes, versions of a key newest first. ``limit`` counts as in ``ListObjects``.

    ``after_key``/``after_version``: exclusive; without a version id, all versions of the key lie before the page.
    """

    bucket_id: str
    prefix: str = ""
    delimiter: str = ""
    after_key: str = ""
    after_version: str = ""
    limit: int = 1000


class VersionEntry(Value, frozen=True):
    """``version_id``: as in ``Version``, also for null versions."""

    object: ObjectEntry
    version_id: str
    is_null: bool
    is_latest: bool
    is_delete_marker: bool = False

    @property
    def shown_id(self) -> str:
        """Its id as S3 shows it."""
        return "null" if self.is_null else self.version_id


class VersionPage(Value, frozen=True):
    """``last``: key (or common prefix) and version id of the page's end, to be the next page's ``after_…``."""

    versions: tuple[VersionEntry, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    last: tuple[str, str]


class ListUploads(Request["UploadPage"], frozen=True, kw_only=True):
    """Sorted by key, then upload id. ``after_key``/``after_upload``: exclusive marker."""

    bucket_id: str
    prefix: str = ""
    delimiter: str = ""
    after_key: str = ""
    after_upload: str = ""
    limit: int = 1000


class UploadEntry(Value, frozen=True):
    key: str
    upload_id: str
    initiated_at: datetime
    storage_class: str
    checksum_algorithm: str = ""
    checksum_type: str = ""
    acl: Acl | None = None
    initiator: Tenant | None = None


class UploadPage(Value, frozen=True):
    uploads: tuple[UploadEntry, ...]
    prefixes: tuple[str, ...]
    truncated: bool


CALLS = (
    Call("list-objects", ListObjects, ObjectPage, safe=True),
    Call("list-versions", ListVersions, VersionPage, safe=True),
    Call("list-uploads", ListUploads, UploadPage, safe=True),
)
