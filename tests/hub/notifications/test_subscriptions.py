"""What a client may ask for in a Subscription (W01, W04, SEC-33)."""

from typing import Any

import pytest

from hub.notifications.subscriptions import BACKPORT, FULL_RESOURCE, Served, issues, subscription
from hub.notifications.topics import ADMISSION, DISCHARGE, PANEL, TOPICS, Topic
from hub.problems import Problem
from hub.search.parameters import parameters_of
from tests.hub.notifications.conftest import wanted

ENDPOINT = "https://receiver.example.org/hook"


def found(resource: dict[str, Any]) -> list[tuple[str, str]]:
    return [(issue.kind, issue.where) for issue in issues(resource, Served())]


def changed(path: str, value: Any) -> dict[str, Any]:
    """A good Subscription with one element set (None: taken out)."""
    resource = wanted(ENDPOINT)
    *parents, last = path.split(".")
    node = resource
    for name in parents:
        node = node.setdefault(name, {})
    node[last] = value
    if value is None:
        del node[last]
    return resource


@pytest.mark.parametrize(
    "resource",
    [
        wanted(ENDPOINT),
        wanted(ENDPOINT, topic=DISCHARGE, content=FULL_RESOURCE),
        wanted(ENDPOINT, content="empty", status="off"),
        wanted(
            ENDPOINT,
            filters=("Encounter?panel=Group/panel-1", "Encounter?class=IMP,EMER&patient=Patient/a,Patient/b"),
        ),
        wanted(ENDPOINT, filters=("Encounter?class=http://terminology.hl7.org/CodeSystem/v3-ActCode|IMP",)),
        wanted(ENDPOINT, header=("Authorization: Bearer invented", "X-Tenant:  a")),
        changed("channel.payload", "application/fhir+json; fhirVersion=4.0"),
    ],
)
def test_a_subscription_to_a_known_topic_is_accepted(resource: dict[str, Any]) -> None:
    assert found(resource) == []


CONTENT = BACKPORT + "backport-payload-content"


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("status", "active", "status"),
        ("status", "error", "status"),
        ("criteria", "Encounter?status=in-progress", "criteria"),
        ("criteria", ADMISSION + "s", "criteria"),
        ("criteria", "http://hl7.org/SubscriptionTopic/admission", "criteria"),
        ("channel.type", "websocket", "channel.type"),
        ("channel.type", "email", "channel.type"),
        (
            "channel._type",
            {"extension": [{"url": BACKPORT + "backport-channel-type", "valueCoding": {"code": "zulip"}}]},
            "channel.type.extension",
        ),
        ("channel.payload", "application/json", "channel.payload"),
        ("channel.payload", "application/fhir+json; fhirVersion=5.0", "channel.payload"),
        ("channel.payload", None, "channel.payload"),
        ("channel._payload", None, "channel.payload.extension"),
        ("channel._payload", {"extension": [{"url": CONTENT, "valueCode": "all"}]}, "channel.payload.extension"),
        (
            "channel._payload",
            {"extension": [{"url": CONTENT, "valueCode": "empty"}, {"url": CONTENT, "valueCode": "id-only"}]},
            "channel.payload.extension",
        ),
        (
            "channel.extension",
            [{"url": BACKPORT + "backport-heartbeat-period", "valueUnsignedInt": 9}],
            "channel.extension",
        ),
        ("channel.endpoint", "http://receiver.example.org/hook", "channel.endpoint"),
        ("channel.endpoint", "https://169.254.169.254/", "channel.endpoint"),
        ("channel.endpoint", None, "channel.endpoint"),
    ],
)
def test_what_the_hub_does_not_serve_is_a_business_rule(path: str, value: Any, where: str) -> None:
    assert found(changed(path, value)) == [("business-rule", f"Subscription.{where}")]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Encounter?status=finished", "business-rule"),
        ("Encounter?patient:identifier=a|b", "business-rule"),
        ("Encounter?panel:not=Group/a", "business-rule"),
        ("Encounter?subject.name=Ada", "business-rule"),
        ("Encounter?_has:Group:member:_id=a", "business-rule"),
        ("Encounter?_id=a", "business-rule"),
        ("Patient?patient=Patient/a", "business-rule"),
        ("patient=Patient/a", "business-rule"),
        ("Encounter", "business-rule"),
        ("Encounter?", "business-rule"),
        ("Encounter?patient=" + "a" * 4096, "business-rule"),
        ("Encounter?panel=panel-1", "value"),
        ("Encounter?panel=Patient/a", "value"),
        ("Encounter?panel=Group/a,", "value"),
        ("Encounter?panel=", "value"),
        ("Encounter?patient=", "value"),
        ("Encounter?patient", "value"),
        ("Encounter?class=a|b|c", "value"),
        ("Encounter?" + "&".join(["class=IMP"] * 21), "value"),
    ],
)
def test_a_filter_that_the_topic_does_not_have_is_refused(text: str, kind: str) -> None:
    assert found(wanted(ENDPOINT, filters=(text,))) == [(kind, "Subscription.criteria.extension[0]")]


