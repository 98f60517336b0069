"""Each request of the FHIR API is recorded before its answer leaves (hub.audit.recorder).

Refuses: to answer what cannot be recorded (503). What is open to everybody, such as /metadata, tells nothing of
anybody and is not recorded."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from werkzeug.exceptions import HTTPException

from hub.access import Access
from hub.audit.record import query_text
from hub.audit.recorder import About, Recorder, Recording
from hub.fhir.types import resource_types
from hub.problems import Problem
from hub.rest.asked import Answer, problem_answer
from hub.rest.faults import as_problem

RECORDING = "hub.recording"
WHO = "hub.who"  # the Access of this request, as soon as it is known


def about(
    interaction: str, parts: Mapping[str, Any], environ: Mapping[str, Any], request: str, network: str
) -> About:
    """What is known of a request before anything of it is read."""
    asked = parts.get("type", "")
    return About(
        interaction,
        asked if asked in resource_types() else "",
        parts.get("id", ""),
        parts.get("version") or 0,
        environ["REQUEST_METHOD"],
        query_text(
            _text(environ.get("PATH_INFO", "")).removeprefix("/fhir"), _text(environ.get("QUERY_STRING", ""))
        ),
        request,
        network,
    )


def _text(variable: str) -> str:
    """PEP 3333: bytes as Latin-1."""
    return variable if variable.isascii() else variable.encode("latin-1").decode("utf-8", "replace")


def with_form(recording: Recording | None, body: bytes) -> None:
    """A search by form asks what its form says."""
    if recording is not None and body:
        path, _, query = recording.about.query.partition("?")
        asked = query_text(path, query, body.decode("utf-8", "replace"))
        recording.about = replace(recording.about, query=asked)


def recorded(recorder: Recorder, of: About, environ: dict[str, Any], serve: Callable[[], Answer]) -> Answer:
    """The answer, once what became of the request is durable."""
    recording = environ[RECORDING] = recorder.begin(of)
    try:
        answer = serve()
    except Problem as problem:
        answer = problem_answer(problem)
    except Exception as error:
        _finish(recording, environ, Answer(_status(error)))
        raise
    try:
        _finish(recording, environ, answer)
    except Problem as problem:
        return problem_answer(problem)
    return answer


def _finish(recording: Recording, environ: Mapping[str, Any], answer: Answer) -> None:
    who: Access | None = environ.get(WHO)
    recording.access = who
    recording.finish(answer.status, answer.released)


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.code or 500
    return as_problem(error).status
