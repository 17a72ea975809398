"""The XML documents that S3 answers with, as bytes. Pure.

Elements and their order: S3 API reference, each operation's "Response Syntax". Strings are joined directly: a page of a thousand keys
is the proxy's largest answer of its own making, and a tree would cost several times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from domicile_common.metadata_client.models import BucketEntry, ObjectEntry, PartEntry, Upload, UploadEntry, VersionEntry
from domicile_common.model import DefaultRetention, Digest, Lock, Part, Tenant
from domicile_proxy.s3.locks import retain_until
from domicile_proxy.s3.xml import HEAD, XMLNS, escape, show, timestamp, url_encode

Encode = Callable[[str], str]


class Failed(NamedTuple):
    """One key that DeleteObjects could not delete."""

    key: str
    version_id: str | None
    code: str
    message: str


class Removed(NamedTuple):
    """One key that DeleteObjects deleted. ``version_id``: as asked for. ``marker``: the delete marker that was made or removed."""

    key: str
    version_id: str | None
    marker: str | None


def document(root: str, content: str = "") -> bytes:
    """A whole document of S3's namespace."""
    return (f"{HEAD}<{root} {XMLNS}>{content}</{root}>" if content else f"{HEAD}<{root} {XMLNS}/>").encode()


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _asked_key(key: str) -> str:
    return f"<Key>{show(key)}</Key>"


def _optional(name: str, text: str, encode: Encode = escape) -> str:
    return f"<{name}>{encode(text)}</{name}>" if text else ""


def _person(tenant: Tenant, role: str = "Owner") -> str:
    return f"<{role}>{_tag('ID', tenant.canonical_id)}{_tag('DisplayName', tenant.name)}</{role}>"


def _etag(etag: str) -> str:
    return f"<ETag>&quot;{escape(etag)}&quot;</ETag>"


def _checksums(checksums: Mapping[str, str], checksum_type: str = "") -> str:
    values = "".join(_tag(f"Checksum{name.upper()}", value) for name, value in checksums.items())
    return values + _tag("ChecksumType", checksum_type) if values and checksum_type else values


def _truncated(truncated: bool) -> str:  # noqa: FBT001 -- it is what the element says
    return f"<IsTruncated>{'true' if truncated else 'false'}</IsTruncated>"


