"""What must not stand in shipped code: calls that turn bytes into code, loose checks of where a secret goes, and
regular expressions that a long text can hold up."""

import ast
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
ROOMS = ("hub", "fhir_mappings", "adapters", "auth", "conformance")
FORBIDDEN_MODULES = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "yaml",
    "jsonpickle",
    "subprocess",
    "telnetlib",
    "ftplib",
}
# what another program is run for, and what it is given
PROGRAMS = {("hub/backup/databases.py", "subprocess"): "pg_dump and pg_restore, without a shell"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_METHODS = {"os.system", "os.popen", "sqlite3.connect", "ssl._create_unverified_context"}
NETWORK = {"http.client", "requests", "urllib.request", "urllib3", "ssl", "socket"}
ASKING = {"requests", "urllib3", "http.client", "urllib.request", "smtplib", "asyncssh", "httpx", "aiohttp"}
CONNECTING = ("socket.create_connection", "socket.socket.connect", "asyncio.open_connection")
# who asks others, and whose their addresses are: no resource's and no message's
ASKED = {
    "adapters/adt/mllp_client.py": "an operator's command, or HUB_MLLP_RETURN_ADDRESSES",
    "adapters/files/sftp.py": "HUB_FEEDS_FILE",
    "adapters/files/sftp_push.py": "HUB_FEEDS_FILE",
    "adapters/files/ssh.py": "HUB_FEEDS_FILE",
    "auth/development_token.py": "an operator's command",
    "auth/keys.py": "a jwks_uri that was registered",
    "auth/oidc.py": "HUB_OIDC_ISSUER",
    "hub/notifications/connections.py": "a Subscription's endpoint, checked first; HUB_PLAN_API_URL",
    "hub/notifications/mail.py": "HUB_SMTP_HOST",
}
# whose expressions are not constants: what they are made of
NOT_CONSTANT = {
    "hub/search/texts.py": "a separator of one character",
    "hub/operations/everything.py": "the hub's own address, escaped",
    "conformance/definitions/parameters.py": "a resource type; when tables are built",
    "conformance/fhirpath/functions.py": "matches() of invariants in definitions that the operator loaded",
    "auth/roles_page.py": "a name of the roles page; when it is printed",
    "hub/feeds/moments.py": "the pattern of a feed's file names, escaped; the operator's",
    "hub/identity/strong.py": "the form of an MBI, put together of its letters",
}
# letters of the texts that a file's expressions see: those of an expression of a SearchParameter, which the module
# bounds, and those of paths in profiles, which are short and loaded by the operator
BOUNDED = {"hub/search/definitions.py": 2000, "conformance/profiles/discriminators.py": 200}
LONG = 64 * 1024
MOST_SECONDS = 0.05
LENGTHS = (16, 20, 24, 28, 32, 36, 40, 48, 64, 200, 2000, LONG)  # what doubles with a letter or two is found early


@cache
def sources() -> dict[str, ast.Module]:
    paths = [TOP / "wsgi.py", *(path for room in ROOMS for path in sorted((TOP / room).rglob("*.py")))]
    return {str(path.relative_to(TOP)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for name, tree in sources().items():
        yield from ((name, node) for node in ast.walk(tree) if isinstance(node, kind))


def modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_nothing_is_imported_that_makes_code_of_bytes() -> None:
    """SEC-15"""
    found = {
        (name, module)
        for kind in (ast.Import, ast.ImportFrom)
        for name, node in nodes(kind)
        for module in modules(node)
        if module.partition(".")[0] in FORBIDDEN_MODULES
    }
    assert found == PROGRAMS.keys()
    assert len(sources()) > 150


def test_nothing_is_called_that_makes_code_of_text() -> None:
    found = set()
    for name, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        called = ast.unparse(node.func)
        if called in FORBIDDEN_CALLS or called in FORBIDDEN_METHODS:
            found.add((name, called))
        found |= {(name, "shell") for each in node.keywords if each.arg == "shell" and _is(True, each.value)}
        found |= {(name, "verify") for each in node.keywords if each.arg == "verify" and _is(False, each.value)}
    assert found == set()


def _is(wanted: bool, node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is wanted


def test_whoever_opens_connections_compares_addresses_whole() -> None:
    """SEC-08: the beginning of an address says nothing about where it leads."""
    opens = {name for k in (ast.Import, ast.ImportFrom) for name, node in nodes(k) if NETWORK & set(modules(node))}
    assert {"hub/notifications/connections.py", "auth/keys.py"} <= opens
    loose = set()
    for name, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        if name in opens and ast.unparse(node.func).endswith((".startswith", ".endswith")):
            loose.add((name, ast.unparse(node)))
    assert loose == set()


def test_whoever_asks_others_is_known_and_whose_addresses_they_are() -> None:
    """SEC-32: what stands in a resource or a message is never asked."""
    imports = (ast.Import, ast.ImportFrom)
    found = {
        name
        for kind in imports
        for name, node in nodes(kind)
        if any(module in ASKING or module.partition(".")[0] in ASKING for module in modules(node))
    }
    found |= {name for name, node in nodes(ast.Call) if ast.unparse(node.func) in CONNECTING}  # type: ignore[attr-defined]
    assert found == set(ASKED)


def pattern_of(call: ast.Call) -> str | bytes | None:
    given = call.args[0] if call.args else None
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str | bytes) else None


def expressions() -> Iterator[tuple[str, int, str | bytes, int, str]]:
    """Where it stands, its text, its flags, and how it is used: match or search."""
    for name, tree in sources().items():
        text = ast.unparse(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.")):
                continue
            verb = ast.unparse(node.func)[3:]
            pattern = pattern_of(node)
            if verb == "escape" or pattern is None:
                continue
            flags = sum(getattr(re, flag) for flag in re.findall(r"re\.([A-Z]+)\b", ast.unparse(node)))
            if verb == "compile":
                verb = used(text, ast.unparse(node))
            yield name, node.lineno, pattern, flags, "match" if verb in ("match", "fullmatch") else "search"


def used(module: str, compiled: str) -> str:
    """How a compiled expression is used in its module."""
    at = module.find(compiled)
    if module[at + len(compiled) :].startswith((".match", ".fullmatch")):
        return "match"
    named = re.search(r"(\w+)\s*(?::[^=\n]*)?= $", module[:at])
    if not named:
        return "match"
    searching = rf"\b{named[1]}\.(search|sub|subn|split|findall|finditer)\("
    return "search" if re.search(searching, module) else "match"


def hostile(pattern: str | bytes) -> list[str]:
    """Units that, repeated, keep an expression busy: of general use, and of the expression's own letters."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    own = {letter for letter in text if not letter.isalnum() and letter not in "\\\n"}
    return ["a", "A", "0", " ", "\t", "aA0", "a ", "a.", "a-", "/a", '"', "\\", "(", "0.", *sorted(own)]


def test_every_expression_is_a_constant_or_accounted_for() -> None:
    found = set()
    for name, node in nodes(ast.Call):
        assert isinstance(node, ast.Call)
        verb = ast.unparse(node.func)
        verbs = ("re.compile", "re.match", "re.fullmatch", "re.search", "re.sub", "re.split", "re.findall")
        if verb in verbs and pattern_of(node) is None:
            found.add(name)
    assert found == set(NOT_CONSTANT)


def test_no_expression_is_held_up_by_a_long_text() -> None:
    """SEC-19: 64 KB of what it likes, with an end that it does not like."""
    slow, count = [], 0
    for name, line, pattern, flags, verb in expressions():
        compiled = re.compile(pattern, flags)
        count += 1
        for unit in hostile(pattern):
            most = BOUNDED.get(name, LONG)
            seconds = worst(getattr(compiled, verb), unit, isinstance(pattern, bytes), most)
            if seconds > MOST_SECONDS:
                slow.append((name, line, verb, unit, round(seconds, 3)))
                break
    assert count > 80
    assert slow == []


def worst(apply: Callable[..., object], unit: str, in_bytes: bool, most: int = LONG) -> float:
    """Seconds, for longer and longer texts until they are too many. The faster of two counts: others work here."""
    for length in (length for length in LENGTHS if length <= most):
        text = (unit * length)[:length] + "\n\x00!"
        given: str | bytes = text.encode("latin-1", "replace") if in_bytes else text
        seconds = min(_timed(apply, given) for _ in range(2)) if length > 64 else _timed(apply, given)
        if seconds > MOST_SECONDS:
            return seconds
    return seconds


def _timed(apply: Callable[..., object], text: str | bytes) -> float:
    begin = time.process_time()
    apply(text)
    return time.process_time() - begin


@pytest.mark.parametrize("bad", [r"^(a+)+$", r"(a|a)*b", r"(\s*a\s*)*x"])
def test_the_check_finds_an_expression_that_is_held_up(bad: str) -> None:
    assert max(worst(re.compile(bad).match, unit, False) for unit in ("a", "a ")) > MOST_SECONDS
