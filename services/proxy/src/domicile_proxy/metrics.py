"""What the proxy counts, for Prometheus."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "domicile_proxy_requests_total", "Requests answered, by S3 operation and HTTP status.", ("operation", "status")
)
SECONDS = Histogram(
    "domicile_proxy_request_seconds",
    "From the request's head to the end of its answer.",
    ("operation",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
IN_FLIGHT = Gauge("domicile_proxy_requests_in_flight", "Requests that are being answered.")
RECEIVED_BYTES = Counter("domicile_proxy_received_bytes_total", "Bytes of request bodies, as they came.", ("operation",))
SENT_BYTES = Counter("domicile_proxy_sent_bytes_total", "Bytes of answers' bodies.", ("operation",))
DROPPED = Counter("domicile_proxy_dropped_writes_total", "Writes that went on without a backend that failed.", ("backend",))
FAILOVERS = Counter("domicile_proxy_read_failovers_total", "Replicas that could not be read, by backend.", ("backend",))
AVOIDED = Gauge("domicile_proxy_backend_avoided", "1 while a backend that failed is kept away from.", ("backend",))

# Finding a labelled child costs more than counting, and every request counts in four.
requests, seconds = cache(REQUESTS.labels), cache(SECONDS.labels)
received_bytes, sent_bytes = cache(RECEIVED_BYTES.labels), cache(SENT_BYTES.labels)
