"""Several listeners by configuration, each with its TLS, senders and limits; what keeps them from starting."""

from pathlib import Path
from typing import Any

import pytest

from adapters.adt.frames import framed
from adapters.adt.group_commit import into
from adapters.adt.listener import doors, listener
from adapters.adt.mllp_client import NoAcknowledgment, acknowledged, send
from hub.problems import CannotStart
from hub.settings import Settings, SettingsError, read_settings
from hub.store.engine import Database
from tests.adapters.adt.mllp_peer import HOST, Hospital, adt, listening, stored
from tests.adapters.adt.mllp_peer import door as a_door
from tests.certificates import Authority, trusting

COLUMNS = (
    "name,host,port,tls_cert,tls_key,client_ca,senders,max_bytes,idle_seconds,stall_seconds,production,tolerant"
)


def configured(folder: Path, *rows: str, columns: str = COLUMNS, **environment: str) -> Settings:
    path = folder / "listeners.csv"
    path.write_text("\n".join((columns, *rows)) + "\n")
    return read_settings({"HUB_MLLP_PORT": "0", "HUB_MLLP_LISTENERS": str(path), **environment})


def row(name: str = "north", port: str = "0", **cells: str) -> str:
    given = {"name": name, "host": HOST, "port": port, **cells}
    return ",".join(given.get(column, "") for column in COLUMNS.split(","))


def senders(folder: Path, *rows: str) -> str:
    path = folder / f"senders{len(list(folder.iterdir()))}.csv"
    path.write_text("\n".join(("facility,certificate,network", *rows)) + "\n")
    return str(path)


def test_each_listener_has_its_own_tls_senders_and_limits(database: Database, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "county")
    papers = authority.sign("listener")
    secured = row(
        "secured", tls_cert=str(papers.cert), tls_key=str(papers.key), senders=senders(tmp_path, "A,,127.0.0.1")
    )
    small = row("small", max_bytes="300", production="yes", tolerant="yes")
    made = listener(configured(tmp_path, secured, small), into(database), lambda: None)
    ports = made.start()
    try:
        context = trusting(authority)
        assert acknowledged(send(HOST, ports[0], adt("1", facility="B", processing="T"), 5))[0] == "AA"
        assert acknowledged(send(HOST, ports[1], adt("2", facility="A"), 5, context))[0] == "AA"
        assert acknowledged(send(HOST, ports[1], adt("3", facility="B"), 5, context))[0] == "AR"
        with pytest.raises(NoAcknowledgment):
            send(HOST, ports[1], adt("4"), 5)
        assert acknowledged(send(HOST, ports[2], adt("5", processing="T"), 5))[0] == "AR"
        with pytest.raises(NoAcknowledgment):
            send(HOST, ports[2], adt("6", note="x" * 300), 5)
        peer = Hospital(made, ports[2]).peer()
        peer.socket.sendall(framed(adt("7"))[:-1])
        assert peer.codes(1) == [("AA", "7")]
        peer.close()
    finally:
        made.stop(2)
    assert [raw for _, raw in stored(database)] == [
        adt("1", facility="B", processing="T"),
        adt("2", facility="A"),
        adt("5", processing="T"),
        adt("7"),
    ]


def test_v06_a_full_ten_megabytes_pass_and_one_byte_more_gets_no_ack(database: Database) -> None:
    most = read_settings({})["HUB_MLLP_MAX_BYTES"]
    lines = b"\r".join(b"ZXX|" + b"x" * 900_000 for _ in range(12))
    frame = (adt("7") + lines)[:most]
    with listening(database, max_bytes=most) as hospital:
        peer = hospital.peer()
        peer.send(frame)
        assert peer.codes(1) == [("AA", "7")]
        with pytest.raises(NoAcknowledgment):
            send(HOST, hospital.port, frame + b"x", 5)
    assert [len(raw) for _, raw in stored(database)] == [10 << 20]


