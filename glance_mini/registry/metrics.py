"""Counters of the registry for Prometheus; exported as those of the service are."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from glance_mini.metrics import exported

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class RegistryMetrics:
    """All counters of one process; ``export`` returns them as text."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.calls = Counter(
            "glance_mini_registry_calls",
            "Data calls by outcome: done, raised, unavailable, refused or failed.",
            ["call", "outcome"],
            registry=registry,
        )
        self.call_seconds = Histogram(
            "glance_mini_registry_call_seconds",
            "Time from the head of a call to its answer.",
            ["call"],
            registry=registry,
            buckets=_BUCKETS,
        )

    def export(self) -> bytes:
        """Return all metrics in the text format of Prometheus, including those of the other processes."""
        return exported(self._registry)
