"""What the wire counts. Every label comes from a closed set, never from what a client sent."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge


class WireMetrics:
    """The wire's metrics in ``registry``; one instance for a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections: Final = Gauge(
            "visavis_wire_connections", "WebSockets that are open, refused ones included.", registry=registry
        )
        self.calls: Final = Counter(
            "visavis_wire_calls",
            "Calls that were asked for, by what became of them: admitted, or the kind of refusal.",
            ["outcome"],
            registry=registry,
        )
        self.closed: Final = Counter(
            "visavis_wire_closed",
            "Calls that are over, by cause: left, lost, slow_reader, or the session's ending.",
            ["cause"],
            registry=registry,
        )
        self.received: Final = Counter(
            "visavis_wire_received_messages", "Messages understood, by type; or unknown.", ["type"], registry=registry
        )
        self.received_bytes: Final = Counter(
            "visavis_wire_received_bytes", "Characters and bytes of messages received.", registry=registry
        )
        self.sent: Final = Counter("visavis_wire_sent_messages", "Messages sent, by type.", ["type"], registry=registry)
        self.sent_bytes: Final = Counter("visavis_wire_sent_bytes", "Characters of messages sent.", registry=registry)
        self.bad: Final = Counter(
            "visavis_wire_bad_messages", "Messages, or parts of them, that were unusable.", ["kind"], registry=registry
        )
        self.dropped: Final = Counter(
            "visavis_wire_dropped_messages",
            "Messages that were thrown away: binary, oversized, flood, audio_flood, image_flood, backlog, slow_reader.",
            ["cause"],
            registry=registry,
        )
        self.failures: Final = Counter(
            "visavis_wire_failures", "Commands that a session failed on, and admissions that broke.", registry=registry
        )
