"""What a setting is, and the values that its text can say.

Refuses: a text that says no such value (ValueError or KeyError; hub.settings names the variable).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

_ORIGIN = re.compile(r"https?://[^/?#,\s]+")  # RFC 6454: no path, no slash at the end


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. `parse` turns its text into a value or raises ValueError."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any] = str


def port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def minutes(text: str) -> float:
    """A part of one is fine."""
    number = float(text)
    if not 0 < number <= 24 * 60:
        raise ValueError
    return number


def from_zero(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def drain(text: str) -> int:
    """Seconds; with what follows (hub.stopping) less than 30."""
    number = int(text)
    if not 0 <= number <= 8:
        raise ValueError
    return number


def password_length(text: str) -> int:
    """NIST SP 800-63B: nothing shorter than eight."""
    number = int(text)
    if not 8 <= number <= 128:
        raise ValueError
    return number


def networks(text: str) -> tuple[str, ...]:
    """Networks in the usual notation; `none` for none."""
    found = () if text == "none" else hosts(text)
    return tuple(str(ip_network(network)) for network in found)


def level(text: str) -> str:
    level = text.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError
    return level


def log_format(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError
    return text


def flag(text: str) -> bool:
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]


def deletes(text: str) -> str:
    if text not in ("single", "multiple"):
        raise ValueError
    return text


def token(text: str) -> str:
    """A shared secret, or none."""
    if text and (len(text) < 16 or not text.isascii() or not text.isprintable()):
        raise ValueError
    return text


def reviewers(text: str) -> int:
    return {"1": 1, "2": 2}[text]


def mail_tls(text: str) -> str:
    if text not in ("starttls", "tls", "none"):
        raise ValueError
    return text


def profile_policy(text: str) -> str:
    if text not in ("refuse", "warn"):
        raise ValueError
    return text


def hosts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def registration(text: str) -> str:
    if text not in ("off", "software-statement"):
        raise ValueError
    return text


def origins(text: str) -> tuple[str, ...]:
    found = hosts(text)
    if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in found):
        raise ValueError
    return found
