"""Easing: a share of a way as it is gone, slowly at both ends."""


def eased(share: float) -> float:
    """0 up to 0, 1 from 1 on, and a smooth rise between: 3 s² − 2 s³."""
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)
