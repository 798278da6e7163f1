"""Uploads the files of a part to an object store: S3 and what speaks like it, Google's, Azure's, or a folder.

Credentials and endpoint are the store's own variables, like AWS_ENDPOINT and AWS_ACCESS_KEY_ID, or the machine's role.
May import: recordings, protocols.sealing, obstore, the standard library.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from protocols.sealing import DataKey
from recordings import sealed
from recordings.facts import MANIFEST
from recordings.keys import KeyAway, NoKeys, PartKeys
from recordings.part import call_manifest, files_of, is_of_part

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# A store that does not answer: the recordings that wait for it are tried again later.
ANSWER_S, RETRIES_S = 20, 30


def open_store(url: str) -> ObjectStore:
    """The store of a URL, as s3://BUCKET/PREFIX. Raises: obstore's errors."""
    from datetime import timedelta  # noqa: PLC0415 - with obstore

    from obstore.store import from_url  # noqa: PLC0415 - of the extra `recordings`

    return from_url(
        url,
        client_options={"timeout": timedelta(seconds=ANSWER_S), "allow_http": True},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=RETRIES_S)},
    )


def upload(store: ObjectStore, manifest: Path, folder: Path, keys: PartKeys | None = None) -> None:
    """Upload a part by its manifest, and join it to those of its call that are there; then remove it from the disk.

    May be called again after a failure, or after a success that nobody has noted. keys: as for `make_part`.
    Raises: OSError, obstore's errors.
    """
    where = manifest.parent.relative_to(folder).as_posix()
    files = files_of(manifest)
    if manifest.exists():
        for file in files:
            store.put(f"{where}/{file.name}", file)
    _join(store, where, keys or NoKeys())
    for file in files:
        file.unlink(missing_ok=True)
    for name in (MANIFEST, f"{MANIFEST}{sealed.SUFFIX}"):
        manifest.with_name(name).unlink(missing_ok=True)
    with suppress(OSError):  # others of this call, or this day
        manifest.parent.rmdir()
        manifest.parent.parent.rmdir()


def _join(store: ObjectStore, where: str, keys: PartKeys) -> None:
    """Write the manifest of the call. Another process may have uploaded a part of it meanwhile."""
    before: set[str] = set()
    while (parts := _parts(store, where)) != before:
        texts = [store.get(path).bytes().to_bytes() for path in sorted(parts)]
        name, told = call_manifest(texts, _key_of(texts, keys))
        store.put(f"{where}/{name}", told)
        before = parts


def _key_of(texts: Iterable[bytes], keys: PartKeys) -> DataKey | None:
    """The key of the call whose manifests some are: None if none of them is sealed."""
    headers = (sealed.header_of(BytesIO(text)) for text in texts)
    call = next((header.call for header in headers if header is not None), "")
    if not call:
        return None
    if (key := keys.of_call(call)) is None:
        raise KeyAway("it is encrypted, and TIELINE_ENCRYPTION_KEY is not set")
    return key


def _parts(store: ObjectStore, where: str) -> set[str]:
    listed = (each["path"] for batch in store.list(prefix=where) for each in batch)
    return {path for path in listed if is_of_part(path.rpartition("/")[2])}
