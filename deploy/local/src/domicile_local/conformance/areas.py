"""Which part of S3 a test of ceph/s3-tests is about, as its name tells. Pure."""

from __future__ import annotations

import re
from typing import Final

# The first that fits, from the narrow to the wide; patterns are for the name without ``test_``, from its beginning.
_AREAS: Final = tuple(
    (area, re.compile(pattern))
    for area, pattern in (
        ("headers: signature version 2", r".*_aws2$"),
        ("bucket logging", r"(put_|rm_)?bucket_logging"),
        ("encryption", r".*(kms|sse_|_enc$|_enc\[|enc_conflict|encrypt|noenc|no_sse)"),
        ("object lock", r"object_lock"),
        ("public access block", r".*(block_public|public_block|ignore_public)"),
        ("ownership controls", r"create_bucket_(bucket_owner|object_writer)|.*bucket_ownership"),
        ("lifecycle", r"lifecycle|delete_marker_expiration"),
        ("POST forms", r"post_object"),
        ("CORS", r"(set_)?cors"),
        ("bucket policy", r"bucket(v2)?_policy|.*(del_bucket_policy|policy_status|with_policy)"),
        ("tagging", r".*(tagging|_tags)"),
        ("presigned and anonymous", r"object_(raw|anon|presigned)|.*_anonymous|object_put_authenticated|list_buckets_.*_auth"),
        ("ACL", r".*(bucket|object)_(put_|copy_)?(acl|canned_acl)|access_bucket|bucket_recreate_.*acl|bucket_.*canned_acl"),
        ("headers: common and version 4", r"(object|bucket)_create_bad"),
        ("conditional requests", r".*if_?(none_?)?match|.*if(un)?modifiedsince"),
        ("checksums and attributes", r".*(checksum|cksum|object_attributes)"),
        ("versioning", r"version|.*_versioning$|delete_marker"),
        ("multi-object delete", r"multi_object"),
        ("copy", r"object_copy"),
        ("atomicity", r"atomic"),
        ("multipart", r".*(multipart|upload_part)"),
        ("range reads", r"ranged"),
        ("list objects", r"bucket_list|basic_key_count"),
        ("buckets", r"(list_)?buckets?|expected_bucket_owner"),
        ("objects", r""),
    )
)
# Two groups of areas with a target each; what is in none has no target yet.
GROUPS: Final = {
    "objects and buckets": (
        "list objects", "buckets", "objects", "multi-object delete", "range reads", "multipart", "copy", "atomicity", "tagging",
        "presigned and anonymous", "headers: common and version 4",
    ),
    "access, versions and rules": (
        "ACL", "bucket policy", "CORS", "versioning", "object lock", "conditional requests", "checksums and attributes", "POST forms",
        "public access block", "ownership controls", "lifecycle",
    ),
}  # fmt: skip


def area_of(test: str) -> str:
    """``test``: its name, with the parameters in brackets if it has any."""
    name = test.removeprefix("test_")
    return next(area for area, pattern in _AREAS if pattern.match(name))
