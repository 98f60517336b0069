"""What an organization may see and do that answers a referral by a signed link: what a housing provider's client
may, and of that no more than the page needs.

Rules: docs/access.md, the role ilos-provider. No client is registered for it: the link ends by itself, and when
another organization is asked.
Refuses: every other organization's referrals (hub.store.sight: the relation is that of the Task's owner).
"""

from auth.clients import Client
from auth.scopes import parse
from auth.sights import access_for
from hub.access import Access

ROLE = "ilos-provider"
WHO = "referral link/"  # with a space: no client can have such an id
SCOPES = " ".join(
    (
        "system/Organization.r",
        "system/Patient.r",
        "system/Practitioner.r",
        "system/PractitionerRole.r",
        "system/Procedure.c",
        "system/ServiceRequest.r",
        "system/Task.ru",
    )
)


def access_of_link(organization: str) -> Access:
    """`organization` is a reference such as `Organization/house`."""
    name = WHO + organization
    return access_for(Client(name, name, ROLE, SCOPES, organization=organization), parse(SCOPES))
