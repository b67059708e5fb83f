"""
Connections to addresses that were checked: public ones, or those that an operator allowed.

A name is resolved once, and the connection goes to an address of that answer. A second resolution could return
another address (DNS rebinding). Names in other forms of an address, such as 2130706433 or 0x7f.1, are resolved as the
system does it, and then judged like any other.
"""

import socket
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from threading import Thread, Timer
from typing import Any, Final, NamedTuple, TypeAlias

from events.errors import CasetrailError
from services.delivery.config.model import Network

Resolver: TypeAlias = Callable[..., Iterable[tuple[Any, ...]]]
"""A function with the arguments and the rows of `socket.getaddrinfo`."""

# The special-purpose registries of the IANA. Listed here because `is_global` of the standard library differs between
# versions of Python, and is true for 64:ff9b::7f00:1 and for multicast.
_SPECIAL_4: Final = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        ),
    )
)
_UNICAST_6: Final = IPv6Network("2000::/3")
_SPECIAL_6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
# The second is the first part of 64:ff9b:1::/48. The rest of it can hold an IPv4 address at several places, and the
# translator alone knows the right one, so that it is refused.
_NAT64: Final = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/96")))


class RefusedAddress(CasetrailError):
    """An address that no connection may reach."""


class Address(NamedTuple):
    """An address and a port to connect to."""

    ip: IPv4Address | IPv6Address
    port: int


def checked_addresses(
    host: str, port: int, allow: Collection[Network], seconds: float = 10, resolver: Resolver | None = None
) -> list[Address]:
    """
    Return all addresses of *host*, in the order of the resolver, each once.

    Args:
        host: a name, or an address without brackets.
        port: the port to connect to.
        allow: networks whose addresses are accepted although they are not public.
        seconds: the time after which the resolver has no answer.
        resolver: None: `socket.getaddrinfo`.

    Raises:
        RefusedAddress: if one of the addresses is neither public nor allowed.
        OSError: if the resolver knows no address, or does not answer in time.
    """
    addresses = [Address(ip, port) for ip in _resolved(host, port, seconds, resolver or socket.getaddrinfo)]
    for address in outside(addresses, allow):
        if not is_public(address.ip):
            what = f"{host} has the address {address.ip}, which is not public"
            raise RefusedAddress(what, "allow can name its network")
    return addresses


def connect(
    host: str, port: int, allow: Collection[Network], seconds: float, resolver: Resolver | None = None
) -> socket.socket:
    """
    Return a connection to the first checked address of *host* that answers, within *seconds* in all.

    Raises:
        RefusedAddress: if one of the addresses is neither public nor allowed.
        OSError: if there is no address, or none of them answers.
    """
    end = time.monotonic() + seconds
    addresses = checked_addresses(host, port, allow, seconds, resolver)
    return connect_to(addresses, end - time.monotonic())


def connect_to(addresses: Sequence[Address], seconds: float) -> socket.socket:
    """
    Return a connection to the first of *addresses* that answers, within *seconds* in all.

    Raises:
        OSError: that of the last address, if none answers.
    """
    end = time.monotonic() + seconds
    problem = OSError("no address")
    for index, address in enumerate(addresses):
        family = socket.AF_INET if address.ip.version == 4 else socket.AF_INET6  # noqa: PLR2004
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            # Each address has its share: one that swallows packets must not use up the time of the next.
            share = (end - time.monotonic()) / (len(addresses) - index)
            connection.settimeout(max(share, 0.001))
            connection.connect((str(address.ip), address.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connection.close()
            problem = error
        else:
            return connection
    raise problem


@contextmanager
def shut_down_after(connection: socket.socket, seconds: float) -> Iterator[None]:
    """
    Shut *connection* down if the block takes longer than *seconds*: a read or a write that waits fails at once.

    The timeout of a socket limits each read, so that a server with one byte a second could hold it for ever.
    """
    # A second handle of the connection, because TLS takes the first one over.
    handle = connection.dup()
    timer = Timer(max(seconds, 0), _shut_down, (handle,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        handle.close()


def outside(addresses: Iterable[Address], allow: Collection[Network]) -> list[Address]:
    """Return those of *addresses* that no network of *allow* contains."""
    return [address for address in addresses if not any(address.ip in network for network in allow)]


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Return whether *ip* is public. One that contains IPv4 addresses is judged by these."""
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _SPECIAL_4)
    if inner := _contained(ip):
        return all(map(is_public, inner))
    return ip in _UNICAST_6 and not any(ip in network for network in _SPECIAL_6)


def _contained(ip: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses to which a translator or a tunnel would pass a packet for *ip*."""
    if ip.teredo:
        return ip.teredo
    if any(ip in network for network in _NAT64):
        return (IPv4Address(int(ip) & 0xFFFFFFFF),)
    inner = ip.ipv4_mapped or ip.sixtofour
    return (inner,) if inner else ()


def _resolved(host: str, port: int, seconds: float, resolver: Resolver) -> list[IPv4Address | IPv6Address]:
    """Return the addresses of *host*, each once. A mapped address (::ffff:192.0.2.1) becomes the one that it means."""
    answer: Future[list[str]] = Future()

    def ask() -> None:
        try:
            answer.set_result([row[4][0] for row in resolver(host, port, type=socket.SOCK_STREAM)])
        except OSError as error:
            answer.set_exception(error)
        except UnicodeError:
            answer.set_exception(OSError("this is not a name of a host"))

    # A thread, because getaddrinfo has no limit of time. It is left behind after that, and ends by itself.
    Thread(target=ask, daemon=True, name="resolver").start()
    try:
        ips = [ip_address(text) for text in answer.result(seconds)]
    except TimeoutError:
        raise TimeoutError("no answer from the resolver") from None
    if not ips:
        raise OSError("no address")
    return list(dict.fromkeys(map(_unmapped, ips)))


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # closed already
        connection.shutdown(socket.SHUT_RDWR)


def _unmapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip
