"""What a backup holds beside the database: a table of the files that a hub keeps for itself.

What the deployment brings (certificates, tables named by other settings, the environment) is not among it: that is
configuration, and `not_kept` names it. Nor are counters of limits and what the demo wrote: they are made anew.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.audit.journal import DAMAGED
from hub.settings import SETTINGS, Settings

KEY = "secret.key"
OURS = frozenset(
    (
        "HUB_FACILITIES_FILE",
        "HUB_BRANDS_FILE",
        "HUB_REGISTRATION_ISSUERS_FILE",
        "HUB_FEEDS_FILE",
        "HUB_REFERRALS_FILE",
        "HUB_SECRET_KEY",
    )
)
NAMES_FILES = re.compile(r"HUB_\w*_(FILE|CERT|KEY|CA|KNOWN_HOSTS|SENDERS|LISTENERS|PACKAGES)")
_any = re.compile(r"[^.].*").fullmatch
_digest = re.compile(r"[0-9a-f]{64}").fullmatch  # hub.feeds.vault: bytes of files, not what is on its way


@dataclass(frozen=True, slots=True)
class Place:
    """A file or a folder of the hub, by its name in a backup. Of a folder those files whose name fits."""

    name: str
    path: Callable[[Settings], Path]
    fits: Callable[[str], object] = _any


PLACES: tuple[Place, ...] = (
    Place(KEY, lambda chosen: chosen.data_dir / KEY),
    Place("facilities.csv", lambda chosen: chosen.facilities_file),
    Place("brands.csv", lambda chosen: chosen.brands_file),
    Place("registration_issuers.json", lambda chosen: chosen.registration_issuers_file),
    Place("feeds.toml", lambda chosen: chosen.feeds_file),
    Place("referrals.toml", lambda chosen: chosen.referrals_file),
    Place("code_tables", lambda chosen: chosen.code_tables_dir),
    Place("terminology", lambda chosen: chosen.terminology_dir),
    Place("layouts", lambda chosen: chosen.layouts_dir),
    Place("files", lambda chosen: chosen.files_dir, _digest),
    Place("audit", lambda chosen: chosen.data_dir / "audit", lambda name: name.endswith(DAMAGED)),
)
BY_NAME: Mapping[str, Place] = {place.name: place for place in PLACES}


def found(settings: Settings, with_key: bool = True) -> Iterator[tuple[str, Path]]:
    """(name in the backup, path) of each file that is there."""
    for place in PLACES:
        path = place.path(settings)
        if place.name == KEY and not with_key:
            continue
        if path.is_file():
            yield place.name, path
        elif path.is_dir():
            yield from ((f"{place.name}/{name}", path / name) for name in _names(path) if place.fits(name))


def _names(folder: Path) -> list[str]:
    """Of the files in it, and in its folders."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def target(settings: Settings, name: str) -> Path:
    """Where a file of a backup belongs by these settings. Raises ValueError where it belongs nowhere."""
    first, _, rest = name.partition("/")
    parts = rest.split("/") if rest else []
    if first not in BY_NAME or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{name!r} is nothing that a backup holds")
    return BY_NAME[first].path(settings).joinpath(*parts)


def not_kept(settings: Settings) -> list[str]:
    """The settings in force that name files which no backup holds."""
    named = (setting.name for setting in SETTINGS if NAMES_FILES.fullmatch(setting.name))
    return [name for name in named if name not in OURS and settings[name]]
