"""What an organization may see and do that answers a referral by a signed link or by a file: what a housing
provider's client may, and of that no more than the page, or the file, needs.

Rules: docs/access.md, the role ilos-provider. No client is registered for it: the link ends by itself, and when
another organization is asked; a file is that of the organization of its feed.
Refuses: every other organization's referrals (hub.store.sight: the relation is that of the Task's owner).
"""

from auth.clients import Client
from auth.scopes import parse
from auth.sights import access_for
from hub.access import Access

ROLE = "ilos-provider"
# with a space: no client can have such an id
WHO, BY_FILE, BY_FORM = "referral link/", "referral file/", "referral form/"
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
    return _access(WHO, organization, SCOPES)


def access_of_file(organization: str) -> Access:
    """The same for a feed's organization, which also asks what it is asked."""
    return _access(BY_FILE, organization, SCOPES.replace("system/Task.ru", "system/Task.rus"))


def access_of_form(organization: str) -> Access:
    """Who refers by the form: it sees nothing."""
    return Access(BY_FORM + organization, frozenset(), source=organization)


def _access(how: str, organization: str, scopes: str) -> Access:
    name = how + organization
    return access_for(Client(name, name, ROLE, scopes, organization=organization), parse(scopes))
