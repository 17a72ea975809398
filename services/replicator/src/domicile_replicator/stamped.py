"""What a blob says of itself."""

from __future__ import annotations

from typing import Final

from domicile_common.backends.port import BlobStore
from domicile_common.errors import BlobNotFound
from domicile_common.model import Blob
from domicile_common.stamps import SIDECAR_FOLDER, Stamp, read_sidecar, read_stamp, sidecar_key

LARGEST: Final = 16 << 20  # bytes; a stamp of 10,000 parts has about two million


async def read_stamp_of(store: BlobStore, blob: Blob) -> Stamp | None:
    """Its sidecar (or itself, when it is one), which is newer than its header; ``None`` when it says nothing that can be read.

    Raises ``BlobNotFound`` when it is not there.
    """
    info = await store.head(blob)
    is_sidecar = blob.blob_key.startswith(f"{SIDECAR_FOLDER}/")
    key = blob.blob_key if is_sidecar else sidecar_key(blob.blob_key)
    try:
        return read_sidecar(await _read(store, Blob(blob.backend_id, blob.namespace, key)))
    except (BlobNotFound, ValueError):
        pass
    try:
        return read_stamp(info.headers)
    except ValueError:
        return None


async def _read(store: BlobStore, blob: Blob) -> bytes:
    """Raises ``ValueError`` when it is too large to be a stamp."""
    source = await store.open_get(blob)
    try:
        if source.info.size > LARGEST:
            raise ValueError("too large for a stamp")
        return b"".join([chunk async for chunk in source.chunks()])
    finally:
        await source.close()