def test_an_empty_cell_is_what_the_first_listener_has_and_none_is_none(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "county")
    papers = authority.sign("listener")
    environment = {
        "HUB_MLLP_TLS_CERT": str(papers.cert),
        "HUB_MLLP_TLS_KEY": str(papers.key),
        "HUB_MLLP_TLS_CLIENT_CA": str(authority.cert),
        "HUB_MLLP_SENDERS": senders(tmp_path, "A,,127.0.0.1"),
        "HUB_MLLP_STALL_SECONDS": "7",
        "HUB_ADT_PRODUCTION": "yes",
    }
    same, plain, open_to_all = (
        row("same"),
        row("plain", tls_cert="none", tls_key="none"),
        row("open", senders="none"),
    )
    first, *others = doors(configured(tmp_path, same, plain, open_to_all, **environment))
    assert [(one.stall_seconds, one.production) for one in others] == [(7, True)] * 3
    assert [one.tls is not None for one in (first, *others)] == [True, True, False, True]
    assert [one.senders is not None for one in (first, *others)] == [True, True, True, False]


def test_only_name_host_and_port_are_needed(tmp_path: Path) -> None:
    _, north = doors(configured(tmp_path, f"north,{HOST},2600", columns="name,host,port"))
    assert (north.name, north.port, str(north)) == ("north", 2600, f"{HOST}:2600 (north)")


def test_without_a_file_there_is_one_listener() -> None:
    (only,) = doors(read_settings({"HUB_MLLP_PORT": "2600"}))
    assert (str(only), only.tls, only.senders, only.tolerant) == ("127.0.0.1:2600", None, None, False)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("")], "line 2: name is missing"),
        ([row(port="")], "line 2: port is missing"),
        ([row(port="70000")], "line 2: port has a value"),
        ([row(), row("south", max_bytes="0")], "line 3: max_bytes has a value"),
        ([row(production="perhaps")], "line 2: production has a value"),
        ([row(tls_cert="a.pem")], "line 2: tls_cert and tls_key go together"),
        ([row(tls_cert="none", tls_key="a.key")], "line 2: tls_cert and tls_key go together"),
        ([row(client_ca="ca.pem")], "line 2: client_ca needs"),
        ([row(tls_cert="not-there.pem", tls_key="not-there.key")], "line 2: .*not-there"),
        ([row(senders="not-there.csv")], "line 2: .*not-there"),
        ([row(port="2600"), row("south", "2600")], "one address"),
        ([row(port="2600"), row(port="2601")], "one name"),
        ([row("default", "2600")], "one name"),
        (["north,127.0.0.1"], "line 2: it has not as many cells"),
        ([row() + ",more"], "line 2: it has not as many cells"),
    ],
)
def test_a_bad_row_keeps_the_hub_from_starting_and_is_named(tmp_path: Path, rows: list[str], says: str) -> None:
    with pytest.raises(CannotStart, match=says):
        doors(configured(tmp_path, *rows))


def test_the_first_listeners_address_may_not_come_twice(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="one address"):
        doors(configured(tmp_path, row(port="2599"), HUB_MLLP_PORT="2599"))


@pytest.mark.parametrize("columns", ["name,host", "name,host,port,color", "port"])
def test_other_columns_keep_the_hub_from_starting(tmp_path: Path, columns: str) -> None:
    with pytest.raises(CannotStart, match="the columns are"):
        doors(configured(tmp_path, columns=columns))


def test_a_file_that_is_not_there_keeps_the_hub_from_starting() -> None:
    with pytest.raises(CannotStart, match="not-there"):
        doors(read_settings({"HUB_MLLP_LISTENERS": "not-there.csv"}))
    with pytest.raises(SettingsError):
        doors(read_settings({"HUB_MLLP_TLS_CERT": "half.pem"}))


def test_a_connection_storm_at_one_door_takes_no_room_of_another(database: Database) -> None:
    from adapters.adt.mllp_server import MllpListener
    from hub import clock

    narrow: dict[str, Any] = {"max_connections": 2}
    made = MllpListener(
        [a_door(**narrow), a_door(name="other", **narrow)],
        accept=into(database),
        clock=clock.now,
        on_accepted=lambda: None,
    )
    ports = made.start()
    try:
        crowd, quiet = Hospital(made, ports[0]), Hospital(made, ports[1])
        peer = quiet.peer()
        for _ in range(6):
            crowd.peer().socket.sendall(b"\x0bhalf")
        peer.send(adt("1"))
        assert peer.codes(1) == [("AA", "1")]
        for one in (*crowd.peers, *quiet.peers):
            one.close()
    finally:
        made.stop(2)
