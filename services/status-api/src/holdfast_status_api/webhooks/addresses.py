"""Where a webhook may point: rules on the address itself, not on how it is written.

A name is resolved when it is subscribed and again for each delivery, and the connection goes to
the address that was checked. A name that changes its address in between gets nowhere.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LONGEST_URL = 2048
_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNIQUE_LOCAL = ipaddress.ip_network("fc00::/7")
#: Where clouds serve credentials; those in link-local networks are refused with these.
_METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in ("100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254")
)


class RefusedAddressError(Exception):
    """The address is none that a webhook may have, in words for its subscriber."""


@dataclass(frozen=True)
class AddressRules:
    """What an installation allows beyond the public internet."""

    loopback: bool = False
    private: bool = False

    def refusal(self, address: IPAddress) -> str | None:
        """Say why nothing is sent to the address, or return ``None``."""
        address = _unwrapped(address)
        if address in _METADATA:
            return "a cloud's metadata service"
        for name in ("link_local", "unspecified", "multicast"):
            if getattr(address, f"is_{name}"):
                return f"a {name.replace('_', '-')} address"
        if address.is_loopback:
            return None if self.loopback else "a loopback address"
        if address.is_reserved and address not in _UNIQUE_LOCAL:
            return "a reserved address"
        if not address.is_global:
            return None if self.private else "a private address"
        return None


@dataclass(frozen=True)
class Target:
    """A URL taken apart, as a delivery needs it."""

    url: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Target:
        """Take a URL apart; raises `RefusedAddressError` for one that is none of ours."""
        if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise RefusedAddressError("a URL has up to 2048 visible ASCII characters")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise RefusedAddressError(f"not a URL: {error}") from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise RefusedAddressError("a URL begins with https:// or http:// and names a host")
        if "@" in parts.netloc:
            raise RefusedAddressError("a URL holds no user or password; deliveries are signed")
        if parts.fragment:
            raise RefusedAddressError("a URL has no fragment")
        if port == 0:
            raise RefusedAddressError("port 0 is none")
        return cls(url, parts.hostname, port or _PORTS[parts.scheme])

    def resolve(self, rules: AddressRules) -> list[IPAddress]:
        """Return the host's addresses; if one of them is refused, all are.

        Raises `RefusedAddressError`, and ``OSError`` if the name is not known now.
        """
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise RefusedAddressError(f"not a host name: {error}") from error
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        for address in addresses:
            why = rules.refusal(address)
            if why is not None:
                raise RefusedAddressError(f"{self.host} is {address}, {why}")
        return list(dict.fromkeys(addresses))


def check(url: str, rules: AddressRules) -> None:
    """Raise `RefusedAddressError` for a URL to which nothing is sent, or whose name is unknown."""
    try:
        Target.parse(url).resolve(rules)
    except OSError as error:
        raise RefusedAddressError("the name is not known") from error


def _unwrapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
