"""Which hosts may be reached."""

from __future__ import annotations

import ipaddress
import threading

import pytest

from http_tools.guard import MOST_LOOKUPS, HostGuard, NoAddress, NotAllowed, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "::7f00:1", "2002:7f00:1::", "2001:db8::1",
        "fec0::1", "64:ff9b:1::7f00:1", "::ffff:0:7f00:1", "192.0.0.192", "168.63.129.16",
    ],
)  # fmt: skip
def test_what_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_what_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_a_name_with_one_private_address_is_refused() -> None:
    guard = HostGuard(resolve=lambda host, port: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(NotAllowed):
        guard.addresses("crm.example", 443, 1.0)


def test_a_name_is_resolved_anew_each_time_and_the_checked_address_is_the_one_that_is_used() -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    guard = HostGuard(resolve=lambda host, port: next(answers))
    assert guard.addresses("crm.example", 443, 1.0) == ["93.184.216.34"]
    with pytest.raises(NotAllowed):
        guard.addresses("crm.example", 443, 1.0)


@pytest.mark.parametrize(
    ("hosts", "host", "allowed"),
    [
        ((), "crm.example", True),
        (("crm.example",), "CRM.example.", True),
        (("*.corp.example",), "a.corp.example", True),
        (("*.corp.example",), "corp.example", False),
        (("crm.example",), "crm.example.evil.net", False),
        (("*",), "127.0.0.1", False),
        (("*",), "localhost", False),
        ((), "fd00::7", False),
        ((), "93.184.216.34", True),
    ],
)
def test_names_that_are_allowed(hosts: tuple[str, ...], host: str, allowed: bool) -> None:
    assert HostGuard(hosts=hosts).admits(host) is allowed


def test_a_private_host_must_be_written_out() -> None:
    guard = HostGuard(hosts=("*",), private=("crm.local",), resolve=lambda host, port: ["10.0.0.1"])
    assert guard.addresses("crm.local", 443, 1.0) == ["10.0.0.1"]
    with pytest.raises(NotAllowed):
        guard.addresses("other.local", 443, 1.0)


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    over = threading.Event()
    guard = HostGuard(resolve=lambda host, port: [str(over.wait())])
    with pytest.raises(NoAddress, match="in time"):
        guard.addresses("crm.example", 443, 0.05)
    over.set()


def test_a_name_that_does_not_exist() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    with pytest.raises(NoAddress):
        HostGuard(resolve=resolve).addresses("crm.example", 443, 1.0)


def test_a_name_that_hangs_takes_one_thread_however_many_ask_and_other_names_none_of_its_time() -> None:
    over, asked = threading.Event(), []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        if host == "slow.example":
            over.wait()
        return ["93.184.216.34"]

    guard = HostGuard(resolve=resolve)
    for _ in range(2 * MOST_LOOKUPS):
        with pytest.raises(NoAddress, match="in time"):
            guard.addresses("slow.example", 443, 0.0)
    assert guard.addresses("crm.example", 443, 60.0) == ["93.184.216.34"]
    assert asked == ["slow.example", "crm.example"]
    over.set()


def test_no_more_names_are_looked_up_than_there_is_room_for() -> None:
    over = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        over.wait()
        return []

    guard = HostGuard(resolve=resolve)
    for number in range(MOST_LOOKUPS):
        with pytest.raises(NoAddress, match="in time"):
            guard.addresses(f"h{number}.example", 443, 0.0)
    with pytest.raises(NoAddress, match="too many"):
        guard.addresses("crm.example", 443, 60.0)
    over.set()
