"""Settings of the plan's own API, which the hub calls (docs/plan-api.md)."""

from collections.abc import Mapping

from hub.setting_values import Setting, flag, minutes, positive


def places(text: str) -> Mapping[str, str]:
    """`referral=/a,decision=/b/{id}` by name."""
    pairs = [each.strip().partition("=") for each in text.split(",") if each.strip()]
    if not all(name and sign and path for name, sign, path in pairs):
        raise ValueError
    return {name.strip(): path.strip() for name, _, path in pairs}


PLAN_API: tuple[Setting, ...] = (
    Setting(
        "HUB_PLAN_API_URL",
        "",
        "Address of the plan's API, https; http for this machine only. Empty: there is none, and what "
        "follows means nothing.",
    ),
    Setting("HUB_PLAN_API_TOKEN_URL", "", "The plan's token endpoint (client credentials, private_key_jwt)."),
    Setting("HUB_PLAN_API_CLIENT", "", "The hub's client id at the plan."),
    Setting(
        "HUB_PLAN_API_KEY",
        "",
        "File with the hub's private JWK for the plan: RSA of 2048 bits (RS384) or EC P-384 (ES384), with a `kid`; "
        "not readable by everybody.",
    ),
    Setting("HUB_PLAN_API_SCOPES", "", "Scopes to ask for; empty: those that the plan registered."),
    Setting(
        "HUB_PLAN_API_PATHS",
        "referral=/referrals,decision=/referrals/{id}/decision,CarePlan=/care-plans/{id},Task=/tasks/{id}",
        "Paths below HUB_PLAN_API_URL. No plan publishes its API: these are the hub's own.",
        places,
    ),
    Setting(
        "HUB_PLAN_API_CA",
        "",
        "PEM file of the only authorities that the plan's certificate may be of; empty: the usual ones.",
    ),
    Setting(
        "HUB_PLAN_API_SECONDS",
        "20",
        "Longest time for one request to the plan and its answer, at most 20.",
        positive,
    ),
    Setting(
        "HUB_PLAN_API_ORGANIZATION",
        "",
        "The plan as the hub knows it, such as `Organization/example-plan`: a requested Task that it owns is a "
        "referral to it, a Task that it requested is told to it when its status changes.",
    ),
    Setting(
        "HUB_PLAN_API_SEES",
        "",
        "The plan's client id at the hub: only what this client may see now goes to the plan.",
    ),
    Setting("HUB_PLAN_API_POLL_MINUTES", "15", "How often a decision that is pending is asked for.", minutes),
    Setting("HUB_PLAN_API_DECISION_DAYS", "30", "Without a decision after so long a person must look.", positive),
    Setting(
        "HUB_PLAN_API_CARE_PLANS",
        "no",
        "`yes` writes care plans back, too, where HUB_PLAN_API_SEES may read them: a client of the role `plan` may "
        "not, by default.",
        flag,
    ),
)
