"""Addresses of receivers: public ones or allowed ones, and a connection to the very address that was checked."""

import socket
import time
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from services.delivery.channels.addresses import (
    Address,
    RefusedAddress,
    checked_addresses,
    connect,
    connect_to,
    is_public,
    shut_down_after,
)

LOOPBACK = (ip_network("127.0.0.0/8"),)

REFUSED = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],  # noqa: S104 - nothing binds to it
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "shared by a provider": ["100.64.0.1", "100.127.255.255"],
    "link-local": ["169.254.169.254", "fe80::1", "fe80::1%lo"],
    "site-local": ["fec0::1"],
    "multicast": ["224.0.0.1", "239.255.255.250", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "192.88.99.1", "5f00::1", "100::1"],
    "for documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe"],
    "compatible and translated": ["::127.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::192.168.0.1", "64:ff9b:1:7f00:0:100:808:808"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::1"],
    # The address of the client stands in it with each bit reversed.
    "Teredo": ["2001:0:808:808::80ff:fffe", "2001:0:a00:1::f7f7:f7f7"],
}
PUBLIC = ["8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
PUBLIC += ["64:ff9b:1::8.8.8.8", "2002:808:808::1", "2001:0:808:808::f7f7:f7f7"]


class Names:
    """A resolver that returns each of its answers once, and counts the questions."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    def __call__(self, _host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """Return rows as `socket.getaddrinfo` does."""
        return [(0, 0, 0, "", (address, port)) for address in self.answers.pop(0)]


@pytest.mark.parametrize("address", [address for addresses in REFUSED.values() for address in addresses])
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    """Each kind of address that is not public is refused, and those that contain one."""
    assert not is_public(ip_address(address))
    with pytest.raises(RefusedAddress, match="not public"):
        checked_addresses("desk.example", 443, (), 5, Names([address]))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_accepted(address: str) -> None:
    """A public address is accepted, and so is one that contains a public IPv4 address."""
    assert is_public(ip_address(address))
    assert 1 == len(checked_addresses("desk.example", 443, (), 5, Names([address])))


def test_one_address_that_is_not_public_is_enough() -> None:
    """A name with a public and a private address is refused, in any order."""
    for addresses in (["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"]):
        with pytest.raises(RefusedAddress):
            checked_addresses("desk.example", 443, LOOPBACK, 5, Names(addresses))


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "0"])
def test_other_forms_of_an_address_are_judged_like_it(host: str) -> None:
    """The system reads a decimal, octal, hexadecimal or shortened address, and the result is refused."""
    with pytest.raises(RefusedAddress):
        checked_addresses(host, 80, ())


def test_a_mapped_address_is_the_one_that_it_means() -> None:
    """A mapped address falls under the networks of IPv4, and the connection goes to the IPv4 address."""
    expected = [Address(ip_address("127.0.0.1"), 80)]

    assert expected == checked_addresses("desk.example", 80, LOOPBACK, 5, Names(["::ffff:127.0.0.1", "127.0.0.1"]))


def test_allow_is_for_its_networks_alone() -> None:
    """An allowed network does not open others, nor addresses that a translator would pass into it."""
    assert checked_addresses("desk.example", 80, LOOPBACK, 5, Names(["127.0.0.1", "8.8.8.8"]))
    for address in ("10.0.0.1", "::1", "64:ff9b::127.0.0.1"):
        with pytest.raises(RefusedAddress):
            checked_addresses("desk.example", 80, LOOPBACK, 5, Names([address]))


def test_a_connection_goes_to_the_address_that_was_checked() -> None:
    """The name is resolved once: its next answer, another address, is never asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        with connect("rebinding.example", port, LOOPBACK, 5, names) as connection:
            assert ("127.0.0.1", port) == connection.getpeername()

    assert [["127.0.0.2"]] == names.answers


def test_a_dead_address_leaves_time_for_the_next() -> None:
    """Of two addresses the first does not answer, and the connection goes to the second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        addresses = [Address(ip_address(ip), port) for ip in ("127.0.0.9", "127.0.0.1")]
        with connect_to(addresses, 5) as connection:
            assert "127.0.0.1" == connection.getpeername()[0]


def test_a_resolver_has_a_limit_of_time() -> None:
    """A resolver that does not answer is left behind."""

    def asleep(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        time.sleep(1)
        return []

    start = time.monotonic()
    with pytest.raises(TimeoutError, match="resolver"):
        checked_addresses("desk.example", 80, (), 0.1, asleep)

    assert time.monotonic() - start < 0.8


def test_a_name_without_an_address_is_an_error_of_the_system() -> None:
    """A name that does not exist or cannot exist, and an empty answer, are errors and not refused addresses."""
    for host, names in (("desk.invalid", None), ("a" * 64 + ".example", None), ("desk.example", Names([]))):
        with pytest.raises(OSError, match=r"."):
            checked_addresses(host, 80, (), 5, names)


def test_a_connection_is_shut_down_in_time() -> None:
    """A read that waits for ever ends when the time is over, whatever its own timeout is."""
    ours, theirs = socket.socketpair()
    with ours, theirs, shut_down_after(ours, 0.1):
        ours.settimeout(5)
        assert b"" == ours.recv(1)
