"""The Consent resources of each consent state: what is written, in order."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.matrix.canaries import canary, identity
from tests.matrix.charts import ACT_CODE, Chart
from tests.matrix.dimensions import ACTORS

Resource = dict[str, Any]
NOW = datetime.now(UTC)
ORGANIZATION = {actor.role: actor.organization for actor in ACTORS if actor.token == "valid"}
RECIPIENT = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
RECIPIENT_CLASS = "urn:calaim-fhir-hub:recipient-class"
SUD = ("SUD", "ETH", "42CFRPart2")
ALL = (*SUD, "PSY", "HIV", "STD", "SDV")
ALL_PURPOSES = ("TREAT", "HPAYMT", "HOPERAT")
NAMED = ("ehr", "ecm-provider", "ilos-provider", "plan")


def day(offset: float) -> str:
    return (NOW + timedelta(days=offset)).strftime("%Y-%m-%dT%H:%M:%SZ")


def to(*roles: str) -> list[Resource]:
    return [{"role": RECIPIENT, "reference": {"reference": ORGANIZATION[role]}} for role in roles]


def to_class(*roles: str) -> list[Resource]:
    return [
        {"role": RECIPIENT, "reference": {"identifier": {"system": RECIPIENT_CLASS, "value": role}}}
        for role in roles
    ]


def provision(kind: str, labels: tuple[str, ...], actors: list[Resource], **more: Any) -> Resource:
    return (
        ({"actor": actors} if actors else {})
        | {
            "type": kind,
            "purpose": [
                {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}
                for code in ALL_PURPOSES
            ],
            "securityLabel": [{"system": ACT_CODE, "code": code} for code in labels],
            "period": {"start": day(-30), "end": day(365)},
        }
        | more
    )


def consent(chart: Chart, given: Resource, serial: int = 0, signed: float = -10, **more: Any) -> Resource:
    number = chart.number
    return {
        "resourceType": "Consent",
        "id": identity("con" + "abc"[serial], number),
        "status": "active",
        "identifier": [
            {"system": "https://county.invalid/canary", "value": canary("con" + "abc"[serial], number, "value")}
        ],
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": ACT_CODE, "code": "IDSCL"}]}],
        "patient": chart.patient,
        "dateTime": day(signed),
        "performer": [chart.patient],
        "policyRule": {"coding": [{"system": ACT_CODE, "code": "OPTIN"}]},
        "provision": given,
    } | more


def form(name: str) -> Resource:
    return {"policy": [{"uri": f"urn:calaim-fhir-hub:consent-form:{name}"}]}


def parent(chart: Chart, end: float | None) -> Resource:
    period = {"start": day(-4000)} | ({} if end is None else {"end": day(end)})
    return {
        "resourceType": "RelatedPerson",
        "id": identity("par", chart.number),
        "active": True,
        "patient": chart.patient,
        "relationship": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "PRN"}]}
        ],
        "period": period,
    }


def signed_by_parent(chart: Chart) -> Resource:
    return {"performer": [{"reference": f"RelatedPerson/{identity('par', chart.number)}"}]}


PERMIT = provision("permit", ALL, to(*NAMED))
TREATMENT = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}]
Written = Iterator[Resource]


def _none(c: Chart) -> Written:
    yield from ()


def _tpo(c: Chart) -> Written:
    yield consent(c, {"type": "permit"}, **form("part2-tpo"))


def _named(c: Chart) -> Written:
    yield consent(c, PERMIT)


def _class(c: Chart) -> Written:
    to_these = to_class("ehr", "ecm-provider", "plan")
    yield consent(c, provision("permit", ALL, to_these, purpose=TREATMENT))


def _partial(c: Chart) -> Written:
    but = provision("deny", SUD, to(*ORGANIZATION))
    yield consent(c, provision("permit", (*SUD, "PSY"), to(*ORGANIZATION), provision=[but]))


def _deny(c: Chart) -> Written:
    yield consent(c, provision("deny", ALL, to(*NAMED)))


def _expired(c: Chart) -> Written:
    yield consent(c, PERMIT | {"period": {"start": day(-30), "end": day(-1)}})


def _not_yet(c: Chart) -> Written:
    yield consent(c, PERMIT | {"period": {"start": day(1), "end": day(90)}})


def _revoked(c: Chart) -> Written:
    yield consent(c, PERMIT)
    yield consent(c, PERMIT, status="inactive")


def _contradicting(c: Chart) -> Written:
    first, second = ("deny", "permit") if c.number % 2 else ("permit", "deny")
    yield consent(c, provision(first, ALL, to(*NAMED)))
    yield consent(c, provision(second, ALL, to(*NAMED)), 1)


def _ab133(c: Chart) -> Written:
    yield consent(c, PERMIT, **form("ascmi-ab133"))


def _minor(c: Chart) -> Written:
    yield parent(c, None)
    yield consent(c, PERMIT, **signed_by_parent(c))


def _proxy_lapsed(c: Chart) -> Written:
    yield parent(c, -20)  # ten days before the signature
    yield consent(c, PERMIT, **signed_by_parent(c))


def _hmis_roi(c: Chart) -> Written:
    yield consent(c, {"type": "permit", "actor": to(*NAMED)}, **form("hmis-roi"))


def _hmis_roi_expired(c: Chart) -> Written:
    period = {"start": day(-30), "end": day(-1)}
    yield consent(c, {"type": "permit", "actor": to(*NAMED), "period": period}, **form("hmis-roi"))


STATES: Mapping[str, Callable[[Chart], Written]] = {
    "none": _none,
    "tpo": _tpo,
    "named": _named,
    "class": _class,
    "partial": _partial,
    "deny": _deny,
    "expired": _expired,
    "not-yet": _not_yet,
    "revoked": _revoked,
    "contradicting": _contradicting,
    "ab133-without-medi-cal": _ab133,
    "minor": _minor,
    "proxy-lapsed": _proxy_lapsed,
    "hmis-roi": _hmis_roi,
    "hmis-roi-expired": _hmis_roi_expired,
}


def written(chart: Chart) -> Written:
    """What is written of the chart's consent state, one commit after the other."""
    yield from STATES[chart.consent](chart)
