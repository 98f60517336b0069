"""One caller of the API, and what it keeps of the answers: every byte that left, by exit.

Evidence is what an exit told of one resource. What a caller sent itself comes back in links and tells nothing.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.test import TestResponse

from tests.matrix.canaries import Canary, canaries, canary
from tests.matrix.charts import KINDS, Chart, Kind
from tests.matrix.dimensions import Actor
from tests.matrix.world import World

FHIR_JSON = "application/fhir+json"


class Evidence(NamedTuple):
    """What left by an exit of one resource: the elements whose canaries were seen, or that it was there at all
    (True). `expected` narrows what must be seen; `firm` is False where not seeing it proves nothing."""

    exit: str
    number: int
    short: str
    seen: frozenset[str] | bool
    expected: frozenset[str] | None = None
    firm: bool = True


@dataclass
class Asker:
    """One caller: an actor, and for a member's app the number of the member. `left` are the bytes of each exit."""

    app: Flask
    actor: Actor
    token: str | None
    member: int = 0
    left: dict[str, list[bytes]] = field(default_factory=dict)
    asked: int = 0

    def ask(self, exit_: str, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None and "Content-Type" not in sent:
            sent["Content-Type"] = FHIR_JSON
        data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        answer = self.app.test_client().open(f"/fhir{path}", method=method, data=data, headers=sent)
        self.asked += 1
        head = f"{answer.status}\n{answer.headers}".encode()
        self.left.setdefault(exit_, []).append(head + b"\n" + _without_echo(answer.data, path, body))
        return answer

    def pages(self, exit_: str, path: str) -> bytes:
        """All pages, one after the other."""
        found = []
        while path:
            answer = self.ask(exit_, "GET", path)
            found.append(answer.data)
            path = next_page(answer)
        return b"\n".join(found)


def _without_echo(data: bytes, path: str, body: Any) -> bytes:
    """What the caller itself sent comes back in links: that tells nothing."""
    for sent in canaries_sent(path, body):
        data = data.replace(sent, b"")
    return data


def canaries_sent(path: str, body: Any) -> list[bytes]:
    text = path + (body if isinstance(body, str) else "")
    return [
        f"ZQ{each.short}{each.number}z{each.element}".encode()
        for each in canaries(text.encode())
        if any(f"{sign}{canary(*each)}" in text for sign in ("%7C", "|", ":exact="))
    ]


def next_page(answer: TestResponse) -> str:
    if answer.status_code != 200:
        return ""
    links = answer.json.get("link", [])
    url = next((link["url"] for link in links if link["relation"] == "next"), "")
    return str(url.partition("/fhir")[2])


def grouped(found: Iterable[Canary]) -> dict[tuple[int, str], frozenset[str]]:
    """The elements seen, by number and resource."""
    elements: dict[tuple[int, str], set[str]] = {}
    for each in found:
        elements.setdefault((each.number, each.short), set()).add(each.element)
    return {key: frozenset(values) for key, values in elements.items()}


def listed(
    exit_: str, leaving: bytes, charts: Iterable[Chart], kinds: Iterable[Kind], only: frozenset[str] | None = None
) -> Iterator[Evidence]:
    """Evidence of every chart from the answer to a search over all."""
    seen = grouped(canaries(leaving))
    shorts = [kind.short for kind in kinds]
    for chart in charts:
        for short in shorts:
            yield Evidence(exit_, chart.number, short, seen.get((chart.number, short), frozenset()), only)


Charts = list[Chart]
Ask = Callable[[Asker, World, Charts], Iterator[Evidence]]
BY_NAME = {kind.short: kind for kind in KINDS}
