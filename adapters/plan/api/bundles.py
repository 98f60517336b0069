"""What goes to the plan with a referral: a transaction of its ServiceRequest and its Task. Pure.

Rules: https://hl7.org/fhir/R4/http.html#transaction; Gravity SDOH Clinical Care (Task for referral management:
`focus` is the request). The plan knows nobody by this hub's ids: every reference to the member says the CIN, too.
Both are created once, by this hub's own number of them, however often they arrive.
"""

from typing import Any

from hub.fhir.conditional import query

Resource = dict[str, Any]


def referral_bundle(task: Resource, request: Resource, patient: Resource, base: str, cin_system: str) -> Resource:
    """`task`, `request` and `patient` as the plan may see them."""
    cin = next((one for one in patient.get("identifier", ()) if one.get("system") == cin_system), None)
    member = f"Patient/{patient['id']}"
    entries = [_entry(_about(resource, member, cin, base), base) for resource in (request, task)]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def with_number(resource: Resource, base: str) -> Resource:
    """With this hub's own number of it as an identifier."""
    kind = resource["resourceType"]
    own = {"system": f"{base}/{kind}", "value": resource["id"]}
    others = [one for one in resource.get("identifier", ()) if one.get("system") != own["system"]]
    return {**resource, "identifier": [own, *others]}


def about_member(resource: Resource, patient: Resource, base: str, cin_system: str) -> Resource:
    """A single resource with the member's CIN and this hub's number."""
    cin = next((one for one in patient.get("identifier", ()) if one.get("system") == cin_system), None)
    made: Resource = _about(with_number(resource, base), f"Patient/{patient['id']}", cin, base)
    return made


def _entry(resource: Resource, base: str) -> Resource:
    kind, number = resource["resourceType"], resource["id"]
    asked = {"method": "POST", "url": kind, "ifNoneExist": query(f"{base}/{kind}", number)}
    return {"fullUrl": f"{base}/{kind}/{number}", "resource": with_number(resource, base), "request": asked}


def _about(node: Any, member: str, cin: Resource | None, base: str) -> Any:
    """A copy in which references are absolute, and those to the member say the CIN."""
    if isinstance(node, list):
        return [_about(one, member, cin, base) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _about(value, member, cin, base) for name, value in node.items()}
    reference = made.get("reference")
    if isinstance(reference, str) and not reference.startswith(("#", "http", "urn:")):
        made["reference"] = f"{base}/{reference}"
        if reference.partition("/_history")[0] == member and cin:
            made["identifier"] = {name: cin[name] for name in ("system", "value") if name in cin}
    return made
