"""GET /metrics as Prometheus reads it: what the processes counted, and the gauges of this moment.

https://prometheus.io/docs/instrumenting/exposition_formats/ (text 0.0.4). `hub_up` 0 says that the database could
not be asked: what was counted is told all the same.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from hub.monitoring.counters import FOLDER, all_of_them
from hub.monitoring.gauges import Node, measured
from hub.problems import Problem

MIME = "text/plain; version=0.0.4; charset=utf-8"
FRESH = 5.0  # seconds: several scrapers ask the database once


class Exposition:
    """`text` is what a scrape gets."""

    def __init__(self, node: Node, version: str):
        self._node, self._version = node, version
        self._turn = threading.Lock()
        self._kept: tuple[float, list[Any]] = (float("-inf"), [])

    def text(self) -> bytes:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        if FOLDER in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            for one in all_of_them():
                registry.register(one)
        registry.register(self)
        found: bytes = generate_latest(registry)
        return found

    def collect(self) -> Iterator[Any]:
        """The gauges, as the client library wants them."""
        with self._turn:
            if time.monotonic() - self._kept[0] > FRESH:
                self._kept = time.monotonic(), list(self._asked())
            yield from self._kept[1]

    def _asked(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        def family(name: str, meaning: str, labels: Iterable[str], values: Any) -> Any:
            made = GaugeMetricFamily(name, meaning, labels=tuple(labels))
            for label, value in values.items():
                made.add_metric(label, value)
            return made

        yield family("hub_build_info", "The release that runs.", ("version",), {(self._version,): 1.0})
        try:
            found = list(measured(self._node))
        except Problem:
            found = []
        yield family("hub_up", "Whether the database answered this scrape.", (), {(): float(bool(found))})
        for gauge, values in found:
            yield family(gauge.name, gauge.meaning, gauge.labels, values)
