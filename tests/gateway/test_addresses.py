"""Whose request it is behind proxies, and which addresses count as one."""

from __future__ import annotations

import pytest

from gateway.addresses import client_of, counted_as, is_within, networks

PROXIES = networks("10.0.0.0/8, 2001:db8:1::/48,192.0.2.7")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.5", [], "203.0.113.5"),
        ("203.0.113.5", ["198.51.100.9"], "203.0.113.5"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9", "203.0.113.5, 192.0.2.7"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9, 203.0.113.5, 10.9.9.9"], "203.0.113.5"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.5, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5,"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
        ("2001:db8:1::2", ["[2001:db8:9::1]:4711"], "2001:db8:9::1"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.5"], "203.0.113.5"),
        ("", ["203.0.113.5"], ""),
    ],
)
def test_the_client_is_the_last_hop_that_no_trusted_proxy_is(peer: str, forwarded: list[str], client: str) -> None:
    assert client_of(peer, forwarded, PROXIES) == client


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:9:1:aaaa::1", "2001:db8:9:1::/64"),
        ("2001:db8:9:1:ffff:ffff:ffff:ffff", "2001:db8:9:1::/64"),
        ("2001:db8:9:2::1", "2001:db8:9:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_network_of_64_bits_counts_as_one_address(address: str, counted: str) -> None:
    assert counted_as(address) == counted


def test_no_address_is_within_no_network() -> None:
    assert not is_within("10.0.0.1", ())
    assert not is_within("2001:db8:1::1", networks("10.0.0.0/8"))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "balancer.example", "10.0.0.0/33", "10.0.0.0-10.0.0.9"])
def test_an_invalid_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        networks(text)
