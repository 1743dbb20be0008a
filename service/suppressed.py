"""The gate before every assignment: the suppression list as this process knows it."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from service.assigned import AdmittedCase, Case
from service.errors import CustomerSuppressed
from service.store.errors import StoreError, StoreUnavailable
from service.store.personal_data import GUARDED, PersonalData, SuppressionList

logger = logging.getLogger("segmentation.suppressed")
# For longer the database refuses who was suppressed; half of it is for what was checked and is still to be stored.
GOOD_SECONDS = GUARDED.total_seconds() / 2


class Suppressed:
    """Follows the list in the store. Until it was read once, and after it could not be read for long, nobody is
    assigned: without it nobody can be told from a suppressed customer."""

    def __init__(self, personal: PersonalData, clock: Callable[[], datetime]) -> None:
        self._personal = personal
        self._clock = clock
        self._known: SuppressionList | None = None
        self._digests: frozenset[str] = frozenset()
        self._trouble: str | None = None
        self._good_until = -math.inf  # on the monotonic clock

    def admit(self, case: Case) -> AdmittedCase:
        """The customer, to be assigned. Raises CustomerSuppressed, and StoreUnavailable where the list is not known."""
        self.check(case.customer_id)
        return AdmittedCase(case)

    def admit_many(self, cases: Sequence[Case | Exception]) -> list[AdmittedCase | Exception]:
        """The same for many: a suppressed customer's place has CustomerSuppressed. Raises StoreUnavailable."""
        refused = self.among([case.customer_id if isinstance(case, Case) else "" for case in cases])
        return [
            refused.get(place) or (AdmittedCase(case) if isinstance(case, Case) else case)
            for place, case in enumerate(cases)
        ]

    def check(self, customer_id: str) -> None:
        """Raises CustomerSuppressed, and StoreUnavailable where the list is not known."""
        if time.monotonic() > self._good_until:
            raise _unknown()
        if self._digests and self._known is not None and self._known.digest(customer_id) in self._digests:
            raise _refused()

    def among(self, customer_ids: Sequence[str]) -> dict[int, CustomerSuppressed]:
        """The places of those who are suppressed. Raises StoreUnavailable where the list is not known."""
        if time.monotonic() > self._good_until:
            raise _unknown()
        known = self._known
        if known is None or not known.suppressed:
            return {}
        digest, suppressed = known.digest, known.suppressed
        return {place: _refused() for place, one in enumerate(customer_ids) if digest(one) in suppressed}

    def refresh(self) -> None:
        """Reads the list where it changed. Blocking; raises StoreUnavailable."""
        asked = time.monotonic()
        changed = self._personal.list_after(self._known.version if self._known else None, self._clock())
        if changed is not None:
            self._known, self._digests = changed, changed.suppressed
        self._good_until = asked + GOOD_SECONDS

    def look(self) -> None:
        """The same; that it cannot be read is written to the log. Blocking."""
        try:
            self.refresh()
            self._trouble = None
        except StoreError as error:
            if self._trouble != error.report:  # once, and not each second
                logger.warning("the suppression list cannot be read: %s", error.report)
            self._trouble = error.report


def _refused() -> CustomerSuppressed:
    return CustomerSuppressed(
        "this customer is suppressed: nothing of them is worked out or stored; leave them out of what you send"
    )


def _unknown() -> StoreUnavailable:
    return StoreUnavailable("It is not known who is suppressed, because the database did not tell; try again.")
