"""Passwords: argon2id hashes, and a check that takes as long whether or not there is such an account.

Rules: RFC 9106; NIST SP 800-63B-4 section 3.1.1.2 (length counts, not composition; Unicode is normalized)
Refuses (PasswordError): what is shorter than the deployment wants, longer than 1024 characters, or the login.
"""

import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LONGEST = 1024
AT_ONCE = 2  # checks of a process at one time: each takes 19 MB and a core

COSTS = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_costs = COSTS  # tests that do not look at them have cheaper ones
_turn = threading.BoundedSemaphore(AT_ONCE)


class PasswordError(Exception):
    """This cannot be a password; the text is a sentence for the person who chose it."""


def hashed(password: str, login: str, shortest: int) -> str:
    """What the database keeps of a new password."""
    text = _normal(password)
    if not shortest <= len(text) <= LONGEST:
        raise PasswordError(f"A password has {shortest} to {LONGEST} characters")
    if text.casefold() == login.casefold():
        raise PasswordError("A password is not the login")
    return _costs.hash(text)


def matches(stored: str, password: str) -> bool:
    """Whether it is the password. An empty `stored` matches nothing, and takes as long."""
    if len(password) > LONGEST:
        password = ""
    with _turn:
        try:
            return _costs.verify(stored or _decoy(), _normal(password)) and bool(stored)
        except (VerificationError, InvalidHashError):
            return False


def is_stale(stored: str) -> bool:
    """Whether it was hashed with other costs than today's."""
    return _costs.check_needs_rehash(stored)


def rehashed(password: str) -> str:
    """A hash with today's costs, of a password that was right a moment ago."""
    return _costs.hash(_normal(password))


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


@cache
def _decoy() -> str:
    return _costs.hash("nobody has this password")
