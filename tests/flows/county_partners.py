"""A running hub with organizations that are its clients: who they are, what they put there, what they wait for."""

import json
import time
from collections.abc import Callable
from typing import Any

import requests

from auth.development_token import new_key, public_jwks
from tests.flows.hub_process import HubProcess
from tests.flows.partners import Partner

NPI = "http://hl7.org/fhir/sid/us-npi"
PROGRAM_NPI, ECM_NPI = "1234567893", "1245319599"
SYSTEM = "https://county.example/bh"


def partner(hub: HubProcess, name: str, role: str) -> Partner:
    """A client that is the organization of its name."""
    key = new_key("ES384")
    private, public = hub.folder / f"{name}.json", hub.folder / f"{name}.jwks.json"
    private.write_text(json.dumps(key))
    public.write_text(json.dumps(public_jwks(key)))
    words = ("--role", role, "--scope", "system/*.cruds", "--organization", f"Organization/{name}")
    hub.command("clients", "add", name, "--name", name.title(), "--jwks", str(public), *words)
    return Partner(name, private)


def session(hub: HubProcess, who: Partner) -> requests.Session:
    found = requests.Session()
    found.headers["Authorization"] = f"Bearer {who.token(hub)}"
    return found


def put(api: requests.Session, hub: HubProcess, *resources: dict[str, Any]) -> None:
    for one in resources:
        answer = api.put(f"{hub.fhir}/{one['resourceType']}/{one['id']}", json=one, timeout=20)
        assert answer.status_code in (200, 201), answer.text


def post(api: requests.Session, hub: HubProcess, resource: dict[str, Any]) -> str:
    """The id that the hub gave it."""
    answer = api.post(f"{hub.fhir}/{resource['resourceType']}", json=resource, timeout=20)
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def eventually(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def organization(name: str, npi: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Organization", "id": name, "name": f"Example {name}", "active": True}
    return made | ({"identifier": [{"system": NPI, "value": npi}]} if npi else {})


def panel(name: str, member: str) -> dict[str, Any]:
    """The list of one member that an organization works by."""
    return {
        "resourceType": "Group",
        "id": f"panel-of-{name}",
        "type": "person",
        "actual": True,
        "managingEntity": {"reference": f"Organization/{name}"},
        "member": [{"entity": {"reference": f"Patient/{member}"}}],
    }
