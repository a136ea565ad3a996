import pytest

from visavis.media.congestion import CongestionGuard

SIZE = 1200


def guard() -> CongestionGuard:
    return CongestionGuard(start=250_000, floor=100_000, ceiling=900_000)


def sending(this: CongestionGuard, rate: float, start: float, seconds: float) -> float:
    """Send at ``rate`` for a while; the time after it."""
    for tick in range(round(seconds * 25)):
        this.on_sent(round(rate / 8 / 25), start + tick / 25)
    return start + seconds


def test_starts_where_it_was_told() -> None:
    assert guard().target == 250_000


def test_remb_raises_the_rate_up_to_the_ceiling() -> None:
    this = guard()
    this.on_remb(600_000, 1.0)
    assert 500_000 < this.target < 600_000
    this.on_remb(5_000_000, 2.0)
    assert this.target == 900_000


def test_a_falling_remb_below_what_is_sent_lowers_the_rate_at_once() -> None:
    this = guard()
    this.on_remb(900_000, 0.0)
    now = sending(this, 800_000, 0.0, 2.0)
    this.on_remb(300_000, now)
    assert this.target < 300_000


def test_a_quiet_sender_keeps_its_rate_though_remb_is_low() -> None:
    """A receiver estimates no more than about what it receives: an idle avatar must not talk itself down."""
    this = guard()
    now = 0.0
    for _ in range(20):
        now = sending(this, 60_000, now, 1.0)
        this.on_remb(90_000, now)
    assert this.target == 250_000


def test_the_first_remb_alone_does_not_lower_the_rate_and_a_second_does() -> None:
    this = guard()
    now = sending(this, 250_000, 0.0, 1.0)
    this.on_remb(150_000, now)
    assert this.target == 250_000
    now = sending(this, 250_000, now, 1.0)
    this.on_remb(150_000, now)
    assert this.target < 150_000


def test_loss_alone_does_not_lower_the_rate() -> None:
    this = guard()
    for second in range(10):
        this.on_report(0.12, 0.05, float(second))
    assert this.target == 250_000


def test_loss_with_a_growing_round_trip_does() -> None:
    this = guard()
    for second in range(3):
        this.on_report(0.0, 0.05, float(second))
    for second in range(3, 6):
        this.on_report(0.20, 0.40, float(second))
    assert this.target < 200_000


def test_heavy_loss_does_in_any_case() -> None:
    this = guard()
    this.on_report(0.5, 0.05, 0.0)
    assert this.target < 200_000


def test_the_rate_never_falls_below_the_floor() -> None:
    this = guard()
    now = 0.0
    for _ in range(20):
        now = sending(this, 250_000, now, 0.5)
        this.on_remb(10_000, now)
        this.on_report(0.9, 1.0, now)
    assert this.target == 100_000


def test_it_recovers_to_the_start_when_it_stays_calm() -> None:
    this = guard()
    now = sending(this, 250_000, 0.0, 1.0)
    this.on_remb(400_000, 0.5)
    this.on_remb(60_000, now)
    assert this.target == 100_000
    for _ in range(30):
        now = sending(this, 90_000, now, 1.0)
        this.on_remb(100_000, now)
        this.on_report(0.0, 0.05, now)
    assert this.target == 250_000


def test_a_packet_is_sent_again_at_most_once_per_round_trip() -> None:
    this = guard()
    this.on_report(0.0, 0.1, 0.0)
    assert this.on_nack(7, SIZE, 1.00)
    assert not this.on_nack(7, SIZE, 1.05)
    assert not this.on_nack(7, SIZE, 1.11)
    assert this.on_nack(7, SIZE, 1.13)


def test_a_storm_of_reports_is_bounded_and_ends_in_a_keyframe() -> None:
    this = guard()
    this.on_report(0.0, 0.05, 0.0)
    resent = 0
    for tick in range(20):
        resent += sum(this.on_nack(sequence, SIZE, 1 + tick / 20) for sequence in range(60))
        if tick < 5:
            assert not this.needs_keyframe(1 + tick / 20), "a packet that was just reported may only be late"
    assert 0 < resent * SIZE <= CongestionGuard.RESEND_BURST + 0.6 * 250_000 / 8
    assert this.needs_keyframe(2.0)
    assert set(this.on_keyframe(2.0)) == set(range(60))
    assert not this.needs_keyframe(2.0), "one is enough"


def congested(now: float) -> CongestionGuard:
    this = guard()
    this.on_report(0.0, 0.05, now - 1.0)
    for _ in range(4):
        this.on_report(0.0, 0.8, now)
    return this


def test_a_receiver_that_does_not_repeat_itself_is_helped_after_congestion() -> None:
    this = congested(10.0)
    this.on_nacks([1, 2], 10.0)
    assert this.on_nack(1, 500, 10.0)
    assert this.on_nack(2, 500, 10.0)
    keyframes = [at for at in (10.3, 10.65, 11.0, 11.65, 12.0, 13.0) if this.needs_keyframe(at)]
    assert keyframes == [10.65, 11.65]
    assert this.on_keyframe(11.65) == [1, 2], "what was sent again may have been lost again"


def test_a_receiver_that_repeats_itself_is_not() -> None:
    this = congested(10.0)
    this.on_nacks([1, 2], 9.9)
    for sequence in (1, 2):
        assert this.on_nack(sequence, 500, 9.9)
    this.on_nacks([1, 2], 10.0)
    this.on_nacks([3, 4], 10.1)
    assert not any(this.needs_keyframe(10.1 + step / 10) for step in range(30))


def test_neither_is_one_on_a_link_that_only_loses() -> None:
    this = guard()
    this.on_nacks([1, 2], 10.0)
    assert not any(this.needs_keyframe(10.0 + step / 10) for step in range(30))


def test_packets_that_are_sent_again_need_no_keyframe() -> None:
    this = guard()
    assert this.on_nack(7, SIZE, 1.0)
    assert not this.needs_keyframe(1.5)


def test_a_sequence_number_that_comes_round_again_is_another_packet() -> None:
    this = guard()
    assert this.on_nack(7, SIZE, 0.0)
    assert this.on_nack(7, SIZE, 1300.0)


def test_pictures_are_thinned_and_then_stopped_while_the_rate_is_exceeded() -> None:
    this = guard()
    assert this.admits_picture(0.0)
    this.on_sent(round(0.8 * 250_000 / 8), 0.0)
    assert sum(this.admits_picture(0.0) for _ in range(9)) == 3
    this.on_sent(round(1.0 * 250_000 / 8), 0.0)
    assert not any(this.admits_picture(0.0) for _ in range(9))
    assert all(this.admits_picture(3.0) for _ in range(9)), "the debt is paid off with time"


def test_sending_measures_the_last_second() -> None:
    this = guard()
    now = sending(this, 400_000, 0.0, 3.0)
    assert this.sending(now) == pytest.approx(400_000, rel=0.05)
    assert this.sending(now + 2) == 0


def test_packets_before_a_keyframe_come_in_the_order_they_were_sent() -> None:
    this = guard()
    for sequence in (1, 65_534, 0, 65_535):
        this.on_nack(sequence, SIZE, 1.0)
    assert this.on_keyframe(1.1) == [65_534, 65_535, 0, 1]
