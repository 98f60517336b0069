"""The client against a plan in a process of its own, through every fault: nothing lost, nothing doubled."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.plan.api.circuit import CLOSED, FAILURES, OPEN
from adapters.plan.api.client import TRIES, PlanClient, Rejected, TryLater
from adapters.plan.api.configuration import plan_api
from hub.notifications.connections import Route
from hub.problems import CannotStart
from hub.settings import read_settings
from tests.certificates import Authority
from tests.reference_plan.process import ReferencePlan, reference_plan

BUNDLE = {"resourceType": "Bundle", "type": "transaction", "entry": []}
CARE_PLAN = {"resourceType": "CarePlan", "id": "c1", "status": "active"}
SETTINGS = ReferencePlan("https://plan.example", Path("/nowhere")).settings()
# what goes wrong once, and is mended by asking again
PASSING = ("500", "502", "503", "504", "429", "429:0", "409", "408", "cut-before", "cut-after", "wrong-type",
           "no-json", "half", "huge", "slow:2.5", "trickle")  # fmt: skip
REFUSED = ("400", "403", "404", "413", "422", "redirect")


@dataclass
class Slept:
    """A clock that sleeping moves."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    waits: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += timedelta(seconds=seconds)


def client(plan: ReferencePlan, clock: Slept | None = None, **more: str) -> PlanClient:
    clock = clock or Slept()
    return PlanClient(plan.api(**more), clock.now, clock.sleep, lambda: 0.5)


def test_a_referral_gets_the_plans_number(plan: ReferencePlan) -> None:
    assert client(plan).submit(BUNDLE, "key-1") == "PLAN-1"
    assert plan.state["referrals"] == {"PLAN-1": BUNDLE}


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_loses_nothing_and_doubles_nothing(plan: ReferencePlan, fault: str) -> None:
    plan.fault("/referrals", fault)
    assert client(plan, HUB_PLAN_API_SECONDS="1").submit(BUNDLE, "key-1") == "PLAN-1"
    assert len(plan.state["referrals"]) == 1


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_of_the_token_endpoint_passes_too(plan: ReferencePlan, fault: str) -> None:
    plan.fault("/token", fault)
    assert client(plan, HUB_PLAN_API_SECONDS="1").submit(BUNDLE, "key-1") == "PLAN-1"


def test_an_answer_that_comes_twice_is_one(plan: ReferencePlan) -> None:
    asking = client(plan)
    plan.fault("*", "twice", 3)
    assert asking.submit(BUNDLE, "key-1") == "PLAN-1"
    assert asking.submit(BUNDLE, "key-1") == "PLAN-1"
    assert len(plan.state["referrals"]) == 1


@pytest.mark.parametrize("fault", REFUSED)
def test_what_the_plan_refuses_is_not_tried_again(plan: ReferencePlan, fault: str) -> None:
    plan.fault("/referrals", fault)
    with pytest.raises(Rejected, match="The plan answered"):
        client(plan).submit(BUNDLE, "key-1")
    assert plan.state["requests"].count("POST /referrals") == 1


@pytest.mark.parametrize("fault", ["500", "cut-before", "cut-after", "wrong-type"])
def test_a_fault_that_stays_is_left_to_the_outbox_and_done_once_later(plan: ReferencePlan, fault: str) -> None:
    asking = client(plan)
    plan.fault("/referrals", fault, TRIES)
    with pytest.raises(TryLater):
        asking.submit(BUNDLE, "key-1")
    assert asking.submit(BUNDLE, "key-1") == "PLAN-1"
    assert len(plan.state["referrals"]) == 1


def test_waits_between_tries_grow(plan: ReferencePlan) -> None:
    clock = Slept()
    plan.fault("/referrals", "500", TRIES)
    with pytest.raises(TryLater):
        client(plan, clock).submit(BUNDLE, "key-1")
    assert clock.waits == [0.5, 1.0]


