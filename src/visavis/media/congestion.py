"""How fast the video may be sent, from what the receiver reports. No network in here: numbers in, decisions out."""

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class _Missing:
    """A packet that was reported lost."""

    since: float
    resent_at: float | None = None
    refused: bool = False


class CongestionGuard:
    """Turns REMB, loss and round-trip time into a bitrate, and bounds what is sent beside the encoder's plan.

    A small guard, not Google's congestion control: it keeps a narrow link from being flooded. Rates are bits per
    second, times are seconds of any one rising clock.

    - REMB (draft-alvestrand-rmcat-remb) may always raise the rate; it lowers it only while the link, not our own
      content, decided its value: a receiver cannot tell a quiet sender from a narrow link.
    - Loss lowers the rate only when REMB or the round-trip time moved too (a radio link loses at any rate), or when it
      is so high that nothing else explains it.
    - A lost packet is sent again at most once per round trip and within a budget; what that leaves out is made good
      by a keyframe, which is cheaper than a storm of retransmissions.
    - Pictures are thinned out, then held back, while more was sent than the rate allows: the sound gets through.
    """

    REMB_SHARE = 0.95
    REMB_RESERVE = 20_000
    """Of REMB, what the sound beside it needs."""
    REMB_OVER = 1.15
    """Sending at this multiple of REMB says that the link is behind it, once it falls or stays so."""
    CONGESTED_LOSS = 0.10
    HOPELESS_LOSS = 0.35
    CLEAN_LOSS = 0.02
    CALM = 4.0
    """Seconds without a sign of congestion before the rate recovers by itself, up to where it started."""
    RECOVERY = 1.10
    """Factor per second of that recovery."""
    RESEND_SHARE = 0.60
    """Of the rate, what retransmissions may take on a link that only loses."""
    RESEND_SHARE_CONGESTED = 0.20
    """The same on a link that is congested."""
    RESEND_BURST = 6_000
    """Bytes of retransmission that may come at once."""
    RESEND_PATIENCE = 0.25
    """Seconds that a packet may be refused before a keyframe takes its place; until then it may just be late."""
    HEALING = (0.6, 1.6)
    """Seconds after a report of loss on a congested link at which a receiver that does not repeat itself is helped."""
    DEBT_THINNED = 0.4
    """Seconds of the rate that may be sent ahead before only every third picture is admitted."""
    DEBT_STOPPED = 1.2
    """The same before none is."""
    DEBT_HEADROOM = 1.3
    """What may be sent beside the plan (retransmissions, the encoder's overshoot) while nothing is congested."""
    DEBT_HEADROOM_CONGESTED = 1.1
    """The same on a link that is congested."""

    def __init__(self, *, start: int, floor: int, ceiling: int) -> None:
        self._start, self._floor, self._ceiling = float(start), float(floor), float(ceiling)
        self._cap = min(max(float(start), floor), ceiling)
        self._remb: float | None = None
        self._was_over = False
        self._loss_cap = float(ceiling)
        self._bad_at: float | None = None
        self._recovered_at: float | None = None
        self._rtt = 0.1
        self._base_rtt: float | None = None
        self._budget = float(self.RESEND_BURST)
        self._budget_at: float | None = None
        self._missing: dict[int, _Missing] = {}
        self._repeats = False
        self._heal_at: list[float] = []
        self._debt = 0.0
        self._debt_at: float | None = None
        self._thinned = 0
        self._sent: deque[tuple[float, int]] = deque()
        self._sent_bytes = 0

    @property
    def target(self) -> int:
        """Bits per second for the encoder."""
        return int(min(max(min(self._cap, self._loss_cap), self._floor), self._ceiling))

    @property
    def rtt(self) -> float | None:
        """The smoothed round-trip time in seconds; None before the first report."""
        return None if self._base_rtt is None else self._rtt

    def on_sent(self, size: int, now: float) -> None:
        """``size`` bytes of video left."""
        self._drain(now)
        self._debt += size
        self._sent.append((now, size))
        self._sent_bytes += size

    def sending(self, now: float) -> float:
        """Bits per second sent over the last second."""
        while self._sent and self._sent[0][0] < now - 1.0:
            self._sent_bytes -= self._sent.popleft()[1]
        return self._sent_bytes * 8.0

    def admits_picture(self, now: float) -> bool:
        """Whether the rate has room for another picture."""
        self._drain(now)
        ahead = self._debt * 8 / self.target
        if ahead > self.DEBT_THINNED:
            self._thinned = (self._thinned + 1) % 3
            return self._thinned == 0 and ahead <= self.DEBT_STOPPED
        self._thinned = 0
        return True

    def on_remb(self, bitrate: int, now: float) -> None:
        """The receiver's estimate of what it can receive."""
        wanted = self.REMB_SHARE * bitrate - self.REMB_RESERVE
        over = self.sending(now) > self.REMB_OVER * bitrate
        falling = self._remb is not None and bitrate < 0.97 * self._remb
        if wanted > self._cap:
            self._cap = min(wanted, self._ceiling)
        elif over and (falling or self._was_over):
            if wanted < 0.9 * self._cap:
                self._bad_at = now
            self._cap = max(wanted, self._floor)
        self._was_over = over
        self._remb = float(bitrate)
        self._recover(now)

    def on_report(self, loss: float, rtt: float | None, now: float) -> None:
        """A receiver report: the share lost since the last one (0–1) and the round-trip time where it is known."""
        if rtt is not None:
            self._rtt = rtt if self._base_rtt is None else 0.7 * self._rtt + 0.3 * rtt
            # The base creeps up, so that a longer path is accepted in the end.
            self._base_rtt = rtt if self._base_rtt is None else min(rtt, self._base_rtt * 1.01)
        queueing = self._base_rtt is not None and self._rtt > 1.5 * self._base_rtt + 0.05
        if queueing:
            self._bad_at = now
        if (loss > self.CONGESTED_LOSS and self._congested(now)) or loss > self.HOPELESS_LOSS:
            self._loss_cap = max(self._floor, min(self._loss_cap, self.target) * (1 - 0.5 * loss))
            self._bad_at = now
        elif loss < self.CLEAN_LOSS:
            self._loss_cap = min(self._ceiling, self._loss_cap * 1.10)
        self._recover(now)

    def on_nacks(self, sequences: list[int], now: float) -> None:
        """A report that these packets are lost; each is then asked for by ``on_nack``.

        Browsers report a packet until they have it. Others (aiortc) report only when a further one is missing: what
        was sent again and lost again stays missing then, and they wait for it. Those get keyframes unasked.
        """
        if all(sequence in self._missing for sequence in sequences):
            self._repeats = True
        self._heal_at = [] if self._repeats else [now + wait for wait in self.HEALING]

    def on_nack(self, sequence: int, size: int, now: float) -> bool:
        """Whether packet ``sequence`` of ``size`` bytes, which was reported lost, is to be sent again now."""
        share = self.RESEND_SHARE_CONGESTED if self._congested(now) else self.RESEND_SHARE
        elapsed = now - (now if self._budget_at is None else self._budget_at)
        self._budget = min(self._budget + elapsed * share * self.target / 8, self.RESEND_BURST)
        self._budget_at = now
        if len(self._missing) >= 512:
            self._missing = {s: m for s, m in self._missing.items() if now - m.since < 4.0}
        missing = self._missing.setdefault(sequence, _Missing(now))
        if now - missing.since > 4.0:
            # The sequence number came round again.
            missing = self._missing[sequence] = _Missing(now)
        # Receivers repeat a report every round trip: the last copy may still be on its way.
        if missing.resent_at is not None and now - missing.resent_at < max(0.05, 1.2 * self._rtt):
            return False
        if self._budget < size:
            missing.refused = True
            return False
        self._budget -= size
        missing.resent_at = now
        missing.refused = False
        return True

    def needs_keyframe(self, now: float) -> bool:
        """Whether a packet was refused for so long that the receiver had better begin anew."""
        if self._heal_at and now >= self._heal_at[0]:
            self._heal_at.pop(0)
            if self._bad_at is not None and now - self._bad_at < 3.0:
                return True
        return any(m.refused and self.RESEND_PATIENCE < now - m.since < 2.0 for m in self._missing.values())

    def on_keyframe(self, now: float) -> list[int]:
        """A keyframe is about to be sent; the packets reported lost before it, in the order they were sent."""
        missing = _in_order([sequence for sequence, m in self._missing.items() if now - m.since < 4.0])
        if self._repeats:
            self._missing.clear()
        for m in self._missing.values():
            m.refused = False
        return missing

    def _congested(self, now: float) -> bool:
        return self._bad_at is not None and now - self._bad_at < 2.0

    def _recover(self, now: float) -> None:
        elapsed = min(1.0, now - (now if self._recovered_at is None else self._recovered_at))
        self._recovered_at = now
        if self._bad_at is None or now - self._bad_at > self.CALM:
            factor = self.RECOVERY**elapsed
            if self._cap < self._start:
                self._cap = min(self._start, self._cap * factor)
            if self._loss_cap < self._start:
                self._loss_cap = min(self._start, self._loss_cap * factor)

    def _drain(self, now: float) -> None:
        elapsed = now - (now if self._debt_at is None else self._debt_at)
        headroom = self.DEBT_HEADROOM_CONGESTED if self._congested(now) else self.DEBT_HEADROOM
        self._debt = max(0.0, self._debt - elapsed * headroom * self.target / 8)
        self._debt_at = now


def _in_order(sequences: list[int]) -> list[int]:
    """Sequence numbers (16 bits, they begin anew after 65535) of one stretch of packets, first sent first."""
    if not sequences:
        return []
    return sorted(sequences, key=lambda sequence: (sequence - sequences[0] + 0x8000) & 0xFFFF)
