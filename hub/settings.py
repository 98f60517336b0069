"""The one settings reader: a table of environment variables, each with its default and its meaning.

docs/settings.md is printed from SETTINGS (`python -m hub.settings`) and a test fails when it is stale.
Refuses: values that do not parse (SettingsError names the variable, never the value).
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ORIGIN = re.compile(r"https?://[^/?#,\s]+")  # RFC 6454: no path, no slash at the end


class SettingsError(Exception):
    """A variable's value cannot be used; the text names the variable and what it wants."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. `parse` turns its text into a value or raises ValueError."""

    name: str
    default: str
    meaning: str
    parse: Callable[[str], Any] = str


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _level(text: str) -> str:
    level = text.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError
    return level


def _flag(text: str) -> bool:
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]


def _deletes(text: str) -> str:
    if text not in ("single", "multiple"):
        raise ValueError
    return text


def _profile_policy(text: str) -> str:
    if text not in ("refuse", "warn"):
        raise ValueError
    return text


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _origins(text: str) -> tuple[str, ...]:
    found = _hosts(text)
    if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in found):
        raise ValueError
    return found


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "HUB_DATA_DIR",
        "var/",
        "Folder for the SQLite database, the generated secret key and local code tables.",
    ),
    Setting(
        "HUB_DATABASE_URL",
        "",
        "SQLAlchemy URL of the database; empty means SQLite at `hub.db` in the data directory. "
        "PostgreSQL: `postgresql+psycopg://user@host/name`.",
    ),
    Setting("HUB_HTTP_HOST", "127.0.0.1", "Address the web server listens on."),
    Setting("HUB_HTTP_PORT", "8080", "Port of the web server.", _port),
    Setting("HUB_MLLP_HOST", "127.0.0.1", "Address the MLLP listener listens on."),
    Setting("HUB_MLLP_PORT", "2575", "Port of the MLLP listener.", _port),
    Setting(
        "HUB_BASE_URL",
        "",
        "Public address used in links, token audience and discovery, without a trailing slash; "
        "empty means `http://<HUB_HTTP_HOST>:<HUB_HTTP_PORT>`.",
        lambda text: text.rstrip("/"),
    ),
    Setting(
        "HUB_SECRET_KEY",
        "",
        "Key for page cursors and webhook secrets, at least 32 characters; the same on every node. "
        "Empty means a random one, made at first start and kept in `secret.key` (mode 600) in the data directory.",
    ),
    Setting(
        "HUB_WEB_PROCESSES",
        "1",
        "Web processes. With SQLite one is best: it writes one at a time anyway.",
        _positive,
    ),
    Setting("HUB_WEB_THREADS", "4", "Threads of each web process.", _positive),
    Setting("HUB_MAX_BODY_BYTES", "10485760", "Largest request body; more is answered 413.", _positive),
    Setting(
        "HUB_MAX_BUNDLE_ENTRIES",
        "500",
        "Most entries of a batch or transaction; more is answered 413.",
        _positive,
    ),
    Setting(
        "HUB_CORS_ORIGINS",
        "",
        "Comma-separated origins of web pages that may use the API, such as `https://app.example`; empty means "
        "none. `*` means every page: credentials are never allowed, a page needs a token of its own.",
        _origins,
    ),
    Setting("HUB_PAGE_SIZE", "50", "Entries on a search page where the client asks for no `_count`.", _positive),
    Setting("HUB_MAX_PAGE_SIZE", "1000", "Most entries on a search page.", _positive),
    Setting("HUB_CURSOR_SECONDS", "3600", "How long a page link can be followed.", _positive),
    Setting(
        "HUB_CONDITIONAL_DELETE",
        "single",
        "What `DELETE /<type>?criteria` does where several match: `single` refuses (412), `multiple` deletes them "
        "all, up to 500 (more is answered 412).",
        _deletes,
    ),
    Setting(
        "HUB_REFERENTIAL_INTEGRITY",
        "no",
        "`yes` refuses what refers to a resource of this hub that is not there, or that the client may not read "
        "(422). It is asked when something is written, and only then: a later DELETE is not refused, nor told, "
        "because others refer to what it deletes. The hub's own writes are not asked.",
        _flag,
    ),
    Setting("HUB_LOG_LEVEL", "warning", "`debug`, `info` (a line a request), `warning` or `error`.", _level),
    Setting("HUB_TOKEN_SECONDS", "300", "Life of an access token, at most 300.", _positive),
    Setting(
        "HUB_CIN_SYSTEM",
        "https://calaim-hub.example/fhir/sid/medi-cal-cin",
        "Identifier system of the Medi-Cal Client Index Number. No official URI is published: "
        "agree on one with your partners.",
    ),
    Setting(
        "HUB_FACILITIES_FILE",
        "",
        "CSV of the hospitals whose ADT is understood (facility,name,mrn_system,visit_system,time_zone,npi); "
        "empty means `facilities.csv` in the data directory.",
    ),
    Setting(
        "HUB_CODE_TABLES_DIR",
        "",
        "Folder with local rows for the ADT code tables; empty means `code_tables/` in the data directory.",
    ),
    Setting(
        "HUB_TERMINOLOGY_DIR",
        "",
        "Folder with your own rows for the hub's CalAIM code tables (`codes/*.csv`, `maps/*.csv`) and whole "
        "CodeSystem, ValueSet and ConceptMap resources (`*.json`), see `conformance/terminology/calaim/README.md`; "
        "empty means `terminology/` in the data directory.",
    ),
    Setting(
        "HUB_ADT_PRODUCTION",
        "no",
        "`yes` refuses ADT marked test or debugging in MSH-11 (AR, 202).",
        _flag,
    ),
    Setting(
        "HUB_MLLP_MAX_BYTES",
        "10485760",
        "Largest MLLP frame; more closes the connection without an ACK.",
        _positive,
    ),
    Setting("HUB_MLLP_IDLE_SECONDS", "60", "A half frame that stalls this long closes the connection.", _positive),
    Setting(
        "HUB_WEBHOOK_HOSTS",
        "",
        "Comma-separated `host` or `host:port` that webhooks may reach although they are http, loopback "
        "or private. Everything else must be https on a public address.",
        _hosts,
    ),
    Setting("HUB_WEBHOOK_TIMEOUT_SECONDS", "10", "Longest wait for a webhook receiver.", _positive),
    Setting(
        "HUB_FHIR_PACKAGES",
        "",
        "Folder of FHIR packages (`*.tgz`, as from a FHIR package registry): their profiles are validated, their "
        "terminology is known. Of several versions of one definition the newest counts where no version is named. "
        "Empty means none: the base specification alone is validated.",
    ),
    Setting(
        "HUB_PROFILE_POLICY",
        "refuse",
        "What becomes of a write that breaks a profile named in its `meta.profile`: `refuse` (422) or `warn` (a "
        "line in the log).",
        _profile_policy,
    ),
    Setting(
        "HUB_PROFILE_WARN_CLIENTS",
        "",
        "Comma-separated ids of clients whose writes are never refused for a profile.",
        _hosts,
    ),
    Setting(
        "HUB_FOLLOW_UP_DAYS",
        "7",
        "Days after a discharge in which the transitional care Task is due.",
        _positive,
    ),
)