def test_a_filter_without_a_text_is_refused_and_so_are_too_many() -> None:
    resource = wanted(ENDPOINT)
    resource["_criteria"] = {"extension": [{"url": BACKPORT + "backport-filter-criteria"}]}
    assert found(resource) == [("business-rule", "Subscription.criteria.extension[0]")]
    many = ("Encounter?class=IMP",) * 21
    assert found(wanted(ENDPOINT, filters=many)) == [("business-rule", "Subscription.criteria.extension")]


@pytest.mark.parametrize(
    "line",
    [
        "X-A: b\r\nX-C: d",
        "X-A: b\n",
        "X-A: b\rc",
        "X-A: b\x00",
        "X-A: \x7f",
        "X-A: ü",
        "X A: b",
        "X-A : b",
        ": b",
        "X-A:",
        "X-A",
        "",
        " X-A: b",
        "X-A: b ",
        "Authorization: " + "a" * 4096,
        "Host: evil.example",
        "hOST: evil.example",
        "Content-Type: text/html",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "Connection: keep-alive",
        "TE: trailers",
        "Expect: 100-continue",
        "Proxy-Authorization: Basic x",
        "Webhook-Id: mine",
        "webhook-signature: v1,x",
        "Cookie: a=b",
    ],
)
def test_a_header_line_that_cannot_be_sent_is_a_value_problem_and_not_quoted(line: str) -> None:
    resource = wanted(ENDPOINT, header=("X-Fine: yes", line))
    (issue,) = issues(resource, Served())
    assert (issue.kind, issue.where) == ("value", "Subscription.channel.header[1]")
    assert len(line) < 8 or line not in issue.message
    resource["meta"] = {"versionId": "1"}
    assert subscription(resource).headers == (("X-Fine", "yes"),)


def test_a_header_named_twice_or_a_seventeenth_is_refused() -> None:
    twice = wanted(ENDPOINT, header=("X-A: b", "x-a: c"))
    assert found(twice) == [("value", "Subscription.channel.header[1]")]
    many = wanted(ENDPOINT, header=tuple(f"X-{n}: b" for n in range(17)))
    assert found(many) == [("value", "Subscription.channel.header[16]")]


def test_the_kinds_of_refusals_answer_422_and_400() -> None:
    refused = {
        issue.kind: Problem.of([issue]).status for issue in issues(wanted("adfdf", header=("Host: a",)), Served())
    }
    assert refused == {"business-rule": 422, "value": 400}


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.url)
def test_a_topic_is_filtered_by_search_parameters_of_its_type_and_by_panels(topic: Topic) -> None:
    assert set(topic.filters) - {PANEL} <= parameters_of(topic.type).keys()
    assert topic.filters[PANEL]
    assert all(len(text) > 10 for text in (topic.when, topic.title, *topic.filters.values()))
