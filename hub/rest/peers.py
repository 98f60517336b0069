"""Who sent a request, as far as the network knows: the address that stands for it in limits.

The proxy before the hub adds to `X-Forwarded-For` the address it was asked from. It is believed from a trusted
proxy (HUB_TRUSTED_PROXIES) alone, and from the right: what stands further left anybody may have written.
An IPv6 host can choose among the addresses of its /64, so these count as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
LOOPBACK = ("127.0.0.0/8", "::1/128")
UNKNOWN = "unknown"
MOST_HOPS = 16
LONGEST_HOP = 64  # characters; an address with a port has 47


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks such as `10.1.0.0/16` or single addresses. Raises ValueError."""
    return tuple(ip_network(text) for text in texts)


@dataclass(frozen=True)
class Peers:
    """`proxies` are trusted to say who asked them."""

    proxies: tuple[Network, ...] = field(default_factory=lambda: networks(LOOPBACK))

    def is_proxy(self, environ: Mapping[str, Any]) -> bool:
        """Whether the connection comes from a trusted proxy."""
        found = _parsed(environ.get("REMOTE_ADDR", ""))
        return found is not None and self._trusts(found)

    def of(self, environ: Mapping[str, Any]) -> str:
        """The address that the request counts for."""
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
        # what is remembered by its text is short: a stranger may send 48 KB, and another text each time
        hops = ",".join(hop.strip()[:LONGEST_HOP] for hop in forwarded.rsplit(",", MOST_HOPS)[-MOST_HOPS:])
        return _behind(self, environ.get("REMOTE_ADDR", ""), hops)

    def _trusts(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self.proxies)

    def __hash__(self) -> int:
        return id(self)


@lru_cache(4096)
def _behind(peers: Peers, remote: str, forwarded: str) -> str:
    shown = _parsed(remote)
    hops = forwarded.split(",") if forwarded else []
    while shown is not None and hops and peers._trusts(shown):
        said = _parsed(hops.pop())
        if said is None:  # the proxy said nothing that can be used: it stands for whom it brings
            break
        shown = said
    return _written(shown)


@lru_cache(4096)
def _parsed(text: str) -> Address | None:
    """An address with or without a port, such as proxies write it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _written(address: Address | None) -> str:
    if address is None:
        return UNKNOWN
    if address.version == 6:
        return str(IPv6Network((int(address), 64), strict=False))
    return str(address)
