"""A credential in a Subscription's header lines is sent, and stands nowhere: not in the database's bytes, not in an
answer, not in the history."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import make_url

from hub import clock, header_values, outbox
from hub.access import Access
from hub.fhir import json
from hub.fhir.bundles import Entry
from hub.header_values import SET, opened, parted
from hub.notifications.stored_headers import KIND, StoredHeaders
from hub.problems import Problem
from hub.sight import ALL
from hub.store import header_values as store
from hub.store import idempotency, read
from hub.store import tables as t
from hub.store.engine import Database
from hub.store.tables_subscriptions import subscription_secret
from hub.transactions import Transactions, single
from tests.hub.asking import Api, app_of
from tests.hub.notifications.conftest import CLIENT, KEY, SmallHub, wanted

CANARY = "canary-5e1d0c"
LINE = f"Authorization: Bearer {CANARY}"
SHOWN = f"Authorization: {SET}"
OTHER = Access("client-harbor", CLIENT.grants, "plan", sight=ALL)


def headers_of(hub: SmallHub, identity: str = "sub-1") -> list[str]:
    found: list[str] = hub.get("Subscription", identity)["channel"]["header"]
    return found


def sent(hub: SmallHub) -> list[str | None]:
    return [got.headers.get("authorization") for got in hub.receiver.received]


def everything_in(database: Database) -> bytes:
    """Every byte of SQLite's files; every value of PostgreSQL's tables."""
    if database.is_sqlite:
        path = Path(str(database.url.database))
        return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))
    with database.read() as connection:
        names = connection.exec_driver_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for name in names.scalars().all():
            for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"'):
                found += [bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row]
        return b"\n".join(found)


def values_in(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(subscription_secret)).scalar_one()


def test_lines_are_told_without_their_values() -> None:
    assert parted(["A: b", "X-Key:c:d", "no header", None, ""]) == (
        [f"A: {SET}", f"X-Key: {SET}", SET, None, ""],
        {"a": "b", "x-key": "c:d"},
    )


def test_it_is_sent_and_stands_nowhere(hub: SmallHub) -> None:
    hub.subscribe(header=(LINE, "X-Way: north"))
    hub.admit()
    hub.drive()
    assert sent(hub) == [f"Bearer {CANARY}"] * 2
    assert hub.receiver.received[-1].headers["x-way"] == "north"
    assert headers_of(hub) == [SHOWN, f"X-Way: {SET}"]
    with hub.database.read() as connection:
        versions = read.versions(connection, CLIENT, "Subscription", "sub-1")
    assert len(versions) > 1
    assert all(version.body and SET.encode() in version.body for version in versions)
    assert CANARY.encode() not in everything_in(hub.database)
    assert b"north" not in everything_in(hub.database)


def test_a_value_is_kept_while_endpoint_and_owner_stay(hub: SmallHub) -> None:
    hub.subscribe(header=(LINE,))
    hub.subscribe(header=(SHOWN, "X-New: 1"), content="empty")
    assert sent(hub) == [f"Bearer {CANARY}"] * 2
    assert hub.receiver.received[-1].headers["x-new"] == "1"
    hub.subscribe(header=("Authorization: other", f"X-New: {SET}"))
    assert sent(hub)[-1] == "other"
    assert hub.receiver.received[-1].headers["x-new"] == "1"


def test_a_new_value_alone_makes_no_version_and_counts(hub: SmallHub) -> None:
    hub.put(wanted(hub.receiver.url, header=(LINE,)))
    assert hub.put(wanted(hub.receiver.url, header=("Authorization: second",))) == 1
    hub.drive()
    assert sent(hub) == ["second"]


@pytest.mark.parametrize("change", ["another endpoint", "another owner", "another name", "no value before"])
def test_a_value_is_not_kept_otherwise(hub: SmallHub, change: str) -> None:
    if change != "no value before":
        hub.subscribe(header=(LINE,))
    url = f"{hub.receiver.url}/elsewhere" if change == "another endpoint" else hub.receiver.url
    name = "X-Else" if change == "another name" else "Authorization"
    access = OTHER if change == "another owner" else CLIENT
    with pytest.raises(Problem) as refused:
        hub.put(wanted(url, header=(f"{name}: {SET}",)), access)
    assert refused.value.kind == "business-rule"
    assert refused.value.issues[0].where == "Subscription.channel.header"
    hub.drive()
    assert len(hub.receiver.received) == (change != "no value before")


def test_a_patch_keeps_a_value_and_takes_it_nowhere_else(hub: SmallHub) -> None:
    def patch(**channel: Any) -> Entry:
        def applied(resource: dict[str, Any]) -> dict[str, Any]:
            return {**resource, "status": "requested", "channel": {**resource["channel"], **channel}}

        return single("PATCH", "Subscription", id="sub-1", patch=applied)

    hub.subscribe(header=(LINE,))
    with pytest.raises(Problem, match="another one"):
        hub.transactions.commit([patch(endpoint=f"{hub.receiver.url}/elsewhere")], CLIENT)
    with pytest.raises(Problem, match="client that set them"):
        hub.transactions.commit([patch()], OTHER)
    hub.transactions.commit([patch()], CLIENT)
    hub.wait(milliseconds=1)
    hub.drive()
    assert sent(hub) == [f"Bearer {CANARY}"] * 2


def test_values_go_with_their_subscription(hub: SmallHub) -> None:
    hub.subscribe(header=(LINE,))
    assert values_in(hub.database) == 1
    hub.delete("Subscription", "sub-1")
    assert values_in(hub.database) == 0
    with pytest.raises(Problem, match="no value is kept"):
        hub.put(wanted(hub.receiver.url, header=(SHOWN,)))
    hub.subscribe(header=(LINE,))
    hub.subscribe()
    assert values_in(hub.database) == 0


def test_what_is_refused_keeps_nothing(hub: SmallHub) -> None:
    with pytest.raises(Problem):
        hub.put(wanted("ftp://nowhere.invalid", header=(LINE,)))
    entry = single("PUT", "Subscription", id="sub-1", resource=wanted(hub.receiver.url, header=(LINE,)), if_match=7)
    with pytest.raises(Problem):
        hub.transactions.commit([entry], CLIENT)
    assert values_in(hub.database) == 0


def test_without_a_key_no_value_is_taken(hub: SmallHub) -> None:
    bare = Transactions(hub.database, lambda *_: [], lambda _: (), "")
    entry = single("PUT", "Subscription", id="sub-1", resource=wanted(hub.receiver.url, header=(LINE,)))
    with pytest.raises(Problem, match="no key"):
        bare.commit([entry], CLIENT)


def test_with_another_key_or_for_another_version_or_endpoint_nothing_is_sent(hub: SmallHub) -> None:
    hub.subscribe(header=(LINE,))
    with hub.database.read() as connection:
        sealed = store.find(connection, "sub-1")
        assert header_values.read(connection, KEY, "sub-1", 1, hub.receiver.url)
        assert not header_values.read(connection, KEY, "sub-1", 0, hub.receiver.url)
        assert not header_values.read(connection, KEY, "sub-1", 1, f"{hub.receiver.url}/elsewhere")
    assert opened(b"another key of the tests, 32 bytes", "sub-1", sealed) is None
    assert opened(KEY, "sub-2", sealed) is None
    with hub.database.write() as connection:
        connection.execute(update(subscription_secret).values(headers=b"changed"))
    hub.admit()
    hub.drive()
    assert len(hub.receiver.received) == 1
    (waiting,) = hub.rows("waiting")
    assert "cannot be read" in (waiting.reason or "")


def test_an_answer_under_an_idempotency_key_does_not_tell(database: Database) -> None:
    from auth.development_token import new_key
    from tests.hub.asking import register

    register(database, new_key("ES384"))
    api = Api(app_of(database, header_key=KEY), database)
    body = wanted("https://receiver.invalid/hook", header=(LINE,))
    first = api.put("/Subscription/sub-1", body, Idempotency_Key="once", Prefer="return=representation")
    again = api.put("/Subscription/sub-1", body, Idempotency_Key="once", Prefer="return=representation")
    assert (first.status_code, first.data) == (again.status_code, again.data)
    assert json.read(first.data)["channel"]["header"] == [SHOWN]
    assert CANARY.encode() not in everything_in(database)
    (version,) = json.read(api.get("/Subscription/sub-1/_history").data)["entry"]
    assert version["resource"]["channel"]["header"] == [SHOWN]
    assert CANARY not in api.get("/Subscription?_count=10").text


def _stored_before(hub: SmallHub) -> None:
    """As an earlier release left it: the value in each version, and in answers; active, with an owner."""
    hub.subscribe(header=(LINE,))
    hub.subscribe(content="empty", header=(LINE,))
    with hub.database.write() as connection:
        connection.execute(subscription_secret.delete())
        for table in (t.resource, t.history):
            for row in connection.execute(select(table.c.rid, table.c.version, table.c.body)).all():
                body = row.body.replace(SHOWN.encode(), LINE.encode())
                mine = (table.c.rid == row.rid, table.c.version == row.version)
                connection.execute(update(table).where(*mine).values(body=body))
        former = json.write(hub.get("Subscription", "sub-1")).replace(SHOWN.encode(), LINE.encode())
        answers = {"json": former, "xml": f'<Subscription><header value="{LINE}"/>'.encode(), "none": b"{}"}
        for key, body in answers.items():
            kept = idempotency.Kept(b"", 200, "{}", body)
            idempotency.keep(connection, "client-lantern", key, kept, clock.micros(hub.now()))
        now = clock.micros(hub.now())
        connection.execute(insert(t.outbox), outbox.row(KIND, "stored", {}, now))


def test_what_an_earlier_release_stored_is_sealed_once(hub: SmallHub) -> None:
    _stored_before(hub)
    assert CANARY.encode() in everything_in(hub.database)
    hub.handlers[KIND] = StoredHeaders(hub.database, KEY, hub.now)
    hub.drive(KIND)
    assert hub.rows("done", KIND)[0].reason == "1 Subscriptions had values"
    assert CANARY.encode() not in everything_in(hub.database)
    assert headers_of(hub) == [SHOWN]
    version = hub.get("Subscription", "sub-1")["meta"]["versionId"]
    hub.admit()
    hub.drive()
    assert sent(hub)[-1] == f"Bearer {CANARY}"
    assert hub.get("Subscription", "sub-1")["meta"]["versionId"] == version
    hub.subscribe(header=(SHOWN,))
    assert sent(hub)[-1] == f"Bearer {CANARY}"
    assert StoredHeaders(hub.database, KEY, hub.now)(_work()) == outbox.Done()


def _work() -> outbox.Work:
    return outbox.Work(1, KIND, "stored", {}, 1, 0)


def test_notices_leave_with_the_value_until_it_is_sealed(hub: SmallHub) -> None:
    _stored_before(hub)
    hub.admit()
    hub.drive("event", "notice")
    assert sent(hub)[-1] == f"Bearer {CANARY}"


def test_values_of_what_is_deleted_go_with_the_rest(hub: SmallHub) -> None:
    _stored_before(hub)
    hub.delete("Subscription", "sub-1")
    StoredHeaders(hub.database, KEY, hub.now)(_work())
    assert CANARY.encode() not in everything_in(hub.database)
    assert values_in(hub.database) == 0


@pytest.mark.postgresql
def test_a_dump_of_postgresql_tells_nothing(hub: SmallHub) -> None:
    hub.subscribe(header=(LINE,))
    url = make_url(hub.database.url)
    if hub.database.is_sqlite:
        assert CANARY.encode() not in everything_in(hub.database)
        return
    dump = ("pg_dump", "--dbname", url.set(drivername="postgresql").render_as_string(hide_password=False))
    done = subprocess.run(dump, capture_output=True, check=True)
    assert b"subscription_secret" in done.stdout
    assert CANARY.encode() not in done.stdout
    assert CANARY.encode().hex().encode() not in done.stdout