def test_a_short_retry_after_is_kept_to(plan: ReferencePlan) -> None:
    clock = Slept()
    plan.fault("/referrals", "429:4")
    assert client(plan, clock).submit(BUNDLE, "key-1") == "PLAN-1"
    assert clock.waits == [4.0]


def test_a_long_one_is_left_to_the_outbox(plan: ReferencePlan) -> None:
    clock = Slept()
    plan.fault("/referrals", "503:120")
    with pytest.raises(TryLater) as later:
        client(plan, clock).submit(BUNDLE, "key-1")
    assert (later.value.after, clock.waits) == (120.0, [])


def test_a_call_ends_before_the_workers_lease(plan: ReferencePlan) -> None:
    clock = Slept()
    plan.fault("/referrals", "429:10", TRIES)
    with pytest.raises(TryLater):
        client(plan, clock, HUB_PLAN_API_SECONDS="20").submit(BUNDLE, "key-1")
    assert sum(clock.waits) <= 45 - 20


def test_after_several_failures_nobody_asks_until_one_may(plan: ReferencePlan) -> None:
    clock = Slept()
    asking = client(plan, clock)
    plan.fault("/referrals", "500", FAILURES)
    for _ in range(2):
        with pytest.raises(TryLater):
            asking.submit(BUNDLE, "key-1")
    assert asking.breaker.state == OPEN
    before = len(plan.state["requests"])
    with pytest.raises(TryLater) as later:
        asking.submit(BUNDLE, "key-1")
    assert len(plan.state["requests"]) == before
    assert 0 < (later.value.after or 0) <= 30
    clock.sleep(31)
    assert asking.submit(BUNDLE, "key-1") == "PLAN-1"
    assert asking.breaker.state == CLOSED


def test_a_token_is_used_until_shortly_before_its_end(plan: ReferencePlan) -> None:
    clock = Slept()
    asking = client(plan, clock)
    plan.forget_tokens(life=40)
    for number in range(3):
        asking.submit(BUNDLE, f"key-{number}")
    assert plan.state["asked"] == 1
    clock.sleep(21)
    asking.submit(BUNDLE, "key-9")
    assert plan.state["asked"] == 2


def test_a_token_that_the_plan_forgot_is_asked_for_anew(plan: ReferencePlan) -> None:
    asking = client(plan)
    asking.submit(BUNDLE, "key-1")
    plan.forget_tokens()
    assert asking.submit(BUNDLE, "key-2") == "PLAN-2"


def test_a_hub_that_the_plan_does_not_know_is_told_so(plan: ReferencePlan) -> None:
    with pytest.raises(TryLater, match="does not know"):
        client(plan, HUB_PLAN_API_CLIENT="somebody-else").submit(BUNDLE, "key-1")


def test_every_assertion_is_new(plan: ReferencePlan) -> None:
    asking = client(plan)
    for number in range(3):
        plan.forget_tokens()
        asking.tokens.drop(str(asking.tokens.current()))
        asking.submit(BUNDLE, f"key-{number}")
    assert len(plan.state["referrals"]) == 3


def test_an_rsa_key_does_as_well(tmp_path: Path) -> None:
    with reference_plan(tmp_path, "RS384") as plan:
        assert client(plan).submit(BUNDLE, "key-1") == "PLAN-1"


def test_a_decision_is_fetched_when_there_is_one(plan: ReferencePlan) -> None:
    asking = client(plan)
    number = asking.submit(BUNDLE, "key-1")
    found = [asking.decision(number) for _ in range(2)]
    assert [one and one["status"] for one in found] == ["requested", "accepted"]


def test_care_plans_and_tasks_are_written_once(plan: ReferencePlan) -> None:
    asking = client(plan)
    plan.fault("/care-plans/c1", "cut-after")
    asking.write("CarePlan", "c1", CARE_PLAN, "key-1")
    asking.write("CarePlan", "c1", CARE_PLAN, "key-1")
    asking.write("Task", "t1", {"resourceType": "Task", "id": "t1"}, "key-2")
    assert [write["path"] for write in plan.state["writes"]] == ["/care-plans/c1", "/tasks/t1"]


