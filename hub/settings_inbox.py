"""Settings of the inbox: how often a message is tried, by how many at once, how long its bytes are kept."""

from hub.setting_values import Setting, from_zero, positive

INBOX: tuple[Setting, ...] = (
    Setting(
        "HUB_INBOX_TRIES",
        "5",
        "Tries after which a message that ends in a fault of the hub is dead: a person must look (docs/inbox.md).",
        positive,
    ),
    Setting(
        "HUB_INBOX_LANES",
        "1",
        "Messages, or groups of them, that one process works on at the same time. More than one helps only where "
        "the database is far away: they share Python's lock.",
        positive,
    ),
    Setting(
        "HUB_INBOX_PROCESSES",
        "1",
        "With PostgreSQL: processes of this node that do nothing but process hospital messages and bulk jobs, one "
        "for each core that is to do so. 0: the worker does it, in the web server's process; with SQLite it always "
        "does.",
        from_zero,
    ),
    Setting(
        "HUB_INBOX_PROCESSED_DAYS",
        "0",
        "Days after which the bytes of processed messages of finished visits are emptied; what comes later about "
        "such a visit waits for a person. 0 keeps them: Medi-Cal plans and their subcontractors keep records for "
        "ten years "
        "(42 CFR 438.3(u)).",
        from_zero,
    ),
    Setting(
        "HUB_INBOX_PARKED_DAYS",
        "0",
        "Days after which the bytes of messages that were refused, or waited for a person for so long, are "
        "emptied: "
        "they cannot be processed any more. 0 keeps them.",
        from_zero,
    ),
)
