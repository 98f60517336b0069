"""The User-access Brands Bundle: whose records are here, so that a member's app can find them by name.

Rules: SMART App Launch 2.2, https://hl7.org/fhir/smart-app-launch/brands.html (public; Bundle.timestamp; each brand
an Organization with an identifier of its own, each API an Endpoint; a column for every must-support element)

From a CSV of the deployment (HUB_BRANDS_FILE); its first row is the primary brand. Refuses (BrandsError): no row,
missing columns, two rows of one id or identifier, addresses that are not https, a category or a parent that is not
there.
"""

import csv
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REQUIRED = ("id", "name", "url")
ADDRESSES = ("url", "logo", "portal_url", "portal_logo", "developer_url")
PROFILES = "http://hl7.org/fhir/smart-app-launch/StructureDefinition"
EXTENSIONS = "http://hl7.org/fhir/StructureDefinition"
ENDPOINT_ID = "fhir"
FHIR_VERSION = "4.0.1"
URI = "urn:ietf:rfc:3986"
# https://hl7.org/fhir/smart-app-launch/ValueSet-user-access-category.html
CATEGORY = "http://terminology.hl7.org/CodeSystem/organization-type"
CATEGORIES = frozenset(
    ("prov", "ins", "laboratory", "imaging", "pharmacy", "health-information-network", "health-data-aggregator")
)
# part of the extension organization-portal: its value, and its column
PORTAL = (
    ("portalDescription", "valueMarkdown", "portal_description"),
    ("portalUrl", "valueUrl", "portal_url"),
    ("portalLogo", "valueUrl", "portal_logo"),
)
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

Row = Mapping[str, str]


class BrandsError(Exception):
    """The table cannot be used; the text names the line."""


def bundle(path: Path, fhir_base: str) -> dict[str, Any]:
    """The Bundle for a table, dated as the file is. Raises BrandsError, or OSError where there is none."""
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    changed = changed.replace("+00:00", "Z")
    rows = _rows(path)
    entries = [_endpoint(fhir_base, rows[0].get("developer_url") or fhir_base), *map(_brand, rows)]
    return {
        "resourceType": "Bundle",
        "meta": {"lastUpdated": changed, "profile": [f"{PROFILES}/user-access-brands-bundle"]},
        "type": "collection",
        "timestamp": changed,
        "entry": [
            {"fullUrl": f"{fhir_base}/{one['resourceType']}/{one['id']}", "resource": one} for one in entries
        ],
    }


def primary(path: Path) -> dict[str, str] | None:
    """The identifier of the primary brand; None where there is no table, or none that can be used."""
    try:
        return identifier_of(_rows(path)[0])
    except (OSError, ValueError, BrandsError):
        return None


def identifier_of(row: Row) -> dict[str, str]:
    """The brand's own, or else the address of its web presence: without `www.`, without a path."""
    if row.get("identifier"):
        return {"system": row.get("identifier_system") or URI, "value": row["identifier"]}
    return {"system": URI, "value": f"https://{urlsplit(row['url']).netloc.removeprefix('www.')}"}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return _checked(list(csv.DictReader(file)))


def _checked(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    if not rows:
        raise BrandsError("Line 2 is missing: there is no brand")
    seen: set[str] = set()
    whole = {row.get("id") for row in rows if not row.get("part_of")}
    for line, row in enumerate(rows, start=2):
        _check(line, row, whole)
        mine = {row["id"], str(identifier_of(row))}
        if mine & seen:
            raise BrandsError(f"Line {line} has the id or identifier of a line before")
        seen |= mine
    return rows


def _check(line: int, row: Row, whole: Collection[str | None]) -> None:
    if not all(row.get(name) for name in REQUIRED) or not _ID.fullmatch(row["id"]) or row["id"] == ENDPOINT_ID:
        raise BrandsError(f"Line {line} needs {', '.join(REQUIRED)}; an id is 1 to 64 letters, digits, . or -")
    addresses = [row.get(name) or "" for name in ADDRESSES]
    if any(address and not address.startswith("https://") for address in addresses):
        raise BrandsError(f"Line {line} has an address that is not https")
    if row.get("category") and row["category"] not in CATEGORIES:
        raise BrandsError(f"Line {line} has a category that SMART does not know")
    if row.get("part_of") and row["part_of"] not in whole:
        raise BrandsError(f"Line {line} is part of a brand that is not there, or is itself a part")


def _brand(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resourceType": "Organization",
        "id": row["id"],
        "meta": {"profile": [f"{PROFILES}/user-access-brand"]},
        "extension": [*_logo(row), _portal(row)],
        "identifier": [identifier_of(row)],
        "active": True,
        "type": [{"coding": [{"system": CATEGORY, "code": row["category"]}]}] if row.get("category") else [],
        "name": row["name"],
        "alias": [alias.strip() for alias in (row.get("alias") or "").split("|") if alias.strip()],
        "telecom": [{"system": "url", "value": row["url"]}],
        "address": _address(row),
        "partOf": {"reference": f"Organization/{row['part_of']}"} if row.get("part_of") else {},
        "endpoint": [{"reference": f"Endpoint/{ENDPOINT_ID}"}],
    }
    return {name: value for name, value in found.items() if value}


def _logo(row: Row) -> list[dict[str, Any]]:
    if not row.get("logo"):
        return []
    inner = {"url": "brandLogo", "valueUrl": row["logo"]}
    return [{"url": f"{EXTENSIONS}/organization-brand", "extension": [inner]}]


def _portal(row: Row) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"url": "portalName", "valueString": row.get("portal") or row["name"]}]
    parts += [{"url": name, value: row[column]} for name, value, column in PORTAL if row.get(column)]
    parts.append({"url": "portalEndpoint", "valueReference": {"reference": f"Endpoint/{ENDPOINT_ID}"}})
    return {"url": f"{EXTENSIONS}/organization-portal", "extension": parts}


def _address(row: Row) -> list[dict[str, Any]]:
    columns = {"city": "city", "state": "state", "postalCode": "postal_code"}
    found: dict[str, Any] = {"line": [row["line"]]} if row.get("line") else {}
    found |= {element: row[column] for element, column in columns.items() if row.get(column)}
    return [found] if found else []


def _endpoint(fhir_base: str, developers: str) -> dict[str, Any]:
    return {
        "resourceType": "Endpoint",
        "id": ENDPOINT_ID,
        "meta": {"profile": [f"{PROFILES}/user-access-endpoint"]},
        "extension": [{"url": f"{EXTENSIONS}/endpoint-fhir-version", "valueCode": FHIR_VERSION}],
        "status": "active",
        "connectionType": {
            "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
            "code": "hl7-fhir-rest",
        },
        "name": "FHIR R4 API for members' apps",
        "contact": [{"system": "url", "value": developers}],
        "payloadType": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "none"}]}
        ],
        "address": fhir_base,
    }
