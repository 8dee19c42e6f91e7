"""Counters of the service for Prometheus (api-info-pages).

Each process has one ``Metrics``, built at start. With ``PROMETHEUS_MULTIPROC_DIR``, which ``serve`` sets, the metrics
of all processes are added up when they are read.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)

_JOB_BUCKETS = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)


class Metrics:
    """All counters of one process; ``export`` returns them as text."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self.requests = Counter(
            "glance_mini_requests", "Requests answered.", ["operation", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "glance_mini_request_seconds",
            "Time to the head of the response.",
            ["operation"],
            registry=registry,
            buckets=_BUCKETS,
        )
        self.bytes_received = Counter("glance_mini_bytes_received", "Bytes of image data received.", registry=registry)
        self.bytes_sent = Counter("glance_mini_bytes_sent", "Bytes of image data sent.", registry=registry)
        self.transfers = Gauge(
            "glance_mini_transfers", "Transfers running.", ["direction"], registry=registry, multiprocess_mode="livesum"
        )
        self.leases_expired = Counter(
            "glance_mini_leases_expired", "Transfers taken over after their lease expired.", registry=registry
        )
        self.policy_decisions = Counter(
            "glance_mini_policy_decisions", "Decisions of policy rules.", ["rule", "decision"], registry=registry
        )
        self.quota_refusals = Counter(
            "glance_mini_quota_refusals", "Requests refused by a limit.", ["resource"], registry=registry
        )
        self.quota_used = Gauge(
            "glance_mini_quota_used",
            "Usage and reservations of all projects, in bytes or counts.",
            ["resource"],
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self.events = Counter("glance_mini_events", "Notifications by outcome.", ["outcome"], registry=registry)
        self.listeners = Gauge(
            "glance_mini_event_listeners",
            "Clients that follow the events.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.jobs = Counter("glance_mini_jobs", "Jobs by outcome.", ["kind", "outcome"], registry=registry)
        self.jobs_running = Gauge(
            "glance_mini_jobs_running", "Jobs running.", ["kind"], registry=registry, multiprocess_mode="livesum"
        )
        self.job_seconds = Histogram(
            "glance_mini_job_seconds",
            "Time that a worker spent on a job without a break.",
            ["kind"],
            registry=registry,
            buckets=_JOB_BUCKETS,
        )
        self.cache_reads = Counter(
            "glance_mini_cache_reads",
            "Reads through the cache of this node: hit or miss.",
            ["result"],
            registry=registry,
        )
        self.cache_bytes = Counter(
            "glance_mini_cache_bytes", "Bytes of image data that came from the cache of this node.", registry=registry
        )
        self.cache_evictions = Counter(
            "glance_mini_cache_evictions", "Images removed from the cache of this node.", ["reason"], registry=registry
        )
        self.cache_size = Gauge(
            "glance_mini_cache_size",
            "Bytes that the cache of this node occupies.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self.verify_copies = Counter(
            "glance_mini_verify_copies",
            "Copies that were read again: good, gone (deleted meanwhile), or a kind of finding.",
            ["store", "result"],
            registry=registry,
        )
        self.verify_bytes = Counter(
            "glance_mini_verify_bytes", "Bytes that were read again.", ["store"], registry=registry
        )
        self.verify_findings = Counter(
            "glance_mini_verify_findings", "Findings of verifications.", ["store", "kind"], registry=registry
        )
        self.verify_repairs = Counter(
            "glance_mini_verify_repairs", "Repairs of copies: done or failed.", ["store", "outcome"], registry=registry
        )
        self.verify_ended = Gauge(
            "glance_mini_verify_ended_timestamp_seconds",
            "When the last verification of this node ended, in seconds since 1970.",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self.store_failures = Counter(
            "glance_mini_store_failures", "Failures of a store.", ["store"], registry=registry
        )
        self.store_available = Gauge(
            "glance_mini_store_available",
            "Whether a store can be used.",
            ["store"],
            registry=registry,
            multiprocess_mode="livemin",
        )

    def export(self) -> bytes:
        """Return all metrics in the text format of Prometheus, including those of the other processes."""
        return exported(self._registry)


def exported(own: CollectorRegistry) -> bytes:
    """Return the metrics of all processes in the text format of Prometheus, or without others those of ``own``."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(own)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