def _prefixes(prefixes: Iterable[str], encode: Encode) -> str:
    return "".join(f"<CommonPrefixes><Prefix>{encode(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes)


# --- buckets ---


def list_buckets(owner: Tenant, buckets: Iterable[BucketEntry], *, prefix: str, token: str, region: str) -> bytes:
    """ListBuckets. ``token``: where the next page begins, ``""`` on the last. ``region``: of all of them, ``""`` to a request without parameters."""
    place = _optional("BucketRegion", region)
    rows = "".join(
        f"<Bucket>{_tag('Name', bucket.name)}<CreationDate>{timestamp(bucket.created_at)}</CreationDate>{place}</Bucket>"
        for bucket in buckets
    )
    content = f"{_person(owner)}<Buckets>{rows}</Buckets>{_optional('ContinuationToken', token)}{_optional('Prefix', prefix)}"
    return document("ListAllMyBucketsResult", content)


def location(constraint: str) -> bytes:
    """GetBucketLocation: the element's text itself is the answer, empty for none."""
    return document("LocationConstraint", escape(constraint))


# --- listings ---


class Listing(NamedTuple):
    """What a listing was asked for, repeated in its answer. ``url``: ``encoding-type=url``. ``limit``: max-keys as it holds."""

    bucket: str
    prefix: str
    delimiter: str
    limit: int
    url: bool

    @property
    def encode(self) -> Encode:
        return url_encode if self.url else escape

    @property
    def head(self) -> str:
        """The elements that every listing of objects has."""
        return (
            f"{_tag('Name', self.bucket)}<Prefix>{self.encode(self.prefix)}</Prefix>{_optional('Delimiter', self.delimiter, self.encode)}"
            f"<MaxKeys>{self.limit}</MaxKeys>{'<EncodingType>url</EncodingType>' if self.url else ''}"
        )


def _entry(entry: ObjectEntry, encode: Encode, owner: str) -> str:
    algorithms = "".join(_tag("ChecksumAlgorithm", name.upper()) for name in entry.checksum_algorithms)
    return (
        f"<Key>{encode(entry.key)}</Key><LastModified>{timestamp(entry.last_modified)}</LastModified>{_etag(entry.etag)}{algorithms}"
        f"{_optional('ChecksumType', entry.checksum_type)}<Size>{entry.size}</Size>{owner}{_tag('StorageClass', entry.storage_class)}"
    )


def _contents(objects: Iterable[ObjectEntry], encode: Encode, owner: Tenant | None) -> str:
    person = _person(owner) if owner else ""
    return "".join([f"<Contents>{_entry(entry, encode, person)}</Contents>" for entry in objects])


def list_objects(
    listing: Listing, objects: Iterable[ObjectEntry], prefixes: Iterable[str], *, owner: Tenant, marker: str, next_marker: str
) -> bytes:
    """ListObjects (version 1). ``next_marker``: ``""`` on the last page."""
    encode = listing.encode
    # S3 gives NextMarker only with a delimiter; without, the last key says the same.
    following = _optional("NextMarker", next_marker, encode) if listing.delimiter else ""
    return document(
        "ListBucketResult",
        f"{listing.head}<Marker>{encode(marker)}</Marker>{following}{_truncated(bool(next_marker))}"
        f"{_contents(objects, encode, owner)}{_prefixes(prefixes, encode)}",
    )


def list_objects_v2(
    listing: Listing,
    objects: tuple[ObjectEntry, ...],
    prefixes: tuple[str, ...],
    *,
    owner: Tenant | None,
    start_after: str,
    token: str | None,
    next_token: str,
) -> bytes:
    """ListObjectsV2. ``owner``: only with fetch-owner. ``token``: this page's, if any; ``next_token``: ``""`` on the last page."""
    encode = listing.encode
    this = "" if token is None else _tag("ContinuationToken", token)
    return document(
        "ListBucketResult",
        f"{listing.head}<KeyCount>{len(objects) + len(prefixes)}</KeyCount>{_optional('StartAfter', start_after, encode)}"
        f"{this}{_optional('NextContinuationToken', next_token)}{_truncated(bool(next_token))}"
        f"{_contents(objects, encode, owner)}{_prefixes(prefixes, encode)}",
    )


def list_versions(
    listing: Listing,
    versions: Iterable[VersionEntry],
    prefixes: Iterable[str],
    *,
    owner: Tenant,
    marker: tuple[str, str],
    next_marker: tuple[str, str] | None,
) -> bytes:
    """ListObjectVersions. ``marker``, ``next_marker``: key and version id after which this and the next page begin."""
    encode = listing.encode
    person = _person(owner)
    rows = "".join([_version(version, encode, person) for version in versions])
    following = (
        f"<NextKeyMarker>{encode(next_marker[0])}</NextKeyMarker>{_optional('NextVersionIdMarker', next_marker[1])}"
        if next_marker
        else ""
    )
    return document(
        "ListVersionsResult",
        f"{listing.head}<KeyMarker>{encode(marker[0])}</KeyMarker>{_tag('VersionIdMarker', marker[1])}{following}"
        f"{_truncated(next_marker is not None)}{rows}{_prefixes(prefixes, encode)}",
    )


def _version(version: VersionEntry, encode: Encode, owner: str) -> str:
    head = f"<VersionId>{version.shown_id}</VersionId><IsLatest>{'true' if version.is_latest else 'false'}</IsLatest>"
    entry = version.object
    if version.is_delete_marker:
        modified = f"<LastModified>{timestamp(entry.last_modified)}</LastModified>"
        return f"<DeleteMarker><Key>{encode(entry.key)}</Key>{head}{modified}{owner}</DeleteMarker>"
    return f"<Version>{head}{_entry(entry, encode, owner)}</Version>"


# --- objects ---


def delete_result(removed: Iterable[Removed], failed: Iterable[Failed]) -> bytes:
    """DeleteObjects."""
    rows = [
        f"<Deleted>{_tag('Key', one.key)}{_optional('VersionId', one.version_id or '')}"
        + (f"<DeleteMarker>true</DeleteMarker>{_tag('DeleteMarkerVersionId', one.marker)}" if one.marker else "")
        + "</Deleted>"
        for one in removed
    ]
    rows += [
        f"<Error>{_tag('Key', one.key)}{_optional('VersionId', one.version_id or '')}{_tag('Code', one.code)}"
        f"{_tag('Message', one.message)}</Error>"
        for one in failed
    ]
    return document("DeleteResult", "".join(rows))


def _copy_result(root: str, etag: str, modified: datetime, checksums: Mapping[str, str], checksum_type: str) -> bytes:
    content = f"{_etag(etag)}<LastModified>{timestamp(modified)}</LastModified>{_checksums(checksums, checksum_type)}"
    return document(root, content)


def copy_object_result(etag: str, modified: datetime, checksums: Mapping[str, str], checksum_type: str) -> bytes:
    """CopyObject."""
    return _copy_result("CopyObjectResult", etag, modified, checksums, checksum_type)


def copy_part_result(etag: str, modified: datetime, checksums: Mapping[str, str]) -> bytes:
    """UploadPartCopy."""
    return _copy_result("CopyPartResult", etag, modified, checksums, "")


def post_response(location: str, bucket: str, key: str, etag: str) -> bytes:
    """PostObject with ``success_action_status`` 201; it has no namespace. ``etag``: with quotes."""
    content = f"{_tag('Location', location)}{_tag('Bucket', bucket)}{_asked_key(key)}{_tag('ETag', etag)}"
    return f"{HEAD}<PostResponse>{content}</PostResponse>".encode()


def tagging(tags: Mapping[str, str]) -> bytes:
    """GetObjectTagging and GetBucketTagging: a set, shown by key."""
    rows = "".join(f"<Tag>{_tag('Key', key)}{_tag('Value', value)}</Tag>" for key, value in sorted(tags.items()))
    return document("Tagging", f"<TagSet>{rows}</TagSet>")


def lock_configuration(default: DefaultRetention | None) -> bytes:
    """GetObjectLockConfiguration."""
    rule = ""
    if default is not None:
        period = f"<Days>{default.days}</Days>" if default.days else f"<Years>{default.years}</Years>"
        rule = f"<Rule><DefaultRetention><Mode>{default.mode}</Mode>{period}</DefaultRetention></Rule>"
    return document("ObjectLockConfiguration", f"<ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}")


def retention(lock: Lock) -> bytes:
    """GetObjectRetention, of a version that has one."""
    assert lock.mode is not None
    assert lock.until is not None
    return document("Retention", f"<Mode>{lock.mode}</Mode><RetainUntilDate>{retain_until(lock.until)}</RetainUntilDate>")


def legal_hold(*, on: bool) -> bytes:
    """GetObjectLegalHold."""
    return document("LegalHold", f"<Status>{'ON' if on else 'OFF'}</Status>")


class PartsPage(NamedTuple):
    """The parts that GetObjectAttributes shows: behind ``marker``, ``limit`` at most."""

    parts: tuple[Part, ...]
    marker: int
    limit: int
    truncated: bool


def object_attributes(digest: Digest, storage_class: str, asked: Collection[str], page: PartsPage | None) -> bytes:
    """GetObjectAttributes: what is ``asked`` for, in the order of S3's schema; no parts of an object that has none."""
    content = ""
    if "ETag" in asked:
        content += _tag("ETag", digest.etag)
    if "Checksum" in asked and digest.checksums:
        content += f"<Checksum>{_checksums(digest.checksums, digest.checksum_type)}</Checksum>"
    if "ObjectParts" in asked and page is not None:
        rows = "".join(
            f"<Part>{_checksums(part.checksums)}<PartNumber>{number}</PartNumber><Size>{part.size}</Size></Part>"
            for number, part in enumerate(page.parts, page.marker + 1)
        )
        content += (
            f"<ObjectParts>{_truncated(page.truncated)}<MaxParts>{page.limit}</MaxParts>"
            f"<NextPartNumberMarker>{page.marker + len(page.parts)}</NextPartNumberMarker>"
            f"<PartNumberMarker>{page.marker}</PartNumberMarker>{rows}<PartsCount>{len(digest.parts)}</PartsCount></ObjectParts>"
        )
    if "StorageClass" in asked:
        content += _tag("StorageClass", storage_class)
    if "ObjectSize" in asked:
        content += f"<ObjectSize>{digest.size}</ObjectSize>"
    return document("GetObjectAttributesResponse", content)


# --- multipart uploads ---


def initiated(bucket: str, key: str, upload_id: str) -> bytes:
    """CreateMultipartUpload."""
    return document("InitiateMultipartUploadResult", f"{_tag('Bucket', bucket)}{_asked_key(key)}{_tag('UploadId', upload_id)}")


def completed(bucket: str, key: str, *, location: str, etag: str, checksums: Mapping[str, str], checksum_type: str) -> bytes:
    """CompleteMultipartUpload. ``location``: the object's URI."""
    content = f"{_tag('Location', location)}{_tag('Bucket', bucket)}{_asked_key(key)}{_etag(etag)}"
    return document("CompleteMultipartUploadResult", content + _checksums(checksums, checksum_type))


class People(NamedTuple):
    """Who began an upload, and who will own what it becomes."""

    initiator: Tenant
    owner: Tenant


def _upload_facts(people: People, storage_class: str, algorithm: str, checksum_type: str) -> str:
    return (
        f"{_person(people.initiator, 'Initiator')}{_person(people.owner)}{_tag('StorageClass', storage_class)}"
        f"{_optional('ChecksumAlgorithm', algorithm.upper())}{_optional('ChecksumType', checksum_type)}"
    )


def list_parts(
    bucket: str, upload: Upload, parts: tuple[PartEntry, ...], *, people: People, marker: int, limit: int, truncated: bool
) -> bytes:
    """ListParts. ``marker``: the part number after which the page begins."""
    rows = "".join(
        f"<Part><PartNumber>{entry.part.number}</PartNumber><LastModified>{timestamp(entry.last_modified)}</LastModified>"
        f"{_etag(entry.part.etag)}<Size>{entry.part.size}</Size>{_checksums(entry.checksums)}</Part>"
        for entry in parts
    )
    following = parts[-1].part.number if parts else marker
    return document(
        "ListPartsResult",
        f"{_tag('Bucket', bucket)}{_asked_key(upload.key)}{_tag('UploadId', upload.upload_id)}"
        f"<PartNumberMarker>{marker}</PartNumberMarker><NextPartNumberMarker>{following}</NextPartNumberMarker>"
        f"<MaxParts>{limit}</MaxParts>{_truncated(truncated)}{rows}"
        f"{_upload_facts(people, upload.facts.storage_class, upload.checksum_algorithm, upload.checksum_type)}",
    )


def list_uploads(
    listing: Listing,
    uploads: Iterable[tuple[UploadEntry, People]],
    prefixes: Iterable[str],
    *,
    marker: tuple[str, str],
    next_marker: tuple[str, str] | None,
) -> bytes:
    """ListMultipartUploads. ``marker``, ``next_marker``: key and upload id after which this and the next page begin."""
    encode = listing.encode
    rows = "".join(
        f"<Upload><Key>{encode(entry.key)}</Key>{_tag('UploadId', entry.upload_id)}<Initiated>{timestamp(entry.initiated_at)}</Initiated>"
        f"{_upload_facts(people, entry.storage_class, entry.checksum_algorithm, entry.checksum_type)}</Upload>"
        for entry, people in uploads
    )
    following = (
        f"<NextKeyMarker>{encode(next_marker[0])}</NextKeyMarker>{_tag('NextUploadIdMarker', next_marker[1])}"
        if next_marker
        else ""
    )
    return document(
        "ListMultipartUploadsResult",
        f"{_tag('Bucket', listing.bucket)}<Prefix>{encode(listing.prefix)}</Prefix>{_optional('Delimiter', listing.delimiter, encode)}"
        f"<MaxUploads>{listing.limit}</MaxUploads>{'<EncodingType>url</EncodingType>' if listing.url else ''}"
        f"<KeyMarker>{encode(marker[0])}</KeyMarker>{_tag('UploadIdMarker', marker[1])}{following}"
        f"{_truncated(next_marker is not None)}{rows}{_prefixes(prefixes, encode)}",
    )
