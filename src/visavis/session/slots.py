"""Slots: room for sessions, taken and given back one at a time and never inferred from load."""

from collections import Counter

from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import License


class Slots:
    """``capacity`` slots for all, and each license's own limit. To be used on the event loop: taking is atomic."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._by_license: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are in use."""
        return self._by_license.total()

    def take(self, license: License) -> "Slot":
        """Take a slot. Raises ``Refusal`` when the license's limit or the server's capacity is reached."""
        if license.max_sessions is not None and self._by_license[license.key] >= license.max_sessions:
            raise Refusal(
                RefusalKind.LICENSE_LIMIT, f"This license allows {license.max_sessions} conversations at a time."
            )
        if self.taken >= self.capacity:
            raise Refusal(RefusalKind.NO_SLOT, "All avatars are busy at the moment. Please try again later.")
        self._by_license[license.key] += 1
        return Slot(self, license)

    def give_back(self, license: License) -> None:
        """Used by ``Slot.release``."""
        self._by_license[license.key] -= 1
        if not self._by_license[license.key]:
            del self._by_license[license.key]


class Slot:
    """A taken slot; ``release`` gives it back, once."""

    def __init__(self, slots: Slots, license: License) -> None:
        self._slots: Slots | None = slots
        self._license = license

    def release(self) -> None:
        """Idempotent."""
        slots, self._slots = self._slots, None
        if slots:
            slots.give_back(self._license)
