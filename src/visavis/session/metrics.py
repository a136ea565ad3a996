"""Figures of the sessions, for Prometheus and the log. No label has a value that a client chooses."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from visavis.media.peer import PeerStats
from visavis.session.events import Ending, RefusalKind

_SECONDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


class SessionMetrics:
    """All figures of a server's sessions; a ``ConversationObserver`` too."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.slots = Gauge("visavis_slots", "Slots for sessions.", registry=registry)
        self.active = Gauge("visavis_sessions_active", "Sessions that hold a slot.", registry=registry)
        self.waiting = Gauge("visavis_sessions_waiting", "Visitors in the queue for a slot.", registry=registry)
        self._refused = Counter("visavis_calls_refused", "Calls that were not admitted.", ["kind"], registry=registry)
        self._ended = Counter("visavis_sessions_ended", "Sessions that ended.", ["ending"], registry=registry)
        self._failures = Counter("visavis_failures", "Failures of a part.", ["part"], registry=registry)
        self._interruptions = Counter("visavis_interruptions", "Answers the user spoke over.", registry=registry)
        self._answer = Histogram(
            "visavis_answer_seconds",
            "From the end of the user's speech to the first sound of the answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._thought = Histogram(
            "visavis_thought_seconds",
            "From the user's words to the first words of the language model.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._connect = Histogram(
            "visavis_connect_seconds", "From the slot to connected media.", buckets=_SECONDS, registry=registry
        )
        self._media = _MediaCollector()
        registry.register(self._media)
        for kind in RefusalKind:
            self._refused.labels(kind.value)
        for ending in Ending:
            self._ended.labels(ending.value)

    def refused(self, kind: RefusalKind) -> None:
        """A call was not admitted."""
        self._refused.labels(kind.value).inc()

    def connected(self, seconds: float) -> None:
        """A session's media came up so long after its admission."""
        self._connect.observe(seconds)

    def ended(self, ending: Ending) -> None:
        """A session ended."""
        self._ended.labels(ending.value).inc()

    def follow(self, stats: Callable[[], PeerStats]) -> Callable[[], None]:
        """Count a running session's media; call what is returned when it ends."""
        return self._media.follow(stats)

    def failure(self, part: str) -> None:
        """See ``ConversationObserver``."""
        self._failures.labels(part).inc()

    def answered(self, seconds: float) -> None:
        """See ``ConversationObserver``."""
        self._answer.observe(seconds)

    def thought(self, seconds: float) -> None:
        """See ``ConversationObserver``."""
        self._thought.observe(seconds)

    def interrupted(self) -> None:
        """See ``ConversationObserver``."""
        self._interruptions.inc()


class _MediaCollector(Collector):
    """Sums over running sessions when it is read, so that nothing has to tick."""

    _FIELDS = (
        ("frames_sent", "visavis_video_frames_sent", "Pictures sent."),
        ("frames_skipped", "visavis_video_frames_skipped", "Pictures dropped: too late, or no room for them."),
        ("keyframes", "visavis_video_keyframes", "Keyframes sent."),
        ("underruns", "visavis_audio_underruns", "Gaps in speech because its sound came too late."),
    )

    def __init__(self) -> None:
        self._running: dict[object, Callable[[], PeerStats]] = {}
        self._past = dict.fromkeys((field for field, _, _ in self._FIELDS), 0)

    def follow(self, stats: Callable[[], PeerStats]) -> Callable[[], None]:
        key = object()
        self._running[key] = stats

        def end() -> None:
            if self._running.pop(key, None):
                self._past = dict(self._sums((stats(),)))

        return end

    def collect(self) -> Iterable[Metric]:
        sums = dict(self._sums([stats() for stats in self._running.values()]))
        for field, name, text in self._FIELDS:
            yield CounterMetricFamily(name, text, value=sums[field])

    def _sums(self, running: Iterable[PeerStats]) -> Iterator[tuple[str, int]]:
        readings = list(running)
        for field, past in self._past.items():
            yield field, past + sum(int(getattr(stats, field)) for stats in readings)
