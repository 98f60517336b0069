"""Where a webhook may go: decided from the URL when a Subscription is written, and from the resolved address each
time a connection is made.

Rules: OWASP Server-Side Request Forgery prevention, address allow-listing; the special-purpose registries
https://www.iana.org/assignments/iana-ipv4-special-registry/ and .../iana-ipv6-special-registry/
Refuses: anything but https to a public address on port 443 or from 1024 up, unless the deployment lists the `host`
or `host:port`. A name is not resolved here; a listed host is not looked at.
Pure.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

LONGEST = 2048
# a grammar narrower than RFC 3986's, so that no two parsers can read one URL in two ways: no userinfo, no
# fragment, no backslash, no percent or non-ASCII character in the host
URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*\.?)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?][!$-;=?-\[\]_a-z~]*)?"
)
LABEL = re.compile(r"(?!-)[0-9a-z\-]{1,63}(?<!-)")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
PORTS = {"http": 80, "https": 443}
FIRST_FREE_PORT = 1024
LOCAL_NAMES = frozenset(
    ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp", "arpa")
)
# global by the registries of this Python, and still no place for a webhook
NOT_PUBLIC = (
    ip_network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    ip_network("168.63.129.16/32"),  # the host agent of Azure's virtual machines
    ip_network("3fff::/20"),  # documentation, RFC 9637
)
GLOBAL_UNICAST = ip_network("2000::/3")


def refusal(url: str, allowed: Sequence[str]) -> str:
    """Why this URL cannot be a webhook; empty where it can."""
    found = URL.fullmatch(url) if len(url) <= LONGEST else None
    if found is None:
        return "The endpoint is not a plain absolute https URL"
    scheme, host = found["scheme"], found["host"].lower()
    port = int(found["port"]) if found["port"] else PORTS[scheme]
    if listed(host, port, allowed):
        return ""
    if scheme != "https":
        return "The endpoint is not https"
    if port != PORTS["https"] and not FIRST_FREE_PORT <= port <= 65535:
        return f"The endpoint's port is neither 443 nor {FIRST_FREE_PORT} to 65535"
    return _refused_host(host)


def listed(host: str, port: int, allowed: Sequence[str]) -> bool:
    """The deployment lists this host, with this port or with none."""
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return any(entry.lower() in (name, f"{name}:{port}") for entry in allowed)


def _refused_host(host: str) -> str:
    labels = host.removesuffix(".").split(".")
    if host[0] == "[" or NUMBER.fullmatch(labels[-1]):
        # 127.1, 0177.0.0.1, 0x7f000001 and 2130706433 are addresses to some resolvers; only a.b.c.d is one here
        return "" if is_public(host.strip("[]")) else "The endpoint's address is not a public one"
    if not all(LABEL.fullmatch(label) for label in labels):
        return "The endpoint's host is not a domain name"
    if len(labels) < 2 or labels[-1] in LOCAL_NAMES:
        return "The endpoint's host is a local name"
    return ""


def is_public(address: str) -> bool:
    """The text is an IP address that anyone on the internet means the same host by."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return _public_v4(found) if isinstance(found, IPv4Address) else _public_v6(found)


def _public_v4(address: IPv4Address) -> bool:
    special = address.is_multicast or not address.is_global
    return not special and not any(address in network for network in NOT_PUBLIC if network.version == 4)


def _public_v6(address: IPv6Address) -> bool:
    # addresses that carry an IPv4 address (mapped, NAT64, Teredo, 6to4) are never needed to reach a public host:
    # the first three are not global unicast, or not global
    if address.scope_id or address.sixtofour or address not in GLOBAL_UNICAST or not address.is_global:
        return False
    return not any(address in network for network in NOT_PUBLIC if network.version == 6)
