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
from ipaddress import ip_network
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


def _from_zero(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _password_length(text: str) -> int:
    """NIST SP 800-63B: nothing shorter than eight."""
    number = int(text)
    if not 8 <= number <= 128:
        raise ValueError
    return number


def _networks(text: str) -> tuple[str, ...]:
    """Networks in the usual notation; `none` for none."""
    found = () if text == "none" else _hosts(text)
    return tuple(str(ip_network(network)) for network in found)


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


def _registration(text: str) -> str:
    if text not in ("off", "software-statement"):
        raise ValueError
    return text


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
        "empty means `http://<HUB_HTTP_HOST>:<HUB_HTTP_PORT>` (`https` with `HUB_TLS_CERT`).",
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
        "HUB_TLS_CERT",
        "",
        "PEM file with the web server's certificate and its chain; with it the hub itself speaks https (TLS 1.2 or "
        "1.3). Empty means http: then a proxy before the hub ends TLS.",
    ),
    Setting("HUB_TLS_KEY", "", "PEM file with the key of `HUB_TLS_CERT`."),
    Setting(
        "HUB_TLS_CLIENT_CA",
        "",
        "PEM file of the authorities whose client certificates are wanted; with it nobody connects without one. "
        "Certificate-bound tokens need a proxy all the same (`HUB_CLIENT_CERT_HEADER`).",
    ),
    Setting(
        "HUB_TRUSTED_PROXIES",
        "127.0.0.0/8,::1/128",
        "Comma-separated networks of proxies before the hub, or `none`. From them alone `X-Forwarded-For` and "
        "`HUB_CLIENT_CERT_HEADER` are believed; they must take away headers with `_` in their name.",
        _networks,
    ),
    Setting(
        "HUB_CLIENT_CERT_HEADER",
        "",
        "Header in which a trusted proxy hands on the client's certificate, such as `Client-Cert` (RFC 9440) or "
        "one with the escaped PEM; the proxy must take away what clients send in it. Empty means that there are no "
        "certificate-bound tokens (RFC 8705): a client registered with a certificate gets none.",
    ),
    Setting(
        "HUB_RATE_PER_SECOND",
        "1000",
        "Requests a second that a client may keep up, all web processes of a node together; more is answered 429. "
        "`0` is no limit. Nodes do not count together.",
        _from_zero,
    ),
    Setting("HUB_RATE_BURST", "5000", "Requests that a client which was silent may make at once.", _positive),
    Setting(
        "HUB_DAILY_QUOTA",
        "0",
        "Requests of a client from one midnight (UTC) to the next, on each node; more is answered 429. "
        "`0` is no limit.",
        _from_zero,
    ),
    Setting(
        "HUB_FAILURES_PER_MINUTE",
        "60",
        "Wrong tokens, assertions and passwords a minute from one network address; more is answered 429. `0` is no "
        "limit.",
        _from_zero,
    ),
    Setting(
        "HUB_SEARCH_SECONDS",
        "5",
        "Longest time that the database may take to read for a request; what takes longer is answered 400 "
        "`too-costly`. With PostgreSQL it holds for each statement. `0` is no limit.",
        _from_zero,
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
    Setting("HUB_TOKEN_SECONDS", "300", "Life of a backend's access token, at most 300.", _positive),
    Setting(
        "HUB_USER_TOKEN_SECONDS",
        "900",
        "Life of an access token that a person's sign-in gave, at most 3600.",
        _positive,
    ),
    Setting(
        "HUB_REFRESH_DAYS",
        "93",
        "Days that a refresh token can be used (each use gives the next one); certified EHR technology keeps three "
        "months at least.",
        _positive,
    ),
    Setting(
        "HUB_REGISTRATION",
        "off",
        "`software-statement` lets apps register themselves (RFC 7591) with a statement signed by an issuer of "
        "`HUB_REGISTRATION_ISSUERS_FILE`; `off` lets nobody.",
        _registration,
    ),
    Setting(
        "HUB_REGISTRATION_ISSUERS_FILE",
        "",
        'JSON of whose software statements count: an object from issuer to `{"jwks": {...}}` or '
        '`{"jwks_uri": "https://..."}`; empty means `registration_issuers.json` in the data directory.',
    ),
    Setting(
        "HUB_REGISTRATION_ROLE",
        "",
        "Role of apps that registered themselves. Empty means that they wait, switched off and as `member`, for "
        "`hub clients enable`.",
    ),
    Setting(
        "HUB_BRANDS_FILE",
        "",
        "CSV of the organizations whose members' records are here, for the public list of SMART user-access brands "
        "(columns: docs/smart.md); empty means `brands.csv` in the data directory. Without the file there is no "
        "list.",
    ),
    Setting(
        "HUB_SESSION_IDLE_SECONDS",
        "900",
        "A person at a browser is signed out after so long without a page.",
        _positive,
    ),
    Setting("HUB_SESSION_SECONDS", "28800", "A person at a browser signs in again after so long.", _positive),
    Setting("HUB_PASSWORD_LENGTH", "12", "Least characters of a new password.", _password_length),
    Setting(
        "HUB_SIGN_IN_FAILURES",
        "5",
        "Failed sign-ins in a row that lock a login, whether or not there is such an account.",
        _positive,
    ),
    Setting(
        "HUB_SIGN_IN_ADDRESS_FAILURES",
        "50",
        "Failed sign-ins in a row from one network address that lock it.",
        _positive,
    ),
    Setting("HUB_SIGN_IN_LOCK_MINUTES", "15", "How long such a lock lasts.", _positive),
    Setting(
        "HUB_MFA_ROLES",
        "plan,auditor,operator",
        "Comma-separated roles of people who cannot sign in without a second factor; `none` for none.",
        lambda text: () if text == "none" else _hosts(text),
    ),
    Setting("HUB_LAUNCH_SECONDS", "300", "How long an app can be started with the launch of an EHR.", _positive),
    Setting(
        "HUB_OIDC_ISSUER",
        "",
        "https address of an OpenID Provider where people may sign in, too, as far as `hub users link` says who "
        "they are here; empty means none. The redirect address to register there is "
        "`<HUB_BASE_URL>/auth/oidc/callback`.",
    ),
    Setting("HUB_OIDC_CLIENT_ID", "", "The hub's client id at that provider."),
    Setting("HUB_OIDC_CLIENT_SECRET", "", "The hub's secret there; empty means a public client."),
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
        "empty means `facilities.csv` in the data directory. A column `part2` with `yes` marks a program under "
        "42 CFR Part 2: all that it sends is guarded as its records.",
    ),
    Setting(
        "HUB_LABEL_CODES_FILE",
        "",
        "CSV with your own rows (system,match,code,labels) for the codes that mark what is sensitive, see "
        "docs/labels.md: they add labels and take none away. Empty means none.",
    ),
    Setting(
        "HUB_PART2_PROGRAMS",
        "",
        "Comma-separated names of programs under 42 CFR Part 2: references (`Organization/harbor`, "
        "`Location/detox-unit`), identifiers as a search has them (system, bar, value), or feeds as `meta.source` "
        "has them. What they send, and what refers to them, is guarded as their records (docs/labels.md).",
        _hosts,
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
    Setting(
        "HUB_MLLP_TLS_CERT",
        "",
        "PEM file with the MLLP listener's certificate and its chain; with it the listener speaks TLS 1.2 or 1.3 "
        "and nothing else. A file that is replaced counts for the next connection. Empty means no TLS.",
    ),
    Setting("HUB_MLLP_TLS_KEY", "", "PEM file with the key of `HUB_MLLP_TLS_CERT`."),
    Setting(
        "HUB_MLLP_TLS_CLIENT_CA",
        "",
        "PEM file of the authorities whose certificates senders must show (mutual TLS). Empty means that none is "
        "asked for.",
    ),
    Setting(
        "HUB_MLLP_SENDERS",
        "",
        "CSV that binds each sending facility (MSH-4) to its certificate, its network or both "
        "(facility,certificate,network), see docs/runbook.md; what another one sends is refused (AR) and not "
        "stored. Empty means that a facility is believed whoever says it.",
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
        "HUB_CONSENT_FORMS",
        "",
        "CSV of what says which form a Consent is (identifier,form; docs/consent.md), beside the hub's own rows; "
        "empty means none.",
    ),
    Setting(
        "HUB_CONSENT_CATEGORIES",
        "",
        "CSV of the check-boxes of your consent forms (identifier,labels; docs/consent.md), beside the hub's own "
        "rows; empty means none.",
    ),
    Setting(
        "HUB_AUDIT",
        "yes",
        "`no` records no interactions: for measuring only. What cannot be recorded is answered 503, see "
        "docs/audit.md.",
        _flag,
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
        scheme = "https" if self["HUB_TLS_CERT"] else "http"
        return self["HUB_BASE_URL"] or f"{scheme}://{self['HUB_HTTP_HOST']}:{self['HUB_HTTP_PORT']}"

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

    @property
    def brands_file(self) -> Path:
        return Path(self["HUB_BRANDS_FILE"] or self.data_dir / "brands.csv")

    @property
    def registration_issuers_file(self) -> Path:
        return Path(self["HUB_REGISTRATION_ISSUERS_FILE"] or self.data_dir / "registration_issuers.json")

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
