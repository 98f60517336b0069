"""Settings of what comes in and what goes out: feeds, code tables, labels, validation, notices."""

from hub.setting_values import Setting, flag, from_zero, hosts, positive, profile_policy, reviewers

RECORDS: tuple[Setting, ...] = (
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
        "42 CFR Part 2: all that it sends is guarded as its records. A column `labels` names the labels of "
        "docs/labels.md that all about a facility has, such as `PSY` for a psychiatric hospital.",
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
        hosts,
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
        "HUB_REFERRALS_FILE",
        "",
        "The TOML file of referrals: who coordinates, which plan authorizes what, clocks of contracts, texts of "
        "notices (docs/referrals.md). Empty means `referrals.toml` in the data directory, if it is there.",
    ),
    Setting(
        "HUB_IDENTITY_LIMITS",
        "",
        "Limits of matching that are other than in `hub/identity/limits.csv`, as `link_margin=10,review_margin=1`: "
        "bits above log2 of the population from which a pair is linked or a person looks at it (docs/identity.md).",
    ),
    Setting(
        "HUB_IDENTITY_REVIEWERS",
        "1",
        "`2`: a merge that people decide is done when a second, other person has decided the same.",
        reviewers,
    ),
    Setting(
        "HUB_HMIS_HASHES",
        "",
        "How exports with a HashStatus hash names, as `2=sha1:lower,3=sha256:soundex` (sha1, sha256, sha512 or md5 "
        "of the `soundex` code, or of the name in `lower` or `upper` case), where you know. Without it only 4 is "
        "understood (SHA-256 of the Soundex); 2 and 3 are refused: no source says what they hash.",
    ),
    Setting(
        "HUB_MEMBER_MATCHES_PER_MINUTE",
        "30",
        "`$member-match` calls of one client in a minute, on all nodes together; more is answered 429.",
        positive,
    ),
    Setting(
        "HUB_ADT_PRODUCTION",
        "no",
        "`yes` refuses ADT marked test or debugging in MSH-11 (AR, 202).",
        flag,
    ),
    Setting(
        "HUB_MLLP_MAX_BYTES",
        "10485760",
        "Largest MLLP frame; more closes the connection without an ACK.",
        positive,
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
    Setting(
        "HUB_HL7V2_CLIENTS",
        "",
        "CSV of the clients that may send hospital messages to `POST /hl7v2` and notifications to "
        "`$process-message`, with the facilities (MSH-4) that each may speak for (client,facility), see "
        "docs/hl7-over-http.md, docs/alerts.md. Empty means that neither is taken.",
    ),
    Setting("HUB_MLLP_IDLE_SECONDS", "60", "A half frame that stalls this long closes the connection.", positive),
    Setting(
        "HUB_MLLP_STALL_SECONDS",
        "60",
        "A sender that does not read its acknowledgments for so long is closed.",
        positive,
    ),
    Setting(
        "HUB_MLLP_TOLERANT",
        "no",
        "`yes` takes 0x1C for the end of a frame although no 0x0D follows; `no` closes the connection without an "
        "ACK.",
        flag,
    ),
    Setting(
        "HUB_MLLP_LISTENERS",
        "",
        "CSV of more MLLP listeners (name,host,port and others), each with its own TLS, senders and limits, see "
        "docs/mllp.md. Empty means `HUB_MLLP_HOST` and `HUB_MLLP_PORT` alone.",
    ),
    Setting(
        "HUB_MLLP_RETURN_ADDRESSES",
        "",
        "CSV of the addresses that application acknowledgments go to (facility,host,port,ca,cert,key), see "
        "docs/mllp.md. A facility without a row that wants nothing but those gets them at once.",
    ),
    Setting(
        "HUB_WEBHOOK_HOSTS",
        "",
        "Comma-separated `host` or `host:port` that webhooks may reach although they are http, loopback "
        "or private. Everything else must be https on a public address.",
        hosts,
    ),
    Setting(
        "HUB_NOTICE_SAME_MINUTES",
        "5",
        "Two senders that tell of one kind of event of one member at one facility, at most so many minutes apart, "
        "tell of one: it is noticed once (docs/identity.md).",
        from_zero,
    ),
    Setting("HUB_WEBHOOK_TIMEOUT_SECONDS", "10", "Longest wait for a webhook receiver.", positive),
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
        profile_policy,
    ),
    Setting(
        "HUB_PROFILE_WARN_CLIENTS",
        "",
        "Comma-separated ids of clients whose writes are never refused for a profile.",
        hosts,
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
        flag,
    ),
    Setting(
        "HUB_FOLLOW_UP_DAYS",
        "7",
        "Days after a discharge in which the transitional care Task is due.",
        positive,
    ),
)
