"""The one settings reader: environment variables, each with its default and its meaning.

The table is in settings_server, settings_sign_in, settings_records, settings_inbox, settings_bulk, settings_feeds,
settings_notices and settings_plan_api, its kinds of values in setting_values.
docs/settings.md is printed from SETTINGS (`python -m hub.settings`) and a test fails when it is stale.
Refuses: values that do not parse (SettingsError names the variable, never the value).
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.setting_values import Setting
from hub.settings_bulk import BULK
from hub.settings_feeds import FEEDS
from hub.settings_inbox import INBOX
from hub.settings_notices import NOTICES
from hub.settings_plan_api import PLAN_API
from hub.settings_records import RECORDS
from hub.settings_server import SERVER
from hub.settings_sign_in import SIGN_IN

SHORTEST_KEY = 32  # characters
TlsFiles = tuple[Path, Path, Path | None]  # certificate, key, authorities of clients

SETTINGS: tuple[Setting, ...] = (*SERVER, *SIGN_IN, *RECORDS, *INBOX, *FEEDS, *PLAN_API, *BULK, *NOTICES)


class SettingsError(Exception):
    """A variable's value cannot be used; the text names the variable and what it wants."""


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

    @property
    def websocket_url(self) -> str:
        """Where websockets are bound, maybe by the worker of another node; empty: nowhere."""
        host, port = self["HUB_WEBSOCKET_HOST"], self["HUB_WEBSOCKET_PORT"]
        return self["HUB_WEBSOCKET_URL"] or (f"ws://{host}:{port}/" if port else "")

    @property
    def feeds_file(self) -> Path:
        return Path(self["HUB_FEEDS_FILE"] or self.data_dir / "feeds.toml")

    @property
    def referrals_file(self) -> Path:
        return Path(self["HUB_REFERRALS_FILE"] or self.data_dir / "referrals.toml")

    @property
    def files_dir(self) -> Path:
        return Path(self["HUB_FILES_DIR"] or self.data_dir / "files")

    @property
    def layouts_dir(self) -> Path:
        return Path(self["HUB_LAYOUTS"] or self.data_dir / "layouts")

    def path(self, name: str) -> Path | None:
        """The file that a variable names; None where it is empty."""
        return Path(self[name]) if self[name] else None

    def tls_files(self, prefix: str) -> TlsFiles | None:
        """`<prefix>_CERT`, `_KEY` and `_CLIENT_CA`; None where TLS is not wanted. Raises SettingsError."""
        cert, key, ca = (self.path(f"{prefix}_{name}") for name in ("CERT", "KEY", "CLIENT_CA"))
        if bool(cert) != bool(key) or (ca and not cert):
            raise SettingsError(f"{prefix}_CERT and {prefix}_KEY go together; {prefix}_CLIENT_CA needs both.")
        return (cert, key, ca) if cert and key else None

    def secret_key(self) -> bytes:
        """HUB_SECRET_KEY, or the key kept in the data directory (made once, readable by its owner only)."""
        if given := self["HUB_SECRET_KEY"]:
            if len(given) < SHORTEST_KEY:
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
    found = path.read_bytes()
    if len(found) < SHORTEST_KEY:  # a disk that was full cuts a copy off, and anybody knows an empty key
        raise SettingsError(
            f"{path} is cut off: bring it back from a backup (docs/runbook.md, The key file is lost)"
        )
    return found


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