@dataclass(frozen=True)
class Settings:
    """The values in force, by variable name; `settings["HUB_HTTP_PORT"]` is an int."""

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def data_dir(self) -> Path:
        return Path(self["HUB_DATA_DIR"])

    @property
    def database_url(self) -> str:
        return self["HUB_DATABASE_URL"] or f"sqlite:///{(self.data_dir / 'hub.db').absolute()}"

    @property
    def base_url(self) -> str:
        return self["HUB_BASE_URL"] or f"http://{self['HUB_HTTP_HOST']}:{self['HUB_HTTP_PORT']}"

    @property
    def fhir_base(self) -> str:
        return f"{self.base_url}/fhir"

    @property
    def facilities_file(self) -> Path:
        return Path(self["HUB_FACILITIES_FILE"] or self.data_dir / "facilities.csv")

    @property
    def code_tables_dir(self) -> Path:
        return Path(self["HUB_CODE_TABLES_DIR"] or self.data_dir / "code_tables")

    @property
    def terminology_dir(self) -> Path:
        return Path(self["HUB_TERMINOLOGY_DIR"] or self.data_dir / "terminology")

    def secret_key(self) -> bytes:
        """HUB_SECRET_KEY, or the key kept in the data directory (made once, readable by its owner only)."""
        if given := self["HUB_SECRET_KEY"]:
            if len(given) < 32:
                raise SettingsError("HUB_SECRET_KEY wants at least 32 characters")
            return str(given).encode()
        return _kept_key(self.data_dir / "secret.key")


def _kept_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: then its key counts
            os.link(draft, path)
        draft.unlink()
    return path.read_bytes()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from an environment. Raises SettingsError."""
    return Settings({setting.name: _value(setting, environment) for setting in SETTINGS})


def _value(setting: Setting, environment: Mapping[str, str]) -> Any:
    try:
        return setting.parse(environment.get(setting.name, "") or setting.default)
    except (ValueError, KeyError):
        raise SettingsError(f"{setting.name} has a value that cannot be used: {setting.meaning}") from None


def as_markdown() -> str:
    """The page docs/settings.md."""
    rows = "".join(f"| `{s.name}` | {f'`{s.default}`' if s.default else ''} | {s.meaning} |\n" for s in SETTINGS)
    return (
        "# Settings\n\nAll come from the environment. This page is printed from `hub/settings.py` "
        "(`python -m hub.settings > docs/settings.md`).\n\n"
        f"| variable | default | meaning |\n| --- | --- | --- |\n{rows}"
    )


if __name__ == "__main__":
    import sys

    sys.stdout.write(as_markdown())
