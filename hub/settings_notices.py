"""Settings of notices: how long events are kept, the mail relay, websockets."""

from hub.setting_values import Setting, hosts, mail_tls, port, positive

NOTICES: tuple[Setting, ...] = (
    Setting(
        "HUB_NOTICE_KEEP_DAYS",
        "30",
        "Days for which events of Subscriptions and the delivery log are kept: so long `$events` and `hub notices` "
        "tell of them.",
        positive,
    ),
    Setting(
        "HUB_SMTP_HOST",
        "",
        "The mail relay that notices by email go to; empty means that there is no email channel.",
    ),
    Setting("HUB_SMTP_PORT", "587", "Its port.", port),
    Setting(
        "HUB_SMTP_TLS",
        "starttls",
        "`starttls` (nothing is sent where the relay has none), `tls` from the first byte, or `none` for a relay "
        "on this machine.",
        mail_tls,
    ),
    Setting("HUB_SMTP_CA", "", "PEM file of the authorities the relay's certificate is of; empty: the usual ones."),
    Setting("HUB_SMTP_USER", "", "User at the relay; empty means that it asks for none."),
    Setting("HUB_SMTP_PASSWORD_FILE", "", "File with the password of `HUB_SMTP_USER`."),
    Setting("HUB_EMAIL_FROM", "", "The address that notices come from."),
    Setting(
        "HUB_EMAIL_DOMAINS",
        "",
        "Comma-separated domains that notices may be mailed to. A notice names resources, so only your partners' "
        "belong here. Empty means that there is no email channel.",
        hosts,
    ),
    Setting("HUB_WEBSOCKET_HOST", "127.0.0.1", "Address that websockets are listened for on."),
    Setting(
        "HUB_WEBSOCKET_PORT",
        "0",
        "Port for websockets, served by this node's worker; `0`: it serves none.",
        port,
    ),
    Setting(
        "HUB_WEBSOCKET_URL",
        "",
        "The public `wss://` address of the websocket port behind your proxy, which ends TLS; the same on every "
        "node. Empty means `ws://<HUB_WEBSOCKET_HOST>:<HUB_WEBSOCKET_PORT>/`, and without a port that there is no "
        "websocket channel.",
    ),
)
