"""A hospital connects to a real hub: a second listener with mutual TLS, batches, application acknowledgments."""

from pathlib import Path

import pytest

from adapters.adt import tls
from adapters.adt.mllp_client import NoAcknowledgment, Sender, acknowledged, error_code, send
from tests.adapters.adt.mllp_peer import HOST, Peer, eventually
from tests.adapters.adt.test_application_acks import takes
from tests.adapters.adt.test_mllp_sender import Receiver
from tests.certificates import Authority
from tests.flows import stories
from tests.flows.hub_process import HubProcess, free_port, running


def asking(control_id: str, facility: str = "NOWHERE") -> bytes:
    """An admission that asks for both acknowledgments."""
    message = stories.adt("A01", control_id).replace("|NOWHERE|HUB|", f"|{facility}|HUB|", 1)
    return message.replace("|P|2.5.1\r", "|P|2.5.1|||AL|AL\r", 1).encode()


def test_a_hospital_connects_by_its_own_listener_and_is_told_later_what_became_of_it(
    database_url: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "county")
    server, harbor = authority.sign("listener"), authority.sign("harbor", "adt.harbor.example")
    receiver, port = Receiver(takes), free_port()
    (tmp_path / "facilities.csv").write_text(stories.FACILITIES)
    (tmp_path / "senders.csv").write_text(
        "facility,certificate,network\nNOWHERE,DNS:adt.harbor.example,127.0.0.1\n"
    )
    (tmp_path / "return.csv").write_text(f"facility,host,port,ca,cert,key\nNOWHERE,{HOST},{receiver.port},,,\n")
    (tmp_path / "listeners.csv").write_text(
        "name,host,port,tls_cert,tls_key,client_ca,senders\n"
        f"secured,{HOST},{port},{server.cert},{server.key},{authority.cert},{tmp_path / 'senders.csv'}\n"
    )
    settings = {
        "HUB_MLLP_LISTENERS": str(tmp_path / "listeners.csv"),
        "HUB_MLLP_RETURN_ADDRESSES": str(tmp_path / "return.csv"),
    }
    context = tls.client(authority.cert, tls.Files(harbor.cert, harbor.key))
    with running(tmp_path, database_url, **settings) as hub:
        assert f"{HOST}:{port} (secured)" in hub.log.read_text()
        with pytest.raises(NoAcknowledgment):
            send(HOST, port, asking("C-0"), 5)
        sender = Sender(HOST, port, context)
        assert acknowledged(sender.send(asking("C-1"))) == ("CA", "C-1")
        sender.close()
        assert eventually(lambda: len(receiver.messages) == 1)
        assert acknowledged(receiver.messages[0]) == ("AA", "C-1")

        refused = send(HOST, port, asking("C-2", "ELSEWHERE"), 5, context)
        assert (acknowledged(refused), error_code(refused)) == (("CR", "C-2"), "207")
        assert "node-authentication" in hub.command("audit", "list")
        _sends_a_batch(hub)
        assert eventually(lambda: len(receiver.messages) == 3)
    receiver.close()
    assert [acknowledged(one) for one in receiver.messages[1:]] == [("AA", "C-3"), ("AA", "C-4")]


def _sends_a_batch(hub: HubProcess) -> None:
    peer = Peer(hub.mllp_port)
    head = b"BHS|^~\\&|ADTAPP|NOWHERE|HUB|COUNTY|20261122081530||||B-1\r"
    peer.send(b"".join((head, asking("C-3"), asking("C-4"), b"BTS|2\r")))
    (answer,) = peer.answers(1)
    peer.close()
    assert [answer.count(code) for code in (b"\rMSA|CA|C-3\r", b"\rMSA|CA|C-4\r", b"\rBTS|2\r")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("HUB_MLLP_LISTENERS", "name,host,port\nnorth,127.0.0.1,none\n", "line 2: port"),
        ("HUB_MLLP_RETURN_ADDRESSES", "facility,host\n", "the columns are"),
    ],
)
def test_a_hub_with_a_bad_table_does_not_start_and_says_why(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (tmp_path / "table.csv").write_text(content)
    hub = HubProcess(tmp_path, "", **{name: str(tmp_path / "table.csv")})
    hub.command("migrate")
    said = hub.command("serve", check=False)
    assert says in said
    assert "Traceback" not in said
