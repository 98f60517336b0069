"""Callers whose sight is built by hand, over the hub's own door: what each may see is said here, not by roles.

`all` loads as the hub itself; the others are Accesses by name. Times are around NOW, which stands still.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete

from hub.access import Access
from hub.rights.facts import client_number, source_number
from hub.rights.labels import HIV, PSYTHPN
from hub.search.edges import address
from hub.sight import PANEL, PURPOSES, Sight
from hub.store.engine import Database
from tests.hub.asking import WRITTEN, Api, app_of, token_of

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HARBOR = source_number("Organization/harbor")
EVERYTHING = frozenset(("*", letter) for letter in "cruds")
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"


def sight(**parts: Any) -> Sight:
    """Harbor's: its panel; HIV by consent, therapy notes never."""
    usual: dict[str, Any] = {
        "holders": (HARBOR, client_number("harbor")),
        "kinds": PANEL,
        "own": HARBOR,
        "recipients": (HARBOR,),
        "purposes": PURPOSES["TREAT"],
        "guarded": HIV,
        "never": PSYTHPN,
    }
    return Sight(**usual | parts)


def caller(
    who: str = "harbor",
    grants: frozenset[tuple[str, str]] = EVERYTHING,
    source: str = "Organization/harbor",
    **parts: Any,
) -> Access:
    return Access(who, grants, sight=sight(**parts), source=source)


def api_of(database: Database, callers: Mapping[str, Access], **options: Any) -> Api:
    """The door, for the hub itself (`all`) and for these. `callers` may change later."""

    def guard(environ: dict[str, Any]) -> Access:
        token = environ["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
        known = {token_of(name): name for name in ("all", *callers)}
        name = known[token]
        return callers[name] if name in callers else Access.system("the world of a test", "Organization/county")

    return Api(app_of(database, guard=guard, **options), database)


def emptied(database: Database) -> Database:
    with database.write() as connection:
        for table in WRITTEN:
            connection.execute(delete(table))
    return database


def day(days: float) -> str:
    return (NOW + days * DAY).isoformat().replace("+00:00", "Z")


def panel(*patients: str, of: str = "Organization/harbor", identity: str = "panel", **spans: Any) -> dict[str, Any]:
    """A Group of these, always; and of those that `spans` names, with a period each."""
    members: list[dict[str, Any]] = [{"entity": to("Patient", each)} for each in patients]
    members += [{"entity": to("Patient", each), "period": period} for each, period in spans.items()]
    return {
        "resourceType": "Group",
        "id": identity,
        "type": "person",
        "actual": True,
        "managingEntity": {"reference": of},
        "member": members,
    }


def to(kind: str, identity: str) -> dict[str, str]:
    return {"reference": f"{kind}/{identity}"}


def labelled(*codes: str) -> dict[str, Any]:
    return {"security": [{"system": ACT, "code": code} for code in codes]}


def patient_address(identity: str) -> int:
    return address("Patient", identity)


def absent(name: str) -> str:
    """An id of nothing, as long as another one: a length tells nothing then."""
    return "0" * len(name)


def same(one: Any, other: Any, *names: str) -> None:
    """Two answers that nobody can tell apart: status, headers and bytes, but for the ids that were asked for."""
    first, second = (_told(answer, names) for answer in (one, other))
    assert first == second


def _told(answer: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    unstable = {"date", "x-request-id"}
    headers = sorted((n.lower(), v) for n, v in answer.headers if n.lower() not in unstable)
    text = repr((answer.status_code, headers, answer.text))
    for name in names:
        text = text.replace(name, "X")
    return (text,)
