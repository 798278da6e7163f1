"""Sealing: what is kept of a call is encrypted with keys of its own, which keys of the deployment wrap.

AES-256-GCM (NIST SP 800-38D) with 96-bit nonces, which are handed in and must be random: fewer than 2^32 texts a key.
What is sealed is bound to its place, as associated data: where it is taken elsewhere, it cannot be opened.
Pure. May import: protocols.errors, cryptography, the standard library.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from protocols.errors import TielineError

KEY_BYTES, NONCE_BYTES = 32, 12
_HEX = re.compile(r"[0-9a-fA-F]+")


class KeyMissing(TielineError):
    """What is sealed was wrapped by a key of the deployment that is not here: its id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"TIELINE_ENCRYPTION_KEY has no key {key_id}")
        self.key_id = key_id


class NotUnsealed(TielineError, ValueError):
    """It is damaged, or stood elsewhere, or was sealed with another key."""


def place(*parts: str | int) -> bytes:
    """Where something stands, as no other place is written."""
    return json.dumps(parts).encode()


class DataKey:
    """A key by which something is sealed. Never shown."""

    __slots__ = ("_aes", "_raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._raw = raw
        self._aes = AESGCM(raw)

    def __repr__(self) -> str:
        return "DataKey(…)"

    def seal(self, data: bytes, where: bytes, nonce: bytes) -> bytes:
        """The nonce, and after it what only this key opens, at this place."""
        return nonce + self._aes.encrypt(nonce, data, where)

    def unseal(self, sealed: bytes, where: bytes) -> bytes:
        """Raises: NotUnsealed."""
        try:
            return self._aes.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], where)
        except (InvalidTag, ValueError):
            raise NotUnsealed("it is damaged, or not of this place") from None

    def seal_text(self, data: bytes, where: bytes, nonce: bytes) -> str:
        """As `seal`, in base64."""
        return b64encode(self.seal(data, where, nonce)).decode()

    def unseal_text(self, sealed: str, where: bytes) -> bytes:
        """Raises: NotUnsealed."""
        try:
            decoded = b64decode(sealed, validate=True)
        except (ValueError, TypeError):
            raise NotUnsealed("it is no base64") from None
        return self.unseal(decoded, where)

    def handed_over(self) -> str:
        """The key itself, for a process of ours, by a pipe."""
        return b64encode(self._raw).decode()

    @classmethod
    def received(cls, text: str) -> DataKey:
        return cls(b64decode(text))


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it is stored. kek: the id of the key that wraps it. sealed: base64."""

    kek: str
    sealed: str


class KeyRing:
    """The keys of a deployment, which wrap those of its calls: the first one new ones, each what it has wrapped before.

    A key's id is made of it, so no id can be another key's. Never shown.
    """

    __slots__ = ("_keys", "ids")

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {key_id(each): DataKey(each) for each in keys}
        self.ids = tuple(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.ids)})"

    def wrap(self, key: DataKey, where: bytes, nonce: bytes) -> WrappedKey:
        return WrappedKey(self.ids[0], self._keys[self.ids[0]].seal_text(key._raw, where, nonce))  # noqa: SLF001 - its ring

    def unwrap(self, wrapped: WrappedKey, where: bytes) -> DataKey:
        """Raises: KeyMissing, NotUnsealed."""
        if (key := self._keys.get(wrapped.kek)) is None:
            raise KeyMissing(wrapped.kek)
        return DataKey(key.unseal_text(wrapped.sealed, where))


def key_id(key: bytes) -> str:
    """By which a key of a deployment is told from others: it says nothing of the key."""
    return hmac.new(key, b"tieline key id", hashlib.sha256).hexdigest()[:8]


def keys_in(text: str) -> list[str]:
    """The keys of a setting as they stand there, right or wrong."""
    return text.replace(",", " ").split()


def read_ring(text: str) -> KeyRing | None:
    """The keys of a setting: each of 64 hex digits, between them commas or white space; None if there is none.

    Raises: ValueError, which says what is wrong, and nothing of the keys.
    """
    given = keys_in(text)
    for number, each in enumerate(given, 1):
        if len(each) != 2 * KEY_BYTES or not _HEX.fullmatch(each):
            what = f"{len(each)} characters" if _HEX.fullmatch(each) else "something else than hex digits"
            raise ValueError(f"key {number} has {what}: must be {2 * KEY_BYTES} hex digits: openssl rand -hex 32")
    keys = [bytes.fromhex(each) for each in given]
    if len({*keys}) != len(keys):
        raise ValueError("has a key twice")
    return KeyRing(keys) if keys else None
