"""docs/metrics.md, printed from the tables: `python -m hub.monitoring.metrics_page > docs/metrics.md`."""

from collections.abc import Iterator

from hub.monitoring.counters import COUNTED
from hub.monitoring.gauges import GAUGES

HEAD = """# Metrics, health, doctor

This page is printed from `hub/monitoring/` (`python -m hub.monitoring.metrics_page > docs/metrics.md`). Nobody's
name, no id and no content is in any of it.

| address | who asks | answer |
| --- | --- | --- |
| `/livez` | a supervisor | 200 while the web process answers; nothing else is asked |
| `/readyz` | a load balancer | 200, or 503 where the database does not answer within 5 s, has a schema that \
this release cannot use, or the process was told to end; `application/health+json` names each check. Scarce \
disk is `warn` and 200: reads go on |
| `/metrics` | Prometheus | text format 0.0.4; wants `HUB_METRICS_TOKEN` as bearer token, and is not there without \
that setting |

An example dashboard for Grafana and alert rules for Prometheus: [deploy/monitoring](../deploy/monitoring). Traces:
[tracing.md](tracing.md).

`hub doctor` looks at more (certificates, clocks, stuck work) and names the section of the [runbook](runbook.md);
`hub config check` says whether the hub could start.

A node's processes count together; a restart begins at zero. What comes from the database is the same on every node:
take the `max` of it, not the `sum`. It is asked at most every five seconds.

"""


def page() -> str:
    return HEAD + "".join(_rows())


def _rows() -> Iterator[str]:
    yield "## Counted by the processes of a node\n\n| metric | labels | meaning |\n| --- | --- | --- |\n"
    yield from (_row(name, labels, meaning) for name, labels, meaning in COUNTED)
    yield "\n## Asked at each scrape\n\n| metric | labels | meaning |\n| --- | --- | --- |\n"
    yield _row(
        "hub_up", (), "1, or 0 where the database could not be asked: then the others of this list are absent."
    )
    yield _row("hub_build_info", ("version",), "Always 1.")
    yield from (_row(one.name, one.labels, one.meaning) for one in GAUGES)


def _row(name: str, labels: tuple[str, ...], meaning: str) -> str:
    return f"| `{name}` | {', '.join(f'`{label}`' for label in labels) or '-'} | {meaning} |\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(page())
