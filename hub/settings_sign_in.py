"""Settings of who asks: tokens, registration, sessions and sign-in."""

from hub.setting_values import Setting, hosts, password_length, positive, registration

SIGN_IN: tuple[Setting, ...] = (
    Setting("HUB_TOKEN_SECONDS", "300", "Life of a backend's access token, at most 300.", positive),
    Setting(
        "HUB_USER_TOKEN_SECONDS",
        "900",
        "Life of an access token that a person's sign-in gave, at most 3600.",
        positive,
    ),
    Setting(
        "HUB_REFRESH_DAYS",
        "93",
        "Days that a refresh token can be used (each use gives the next one); certified EHR technology keeps three "
        "months at least.",
        positive,
    ),
    Setting(
        "HUB_REGISTRATION",
        "off",
        "`software-statement` lets apps register themselves (RFC 7591) with a statement signed by an issuer of "
        "`HUB_REGISTRATION_ISSUERS_FILE`; `off` lets nobody.",
        registration,
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
        positive,
    ),
    Setting("HUB_SESSION_SECONDS", "28800", "A person at a browser signs in again after so long.", positive),
    Setting("HUB_PASSWORD_LENGTH", "12", "Least characters of a new password.", password_length),
    Setting(
        "HUB_SIGN_IN_FAILURES",
        "5",
        "Failed sign-ins in a row that lock a login, whether or not there is such an account.",
        positive,
    ),
    Setting(
        "HUB_SIGN_IN_ADDRESS_FAILURES",
        "50",
        "Failed sign-ins in a row from one network address that lock it.",
        positive,
    ),
    Setting("HUB_SIGN_IN_LOCK_MINUTES", "15", "How long such a lock lasts.", positive),
    Setting(
        "HUB_MFA_ROLES",
        "plan,auditor,operator",
        "Comma-separated roles of people who cannot sign in without a second factor; `none` for none.",
        lambda text: () if text == "none" else hosts(text),
    ),
    Setting("HUB_LAUNCH_SECONDS", "300", "How long an app can be started with the launch of an EHR.", positive),
    Setting(
        "HUB_OIDC_ISSUER",
        "",
        "https address of an OpenID Provider where people may sign in, too, as far as `hub users link` says who "
        "they are here; empty means none. The redirect address to register there is "
        "`<HUB_BASE_URL>/auth/oidc/callback`.",
    ),
    Setting("HUB_OIDC_CLIENT_ID", "", "The hub's client id at that provider."),
    Setting("HUB_OIDC_CLIENT_SECRET", "", "The hub's secret there; empty means a public client."),
)
