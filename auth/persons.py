"""A person at an app: whether the app is for them, and what both together may see.

Rules: docs/access.md. An app works in one role. A person uses it in that role, if they have it, and for their own
organization: an app of an organization is for its own people, any other takes the organization of who signs in.
Refuses (None): everyone else.
"""

from dataclasses import replace

from auth import sights
from auth.client_words import Client
from auth.scopes import PATIENT, USER, Scope
from auth.users import User
from hub.access import Access


def client_of(client: Client, user: User) -> Client | None:
    """The app as this person uses it."""
    if not user.active or client.role not in user.roles:
        return None
    if client.organization and client.organization != user.organization:
        return None
    return replace(client, organization=user.organization)


def patients_of(client: Client, user: User, base: str, patient: str = "") -> Access:
    """Which patients a person may choose at an app; `patient`: with this one chosen. What the app asks does not
    count here: it learns of the one that is chosen, and of no other."""
    mine = client_of(client, user)
    if mine is None:
        return Access(client.id, frozenset())
    scope = Scope(PATIENT if patient else USER, "Patient", "rs")
    return sights.access_for(mine, (scope,), user=user.fhir_user, patient=patient, base=base, person=user.id)