def test_only_the_pinned_authority_counts(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    papers = ours.sign("plan")
    with reference_plan(tmp_path, tls=(papers.cert, papers.key)) as plan:
        assert client(plan, HUB_PLAN_API_CA=str(ours.cert)).submit(BUNDLE, "key-1") == "PLAN-1"
        with pytest.raises(TryLater, match="SSLError"):
            client(plan, HUB_PLAN_API_CA=str(theirs.cert)).submit(BUNDLE, "key-2")


def test_nothing_of_an_answer_stands_in_an_error(plan: ReferencePlan) -> None:
    plan.fault("/referrals", "wrong-type", TRIES)
    with pytest.raises(TryLater) as later:
        client(plan).submit(BUNDLE, "key-1")
    assert "moment" not in str(later.value)


def test_only_configured_hosts_are_called(plan: ReferencePlan) -> None:
    api = replace(plan.api(), route=Route(("plan.example:443",)))
    with pytest.raises(TryLater, match="not https"):
        PlanClient(api, sleep=Slept().sleep).submit(BUNDLE, "key-1")
    assert plan.state["requests"] == []


def test_without_a_url_there_is_no_plan() -> None:
    assert plan_api(read_settings({})) is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"HUB_PLAN_API_URL": "http://plan.example"}, "URL"),
        ({"HUB_PLAN_API_TOKEN_URL": "http://plan.example/token"}, "TOKEN_URL"),
        ({"HUB_PLAN_API_URL": "https://user@plan.example"}, "URL"),
        ({"HUB_PLAN_API_TOKEN_URL": ""}, "TOKEN_URL"),
        ({"HUB_PLAN_API_CLIENT": ""}, "CLIENT"),
        ({"HUB_PLAN_API_SEES": ""}, "SEES"),
        ({"HUB_PLAN_API_PATHS": "referral=/r"}, "PATHS"),
        ({"HUB_PLAN_API_PATHS": "referral=/r,decision=/d,CarePlan=/c/{id},Task=/t/{id}"}, "PATHS"),
        ({"HUB_PLAN_API_SECONDS": "21"}, "SECONDS"),
    ],
)
def test_a_configuration_that_is_not_safe_or_not_whole_does_not_start(
    tmp_path: Path, change: dict[str, str], named: str
) -> None:
    key = _key(tmp_path, lambda said: said)
    with pytest.raises(CannotStart, match=f"HUB_PLAN_API_{named}"):
        plan_api(read_settings({**SETTINGS, "HUB_PLAN_API_KEY": str(key), **change}))


def _key(folder: Path, change: Callable[[dict[str, Any]], Any], algorithm: str = "ES384") -> Path:
    from auth.development_token import new_key

    path = folder / "key.json"
    path.write_text(json.dumps(change(dict(new_key(algorithm)))))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda said: {name: value for name, value in said.items() if name != "d"},
        lambda said: {name: value for name, value in said.items() if name != "kid"},
        lambda said: [said],
        lambda said: {"kty": "oct", "k": "AAAA", "kid": "1"},
        lambda said: {},
    ],
)
def test_a_key_that_is_none_does_not_start(tmp_path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    settings = {**SETTINGS, "HUB_PLAN_API_KEY": str(_key(tmp_path, change))}
    with pytest.raises(CannotStart, match="HUB_PLAN_API_KEY"):
        plan_api(read_settings(settings))


def test_a_key_that_everybody_can_read_does_not_start(tmp_path: Path) -> None:
    path = _key(tmp_path, lambda said: said)
    path.chmod(0o644)
    with pytest.raises(CannotStart, match="mode 600"):
        plan_api(read_settings({**SETTINGS, "HUB_PLAN_API_KEY": str(path)}))


def test_the_key_stands_in_no_repr(plan: ReferencePlan) -> None:
    secret = json.loads(plan.key.read_text())["d"]
    asking = client(plan)
    asking.submit(BUNDLE, "key-1")
    assert secret not in repr(asking)
    assert str(asking.tokens.current()) not in repr(asking)
