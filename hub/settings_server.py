"""Settings of the machine and the web server: where things are, who connects, how much is too much."""

from hub.setting_values import (
    Setting,
    deletes,
    drain,
    flag,
    from_zero,
    level,
    log_format,
    networks,
    origins,
    port,
    positive,
    token,
)

SERVER: tuple[Setting, ...] = (
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
    Setting("HUB_HTTP_PORT", "8080", "Port of the web server.", port),
    Setting("HUB_WATCH_HOST", "127.0.0.1", "Address of `HUB_WATCH_PORT`."),
    Setting(
        "HUB_WATCH_PORT",
        "0",
        "A further port for `/livez`, `/readyz` and `/metrics` alone, for nodes without a web server "
        "(`hub serve --mllp`, `--worker`); `0`: none.",
        port,
    ),
    Setting("HUB_MLLP_HOST", "127.0.0.1", "Address the MLLP listener listens on."),
    Setting("HUB_MLLP_PORT", "2575", "Port of the MLLP listener.", port),
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
        positive,
    ),
    Setting("HUB_WEB_THREADS", "4", "Threads of each web process.", positive),
    Setting(
        "HUB_DRAIN_SECONDS",
        "5",
        "After SIGTERM the web server answers for so long as before, with 503 at `/readyz`, so that balancers "
        "leave; at most 8. Ctrl-C does not wait.",
        drain,
    ),
    Setting("HUB_MAX_BODY_BYTES", "10485760", "Largest request body; more is answered 413.", positive),
    Setting(
        "HUB_MAX_BUNDLE_ENTRIES",
        "500",
        "Most entries of a batch or transaction; more is answered 413.",
        positive,
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
        networks,
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
        "`0` is no limit. Nodes tell each other once a second.",
        from_zero,
    ),
    Setting("HUB_RATE_BURST", "5000", "Requests that a client which was silent may make at once.", positive),
    Setting(
        "HUB_DAILY_QUOTA",
        "0",
        "Requests of a client from one midnight (UTC) to the next; more is answered 429. `0` is no limit.",
        from_zero,
    ),
    Setting(
        "HUB_FAILURES_PER_MINUTE",
        "60",
        "Wrong tokens, assertions and passwords a minute from one network address; more is answered 429. `0` is no "
        "limit.",
        from_zero,
    ),
    Setting(
        "HUB_SEARCH_SECONDS",
        "5",
        "Longest time that the database may take to read for a request; what takes longer is answered 400 "
        "`too-costly`. With PostgreSQL it holds for each statement. `0` is no limit.",
        from_zero,
    ),
    Setting(
        "HUB_CORS_ORIGINS",
        "",
        "Comma-separated origins of web pages that may use the API, such as `https://app.example`; empty means "
        "none. `*` means every page: credentials are never allowed, a page needs a token of its own.",
        origins,
    ),
    Setting("HUB_PAGE_SIZE", "50", "Entries on a search page where the client asks for no `_count`.", positive),
    Setting("HUB_MAX_PAGE_SIZE", "1000", "Most entries on a search page.", positive),
    Setting("HUB_CURSOR_SECONDS", "3600", "How long a page link can be followed.", positive),
    Setting(
        "HUB_CONDITIONAL_DELETE",
        "single",
        "What `DELETE /<type>?criteria` does where several match: `single` refuses (412), `multiple` deletes them "
        "all, up to 500 (more is answered 412).",
        deletes,
    ),
    Setting(
        "HUB_REFERENTIAL_INTEGRITY",
        "no",
        "`yes` refuses what refers to a resource of this hub that is not there, or that the client may not read "
        "(422). It is asked when something is written, and only then: a later DELETE is not refused, nor told, "
        "because others refer to what it deletes. The hub's own writes are not asked.",
        flag,
    ),
    Setting(
        "HUB_METRICS_TOKEN",
        "",
        "What Prometheus shows as bearer token at `/metrics`, at least 16 characters. Empty means that there is no "
        "`/metrics`.",
        token,
    ),
    Setting("HUB_LOG_LEVEL", "warning", "`debug`, `info` (a line a request), `warning` or `error`.", level),
    Setting(
        "HUB_LOG_FORMAT",
        "text",
        "`text`, or `json`: an object a line, with time (UTC), level, logger, role and pid of the process, "
        "message, and the trace where there is one.",
        log_format,
    ),
    Setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "Where traces go, by OTLP over HTTP, such as `http://collector:4318` (docs/tracing.md); empty means that "
        "there are none. OpenTelemetry's other variables (`OTEL_…`) hold as its specification says.",
    ),
)
