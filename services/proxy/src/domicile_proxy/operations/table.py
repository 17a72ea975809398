"""Every operation that is served, by its S3 name; ``s3.operation`` says which request asks for which."""

from __future__ import annotations

from collections.abc import Mapping

from domicile_proxy.operations import (
    Handler,
    access_settings,
    acls,
    attributes,
    bucket_rules,
    buckets,
    copy,
    listing,
    multi_delete,
    multipart,
    multipart_completion,
    multipart_listing,
    object_lock,
    objects_read,
    objects_write,
    post_object,
    settings_reads,
    tagging,
    versioning,
)

OPERATIONS: Mapping[str, Handler] = {
    **access_settings.OPERATIONS,
    **acls.OPERATIONS,
    **attributes.OPERATIONS,
    **bucket_rules.OPERATIONS,
    **buckets.OPERATIONS,
    **copy.OPERATIONS,
    **listing.OPERATIONS,
    **multi_delete.OPERATIONS,
    **multipart.OPERATIONS,
    **multipart_completion.OPERATIONS,
    **multipart_listing.OPERATIONS,
    **object_lock.OPERATIONS,
    **objects_read.OPERATIONS,
    **objects_write.OPERATIONS,
    **post_object.OPERATIONS,
    **settings_reads.OPERATIONS,
    **tagging.OPERATIONS,
    **versioning.OPERATIONS,
}
