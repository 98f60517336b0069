"""Settings of feeds: whose files come in, and where their bytes are kept."""

from hub.setting_values import Setting, from_zero, positive

FEEDS: tuple[Setting, ...] = (
    Setting(
        "HUB_FEEDS_FILE",
        "",
        "The TOML file of feeds (docs/feeds.md). Default: `feeds.toml` in the data directory, if it is there.",
    ),
    Setting(
        "HUB_FILES_DIR",
        "",
        "Folder that keeps the bytes of files, for all nodes the same. Default: `files` in the data directory.",
    ),
    Setting(
        "HUB_FILES_DAYS",
        "30",
        "Days after which the bytes of a file that is done with, and whose rows are written, are removed from that "
        "folder; its name, digest, counts and report stay. 0 keeps them.",
        from_zero,
    ),
    Setting(
        "HUB_FILES_EVERY_SECONDS",
        "30",
        "How often drop folders and SFTP servers are looked at for new files.",
        positive,
    ),
    Setting(
        "HUB_LAYOUTS",
        "",
        "Folder of this deployment's own layouts of plan tables (docs/plan-workbooks.md). Default: `layouts` in "
        "the data directory, which need not be there.",
    ),
    Setting(
        "HUB_UPLOAD_MB",
        "50",
        "Megabytes of a file that is uploaded over HTTP; larger ones come by folder or SFTP.",
        positive,
    ),
)
