"""Uploads the files of a part to an object store: S3 and what speaks like it, Google's, Azure's, or a folder.

Credentials and endpoint are the store's own variables, like AWS_ENDPOINT and AWS_ACCESS_KEY_ID, or the machine's role.
May import: recordings, obstore, the standard library.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from recordings.facts import MANIFEST
from recordings.part import PEAKS, call_manifest, is_of_part

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


def upload(store: ObjectStore, manifest: Path, folder: Path) -> None:
    """Upload a part by its manifest, and join it to those of its call that are there; then remove it from the disk.

    May be called again after a failure, or after a success that nobody has noted. Raises: OSError, obstore's errors.
    """
    where = manifest.parent.relative_to(folder).as_posix()
    name = manifest.name.removesuffix(".json")
    files = [manifest.with_name(f"{name}.flac"), manifest.with_name(f"{name}{PEAKS}"), manifest]
    if manifest.exists():
        for file in files:  # the manifest last: what it names is there
            store.put(f"{where}/{file.name}", file)
    _join(store, where)
    for file in files:
        file.unlink(missing_ok=True)
    (manifest.with_name(MANIFEST)).unlink(missing_ok=True)
    with suppress(OSError):  # others of this call, or this day
        manifest.parent.rmdir()
        manifest.parent.parent.rmdir()


def _join(store: ObjectStore, where: str) -> None:
    """Write the manifest of the call. Another process may have uploaded a part of it meanwhile."""
    before: set[str] = set()
    while (parts := _parts(store, where)) != before:
        texts = [store.get(path).bytes().to_bytes() for path in sorted(parts)]
        store.put(f"{where}/{MANIFEST}", call_manifest(texts))
        before = parts


def _parts(store: ObjectStore, where: str) -> set[str]:
    listed = (each["path"] for batch in store.list(prefix=where) for each in batch)
    return {path for path in listed if is_of_part(path.rpartition("/")[2])}
