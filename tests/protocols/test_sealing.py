"""What is sealed is opened by its key at its place only, and no key is ever shown."""

from __future__ import annotations

import pytest

from protocols.sealing import DataKey, KeyMissing, KeyRing, NotUnsealed, WrappedKey, key_id, place, read_ring

ONE, TWO = b"\1" * 32, b"\2" * 32
NONCE, HERE = b"\7" * 12, place("words", "c-1", 1)


def test_it_is_the_standards_cipher() -> None:
    """Test case 14 of the GCM specification, by McGrew and Viega."""
    sealed = DataKey(bytes(32)).seal(bytes(16), b"", bytes(12))
    assert sealed.hex() == "00" * 12 + "cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919"


@pytest.mark.parametrize("data", [b"", b"one", b"\xff" * 70_000])
def test_what_is_sealed_is_read_again(data: bytes) -> None:
    key = DataKey(ONE)
    assert key.unseal(key.seal(data, HERE, NONCE), HERE) == data
    assert key.unseal_text(key.seal_text(data, HERE, NONCE), HERE) == data
    assert DataKey.received(key.handed_over()).unseal(key.seal(data, HERE, NONCE), HERE) == data


@pytest.mark.parametrize("where", [place("words", "c-1", 2), place("words", "c-1,1"), place("words", "c-2", 1), b""])
def test_it_is_not_opened_at_another_place(where: bytes) -> None:
    with pytest.raises(NotUnsealed):
        DataKey(ONE).unseal(DataKey(ONE).seal(b"words", HERE, NONCE), where)


def test_it_is_not_opened_by_another_key_or_where_a_bit_is_changed() -> None:
    sealed = DataKey(ONE).seal(b"words", HERE, NONCE)
    with pytest.raises(NotUnsealed):
        DataKey(TWO).unseal(sealed, HERE)
    for at in range(len(sealed)):
        with pytest.raises(NotUnsealed):
            DataKey(ONE).unseal(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], HERE)
        with pytest.raises(NotUnsealed):
            DataKey(ONE).unseal(sealed[:at], HERE)
    for text in ("?", "ä", "AAAA"):
        with pytest.raises(NotUnsealed):
            DataKey(ONE).unseal_text(text, HERE)


def test_the_first_key_of_a_ring_wraps_and_each_unwraps_what_it_has_wrapped() -> None:
    old, new = KeyRing([ONE]), KeyRing([TWO, ONE])
    by_old, by_new = (ring.wrap(DataKey(b"\3" * 32), HERE, NONCE) for ring in (old, new))
    assert (by_old.kek, by_new.kek) == (key_id(ONE), key_id(TWO))
    for wrapped in (by_old, by_new):
        assert new.unwrap(wrapped, HERE).handed_over() == DataKey(b"\3" * 32).handed_over()
    with pytest.raises(KeyMissing, match=f"has no key {key_id(TWO)}"):
        old.unwrap(by_new, HERE)
    with pytest.raises(NotUnsealed):
        new.unwrap(by_new, place("another"))
    with pytest.raises(NotUnsealed):
        new.unwrap(WrappedKey(key_id(ONE), by_new.sealed), HERE)


def test_no_key_is_shown() -> None:
    ring = KeyRing([ONE, TWO])
    shown = repr(ring) + str(ring) + repr(DataKey(ONE)) + f"{DataKey(TWO)}"
    assert all(each not in shown for each in (ONE.hex(), TWO.hex(), repr(ONE), DataKey(ONE).handed_over()))
    assert ring.ids[0] in shown


def test_a_setting_has_keys_between_commas_or_white_space() -> None:
    for text in (f"{ONE.hex()},{TWO.hex()}", f"\n{ONE.hex()}\n  {TWO.hex().upper()}\n", f"{ONE.hex()} , {TWO.hex()},"):
        ring = read_ring(text)
        assert ring is not None
        assert ring.ids == (key_id(ONE), key_id(TWO))
    assert read_ring(" \n") is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ab" * 31, "key 1 has 62 characters"),
        (f"{ONE.hex()},{'ab' * 33}", "key 2 has 66 characters"),
        ("xy" * 32, "key 1 has something else than hex digits"),
        (f"{ONE.hex()},{ONE.hex()}", "a key twice"),
    ],
)
def test_a_key_of_a_wrong_length_is_told_and_not_shown(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as error:
        read_ring(text)
    assert text[:8] not in str(error.value)
