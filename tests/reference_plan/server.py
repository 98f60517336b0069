"""A plan to test against, as a process of its own: tokens, referrals, decisions, writes, and every fault that a
plan or what stands before it can have.

    python -m tests.reference_plan.server JWKS CLIENT [CERT KEY]     prints its port

It judges assertions by RFC 7523, keeps to the Idempotency-Key draft (the same key and body: the same answer;
another body: 422; one under way: 409), and counts what it did. `POST /admin/faults` queues faults, each for one
request of a path: {"path": "/referrals", "fault": "500"}; `POST /admin/state` tells what it has,
`POST /admin/decide` decides.
"""

import json
import secrets
import socket
import ssl
import sys
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwk, jwt
from joserfc.errors import JoseError

FHIR_JSON = "application/fhir+json"
POLLS_UNTIL_DECIDED = 2
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Plan:
    """What the plan has. `keys` by Idempotency-Key: digest of the body and the answer, None while under way."""

    jwks: Any
    client: str
    lock: Lock = field(default_factory=Lock)
    tokens: dict[str, float] = field(default_factory=dict)
    jtis: set[str] = field(default_factory=set)
    life: int = 300
    referrals: dict[str, dict[str, Any]] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, tuple[str, dict[str, Any] | None]] = field(default_factory=dict)
    faults: dict[str, deque[str]] = field(default_factory=lambda: defaultdict(deque))
    requests: list[str] = field(default_factory=list)
    asked: int = 0  # for tokens
    ahead: float = 0  # seconds, of the real time

    def now(self) -> float:
        return time.time() + self.ahead


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    plan: Plan

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_PUT(self) -> None:
        self._serve("PUT")

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/admin/"):
            self._admin(json.loads(body or b"{}"))
            return
        with self.plan.lock:
            queue = self.plan.faults[self.path] or self.plan.faults["*"]
            fault = queue.popleft() if queue else ""
            self.plan.requests.append(f"{method} {self.path}")
        if fault and not self._before(fault):
            return
        status, answer = self._answer(method, body)
        if fault:
            self._after(fault, status, answer)
        else:
            self._send(status, answer)

    def _before(self, fault: str) -> bool:
        """Faults before anything is done; whether to go on."""
        name, _, value = fault.partition(":")
        if name.isdigit():
            self._send(int(name), {"resourceType": "OperationOutcome"}, {"Retry-After": value} if value else {})
        elif name == "cut-before":
            self._cut()
        elif name == "redirect":
            self._send(307, {}, {"Location": "http://127.0.0.1:1/"})
        elif name == "slow":
            time.sleep(float(value))
            return True
        else:
            return True
        return False

    def _after(self, fault: str, status: int, answer: dict[str, Any]) -> None:
        """Faults after it is done: the plan has it, and the hub does not know."""
        body = json.dumps(answer).encode()
        match fault.partition(":")[0]:
            case "cut-after":
                self._cut()
            case "wrong-type":
                self._raw(status, b"<html>One moment please</html>", "text/html")
            case "no-json":
                self._raw(status, b'{"resourceType": "Task", ', FHIR_JSON)
            case "half":
                self._raw(status, body, FHIR_JSON, announced=len(body) + 100)
            case "huge":
                self._raw(status, b" " * (2 << 20) + body, FHIR_JSON)
            case "twice":
                self._raw(status, body, FHIR_JSON, again=True)
            case "trickle":
                self._raw(status, body, FHIR_JSON, pause=0.5)
            case _:
                self._send(status, answer)

    def _answer(self, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.path == "/token":
            return self._token(body)
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.plan.tokens.get(bearer, 0) < self.plan.now():
            return 401, {"resourceType": "OperationOutcome"}
        if method == "GET":
            return self._decision(self.path.split("/")[2])
        return self._once(method, body)

    def _token(self, body: bytes) -> tuple[int, dict[str, Any]]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.plan.asked += 1
        is_asked = (
            form.get("grant_type") == "client_credentials" and form.get("client_assertion_type") == ASSERTION_TYPE
        )
        if not is_asked or not self._is_proof(form.get("client_assertion", "")):
            return 401, {"error": "invalid_client"}
        token = secrets.token_urlsafe(24)
        self.plan.tokens[token] = self.plan.now() + self.plan.life
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.plan.life}

    def _is_proof(self, assertion: str) -> bool:
        try:
            found = jwt.decode(assertion, self.plan.jwks, algorithms=["RS384", "ES384"])
        except (JoseError, ValueError):
            return False
        claims, now = found.claims, self.plan.now()
        scheme = "https" if isinstance(self.connection, ssl.SSLSocket) else "http"
        here = f"{scheme}://127.0.0.1:{self.server.server_address[1]}/token"
        fits = claims.get("iss") == claims.get("sub") == self.plan.client and claims.get("aud") == here
        is_short = now < claims.get("exp", 0) <= now + 300
        with self.plan.lock:
            is_new = claims.get("jti") not in self.plan.jtis
            self.plan.jtis.add(claims.get("jti", ""))
        return bool(fits and is_short and is_new)

    def _once(self, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
        key = self.headers.get("Idempotency-Key", "")
        digest = sha256(body).hexdigest()
        if not key:
            return 400, {"resourceType": "OperationOutcome"}
        with self.plan.lock:
            known = self.plan.keys.get(key)
            if known is None:
                self.plan.keys[key] = (digest, None)
        if known is not None:
            if known[0] != digest:
                return 422, {"resourceType": "OperationOutcome"}
            return (409, {"resourceType": "OperationOutcome"}) if known[1] is None else (200, known[1])
        answer = self._intake(json.loads(body)) if method == "POST" else self._written(json.loads(body))
        with self.plan.lock:
            self.plan.keys[key] = (digest, answer)
        return 201, answer

    def _intake(self, bundle: dict[str, Any]) -> dict[str, Any]:
        with self.plan.lock:
            number = f"PLAN-{len(self.plan.referrals) + 1}"
            self.plan.referrals[number] = bundle
        return {"resourceType": "Task", "id": number, "status": "received", "identifier": [{"value": number}]}

    def _written(self, resource: dict[str, Any]) -> dict[str, Any]:
        with self.plan.lock:
            self.plan.writes.append({"path": self.path, "resource": resource})
        return {"resourceType": resource["resourceType"], "id": resource["id"]}

    def _decision(self, number: str) -> tuple[int, dict[str, Any]]:
        if number not in self.plan.referrals:
            return 404, {"resourceType": "OperationOutcome"}
        self.plan.polls[number] += 1
        if found := self.plan.decisions.get(number):
            return 200, found
        status = "requested" if self.plan.polls[number] < POLLS_UNTIL_DECIDED else "accepted"
        return 200, {"resourceType": "Task", "id": number, "status": status, "intent": "order"}

    def _admin(self, said: dict[str, Any]) -> None:
        plan = self.plan
        with plan.lock:
            if self.path == "/admin/faults":
                plan.faults[said["path"]].extend([said["fault"]] * said.get("times", 1))
            elif self.path == "/admin/decide":
                plan.decisions[said["number"]] = said["task"]
            elif self.path == "/admin/clock":
                plan.ahead = said["at"] - time.time()
            elif self.path == "/admin/tokens":
                plan.tokens.clear()
                plan.life = said.get("life", plan.life)
            state = {
                "referrals": plan.referrals,
                "writes": plan.writes,
                "requests": plan.requests,
                "polls": plan.polls,
                "asked": plan.asked,
            }
        self._send(200, state)

    def _send(self, status: int, answer: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._raw(status, json.dumps(answer).encode(), FHIR_JSON, headers=headers)

    def _raw(
        self,
        status: int,
        body: bytes,
        kind: str,
        *,
        announced: int | None = None,
        again: bool = False,
        pause: float = 0,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(announced or len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for each in [bytes((one,)) for one in body] if pause else [body]:
                self.wfile.write(each)
                time.sleep(pause)
            if again:  # a second answer that nobody asked for
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except OSError:
            pass
        self.close_connection = self.close_connection or bool(announced) or again

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def main(jwks: str, client: str, *tls: str) -> None:
    Handler.plan = Plan(jwk.KeySet.import_key_set(json.loads(Path(jwks).read_text())), client)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
