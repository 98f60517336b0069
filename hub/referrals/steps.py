"""What a referral waits for, as the hub says it beside DHCS' own words in `Task.businessStatus`. Pure.

Nothing is guessed: where nobody said which plan, or which provider, the referral waits in a named state that a
search finds (`Task?business-status=`), until a person says it.
"""

from collections.abc import Mapping
from typing import Any

from hub.referrals.terms import STEP, Resource

AWAITING_PLAN, AWAITING_AUTHORIZATION = "awaiting-plan", "awaiting-authorization"
AWAITING_PROVIDER, PROVIDER_DECLINED = "awaiting-provider", "provider-declined"
PROVIDER_UNCONFIRMED = "provider-unconfirmed"
AWAITING_ACCEPTANCE, WITH_PROVIDER, PROVIDER_WAITS = "awaiting-acceptance", "with-provider", "provider-waits"
DENIED, CLOSED, AWAITING_REQUEST = "denied", "closed", "awaiting-request"

STEPS: Mapping[str, str] = {
    AWAITING_REQUEST: "The request that this is about is not here",
    AWAITING_PLAN: "No plan is known that could authorize this: a person must say which",
    AWAITING_AUTHORIZATION: "The plan has been asked to authorize this",
    AWAITING_PROVIDER: "Nobody is assigned: a person must choose the provider",
    PROVIDER_UNCONFIRMED: "Who wrote the request may have named itself: a person must assign the provider",
    PROVIDER_DECLINED: "The provider declined: a person must assign another",
    AWAITING_ACCEPTANCE: "The provider has been asked",
    WITH_PROVIDER: "The provider has accepted",
    PROVIDER_WAITS: "The provider waits, and says why",
    DENIED: "The plan denied it",
    CLOSED: "The loop is closed",
}
FOR_A_PERSON = frozenset(
    (AWAITING_REQUEST, AWAITING_PLAN, AWAITING_PROVIDER, PROVIDER_UNCONFIRMED, PROVIDER_DECLINED)
)


def step_of(task: Mapping[str, Any]) -> str:
    codings = task.get("businessStatus", {}).get("coding", ())
    return next((str(one.get("code")) for one in codings if one.get("system") == STEP), "")


def with_step(task: Resource, step: str, codings: tuple[Resource, ...] | None = None) -> Resource:
    """The Task at this step; `codings` are DHCS' words where they change, None: those that it has."""
    before = task.get("businessStatus", {})
    others = [one for one in before.get("coding", ()) if one.get("system") != STEP]
    said = others if codings is None else list(codings)
    mine = {"system": STEP, "code": step, "display": STEPS[step]}
    return {**task, "businessStatus": {"coding": [*said, mine], "text": STEPS[step]}}
