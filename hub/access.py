"""Who asks, and what they may do. An argument without a default everywhere: forgetting it is a type error.

Rules: SMART App Launch 2.2 scopes (https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html):
the letters c r u d s; `r` covers read, vread and instance history, `u` update and patch, `s` search and
type or system history. A patch needs `r` beside `u`: what it tests and finds
tells what is stored. A batch or transaction is checked entry by entry.
"""

from dataclasses import dataclass

from hub.problems import Problem
from hub.sight import ALL, NOTHING, Sight

LETTERS = {
    "create": "c",
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "history-type": "s",
    "history-system": "s",
    "update": "u",
    "patch": "u",
    "delete": "d",
    "search-type": "s",
}


@dataclass(frozen=True, slots=True)
class Access:
    """`who` is a client id or a job's name; `grants` are pairs (resource type or `*`, letter of `cruds`): what the
    token's scopes and the role's types both cover. `sight` says which resources of these types are there for the
    caller: none, unless somebody said. `user` is the id of the person at the client, if there is one; `source`
    whose data a write brings (a reference to an Organization, or the client), `person` the source person that it
    came with (hub.identity; 0: none). `narrow`: a person is at the client, or the token reads less than the client
    may by itself. `brings`: the labels of all that a hospital or a feed sends, for whom the hub writes; None where
    it writes for itself, or for a client."""

    who: str
    grants: frozenset[tuple[str, str]]
    role: str = ""
    reason: str = ""
    sight: Sight = NOTHING
    user: str = ""
    source: str = ""
    person: int = 0
    narrow: bool = False
    brings: int | None = None

    @classmethod
    def system(cls, reason: str, source: str = "", person: int = 0, brings: int | None = None) -> "Access":
        """The hub's own jobs; they say why, and the reason goes to the log."""
        grants = frozenset(("*", letter) for letter in "cruds")
        return cls("hub", grants, "system", reason, ALL, source=source, person=person, brings=brings)

    def may(self, interaction: str, resource_type: str) -> bool:
        letter = LETTERS[interaction]
        return (resource_type, letter) in self.grants or ("*", letter) in self.grants

    def require(self, interaction: str, resource_type: str) -> None:
        """Raise `forbidden` (403, RFC 6750 insufficient_scope) unless the grants cover the interaction."""
        if not self.may(interaction, resource_type):
            raise Problem(
                "forbidden",
                f"The token's scopes do not cover {interaction} of {resource_type}",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )

    def require_whole(self) -> None:
        """Raise `forbidden` for a narrow token: a Subscription is its client's, and what it tells is decided by all
        that the client may see, long after the token."""
        if self.narrow:
            message = "Subscriptions are a client's own: its token has all scopes that it reads by, and no person"
            raise Problem("forbidden", message, headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
