"""Both launches of SMART, as they happen: a running hub, Chromium, and the PyPI package fhirclient as the app.

Where Chromium is missing these tests are skipped and say so (tests/flows/conftest.py).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from fhirclient.client import FHIRClient
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.flows.browsing import SECONDS, Person
from tests.flows.hub_process import HubProcess, running
from tests.flows.partners import register

PASSWORD = "correct horse battery"
SCOPE = "openid fhirUser offline_access patient/Patient.rs patient/Observation.rs"
REGISTERED = f"{SCOPE} launch launch/patient"


@dataclass
class App:
    """An app on this machine: its launch address begins an authorization with fhirclient, its other one ends it."""

    address: str
    hub: str = ""
    arrived: list[str] = field(default_factory=list)
    smart: FHIRClient | None = None
    there: threading.Event = field(default_factory=threading.Event)

    def new(self, **more: str) -> FHIRClient:
        told = {"app_id": "chart", "api_base": self.hub, "redirect_uri": f"{self.address}/back", "scope": SCOPE}
        self.smart = FHIRClient(settings=told | more)
        self.there.clear()
        return self.smart

    def launched(self, query: str) -> str:
        """What an app does whom an EHR launched: `iss` and `launch` become an authorization request."""
        given = {name: values[0] for name, values in parse_qs(query).items()}
        assert set(given) == {"iss", "launch"}
        return str(self.new(api_base=given["iss"], launch_token=given["launch"]).authorize_url)

    def finish(self) -> FHIRClient:
        """Exchange the code that the browser brought."""
        assert self.there.wait(SECONDS), "the browser did not come back"
        assert self.smart is not None
        self.smart.handle_callback(self.arrived[-1])
        return self.smart


@contextmanager
def serving() -> Iterator[App]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            split = urlsplit(self.path)
            if split.path == "/launch":
                self.send_response(302)
                self.send_header("Location", app.launched(split.query))
            else:
                self.send_response(200 if split.path == "/back" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            if split.path == "/back":
                app.arrived.append(app.address + self.path)
                app.there.set()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    app = App(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield app
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class County:
    hub: HubProcess
    app: App


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """A hub with two members, one of them on the panel of the provider that the person works for."""
    with serving() as app, running(tmp_path_factory.mktemp("smart")) as hub:
        app.hub = hub.fhir
        load(hub)
        secret = hub.folder / "password"
        secret.write_text(PASSWORD)
        words = ("--name", "Chart Demo App", "--role", "ecm-provider", "--kind", "public", "--scope", REGISTERED)
        words += ("--redirect", f"{app.address}/back", "--launch", f"{app.address}/launch")
        hub.command("clients", "add", "chart", *words)
        person = ("--name", "Robin Demo", "--role", "ecm-provider", "--fhir-user", "Practitioner/robin")
        person += ("--organization", "Organization/harbor", "--password-file", str(secret))
        hub.command("users", "add", "robin", *person)
        yield County(hub, app)


def load(hub: HubProcess) -> None:
    token = register(hub, "loader", "custodian").token(hub)
    member = [{"entity": {"reference": "Patient/ann"}, "period": {"start": "2020-01-01"}}]
    panel = {"type": "person", "actual": True, "managingEntity": {"reference": "Organization/harbor"}}
    for resource in (
        {"resourceType": "Organization", "id": "harbor", "name": "Harbor Demo Clinic"},
        {"resourceType": "Practitioner", "id": "robin", "name": [{"family": "Demo", "given": ["Robin"]}]},
        {"resourceType": "Patient", "id": "ann", "name": [{"family": "Invented", "given": ["Ann"]}]},
        {"resourceType": "Patient", "id": "bob", "name": [{"family": "Invented", "given": ["Bob"]}]},
        {"resourceType": "Group", "id": "panel", **panel, "member": member},
    ):
        path = f"{hub.fhir}/{resource['resourceType']}/{resource['id']}"
        answer = requests.put(path, json=resource, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert answer.status_code in (200, 201), answer.text


class Robin(Person):
    """Who has an account."""

    def sign_in(self) -> None:
        self.sees("Sign in")
        for name, value in (("login", "robin"), ("password", PASSWORD)):
            self.driver.find_element(By.NAME, name).send_keys(value)
        self.press("Sign in")


@pytest.fixture
def person(browser: webdriver.Chrome) -> Robin:
    return Robin(browser)


def test_a_person_starts_an_app_and_chooses_a_patient(county: County, person: Robin) -> None:
    """Standalone launch."""
    smart = county.app.new()
    person.open(smart.authorize_url)
    person.sign_in()
    person.sees("Choose a patient")
    person.sees("Ann Invented")
    assert "Bob" not in person.driver.page_source
    person.choose("Ann Invented")
    person.press("Continue")
    person.sees("Allow Chart Demo App this access?")
    assert "ann" not in person.driver.current_url
    person.press("Allow")
    done = county.app.finish()
    assert done.ready
    assert done.patient.id == "ann"
    assert done.human_name(done.patient.name[0]) == "Ann Invented"
    assert set(done.launch_context) >= {"patient", "id_token", "scope", "need_patient_banner", "smart_style_url"}
    with pytest.raises(FHIRNotFoundException):
        Patient.read("bob", done.server)
    assert done.reauthorize()
    assert Patient.read("ann", done.server).id == "ann"


def test_an_ehr_starts_an_app_about_the_patient_that_is_open(county: County, person: Robin) -> None:
    """EHR launch."""
    address = county.hub.command("launch", "chart", "--patient", "ann", "--user", "robin").strip()
    person.open(address)
    person.sign_in()
    person.sees("Allow Chart Demo App this access?")
    person.sees("Ann Invented")
    person.press("Allow")
    done = county.app.finish()
    assert done.launch_context["patient"] == "ann"
    assert done.launch_context["need_patient_banner"] is False
    assert done.patient.name[0].family == "Invented"


def test_a_person_leaves_something_out(county: County, person: Robin) -> None:
    person.open(county.app.new().authorize_url)
    person.sign_in()
    person.choose("Ann Invented")
    person.press("Continue")
    person.untick("patient/Observation.rs")
    person.press("Allow")
    assert "Observation" not in county.app.finish().launch_context["scope"]


def test_a_person_says_no(county: County, person: Robin) -> None:
    person.open(county.app.new().authorize_url)
    person.sign_in()
    person.choose("Ann Invented")
    person.press("Continue")
    person.press("Do not allow")
    with pytest.raises(Exception, match="did not allow"):
        county.app.finish()


def test_a_person_ends_the_access_of_an_app(county: County, person: Robin) -> None:
    person.open(county.app.new().authorize_url)
    person.sign_in()
    person.choose("Ann Invented")
    person.press("Continue")
    person.press("Allow")
    done = county.app.finish()
    person.driver.get(f"{county.hub.base}/auth/apps")
    person.press("End the access of Chart Demo App")
    person.sees("Its access has ended")
    with pytest.raises(Exception, match="400"):
        done.reauthorize()
