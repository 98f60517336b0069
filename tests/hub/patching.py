"""Sending patches in tests: operations of both languages, and the Patient they change."""

import base64
import json
from typing import Any

from werkzeug.test import TestResponse

from tests.hub.asking import Api, entry, mrn, patient

PATCH_JSON = "application/json-patch+json"
BY_A = "identifier=https://hospital.invalid/mrn|a"
SENT = patient(
    "1",
    active=True,
    identifier=mrn("a"),
    name=[
        {"use": "official", "family": "Invented", "given": ["Ann", "Bo"], "_given": [None, {"id": "second"}]},
        {"use": "old", "family": "Former"},
    ],
    birthDate="1980-01-01",
    deceasedBoolean=False,
    extension=[{"url": "https://x.invalid/e", "valueDecimal": 1.5}],
    contact=[{"name": {"text": "Someone"}}],
)


def patched(api: Api, operations: Any, path: str = "/Patient/1", **headers: str) -> TestResponse:
    body = operations if isinstance(operations, bytes) else json.dumps(operations).encode()
    return api.ask("PATCH", path, body, Content_Type=PATCH_JSON, **headers)


def op(name: str, path: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path} | ({} if value is None else {"value": value}) | more


def step(kind: str, path: str, **parts: Any) -> dict[str, Any]:
    """An operation of FHIRPath Patch; a text part is a string, a number an integer, `value` is given whole."""
    made: list[dict[str, Any]] = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}]
    for name, value in parts.items():
        if isinstance(value, dict):
            made.append({"name": name} | value)
        else:
            made.append({"name": name, "valueString" if isinstance(value, str) else "valueInteger": value})
    return {"name": "operation", "part": made}


def parameters(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": list(steps)}


def in_bundle(operations: Any, url: str = "Patient/1", **parts: Any) -> dict[str, Any]:
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return entry("PATCH", url, {"resourceType": "Binary", "contentType": PATCH_JSON, "data": data}, **parts)
