"""Settings of bulk data: how many jobs, how long their files are there, where imported files may lie."""

from hub.setting_values import Setting, hosts, positive

BULK: tuple[Setting, ...] = (
    Setting(
        "HUB_BULK_HOURS",
        "24",
        "Hours for which the files of a finished export, and the report of an import, can be fetched.",
        positive,
    ),
    Setting(
        "HUB_BULK_JOBS",
        "4",
        "Exports and imports of one client at the same time; more are answered 429.",
        positive,
    ),
    Setting(
        "HUB_IMPORT_HOSTS",
        "",
        "Comma-separated hosts (`files.example.org`, `files.example.org:8443`) from which `$import` may fetch "
        "files; empty means none. A listed host is trusted as one of `HUB_WEBHOOK_HOSTS` is.",
        hosts,
    ),
    Setting("HUB_IMPORT_MB", "256", "Largest file that an import fetches, in megabytes.", positive),
)
