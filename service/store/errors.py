"""What can go wrong with the store, in the store's own words: nothing here knows HTTP."""


class StoreError(Exception):
    """Something the store could not do; the message says what and what to do next, and may be told to anybody.

    `kind` says in words of our own what is wrong, for those who may see how the service is. `reason` is what the driver
    said: it may name hosts, users and files, and is for the log and the command line only.
    """

    def __init__(self, message: str, *, kind: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.reason = reason

    @property
    def summary(self) -> str:
        """The message, and what kind of trouble it is."""
        return f"{self} {self.kind}." if self.kind else str(self)

    @property
    def report(self) -> str:
        """The message, and the reason."""
        return f"{self} The reason: {self.reason}." if self.reason else str(self)


class UnusableDatabaseUrl(StoreError):
    """The configured database URL names no database this service can work with."""


class StoreBusy(StoreError):
    """More rows are waiting than the queue may hold; nothing of this submission was stored."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnavailable(StoreError):
    """The database cannot be reached or does not answer; try again after `retry_after` seconds.

    `lost` tells that its connection was, so that the next question will hardly fare better.
    """

    def __init__(
        self, message: str, retry_after: float = 1.0, *, lost: bool = False, kind: str = "", reason: str = ""
    ) -> None:
        super().__init__(message, kind=kind, reason=reason)
        self.retry_after = retry_after
        self.lost = lost

    def again(self, retry_after: float) -> "StoreUnavailable":
        """The same, for somebody else who asks meanwhile."""
        return StoreUnavailable(str(self), retry_after, kind=self.kind, reason=self.reason)


class StoreDamaged(StoreUnavailable):
    """The file is no database, or a damaged one; that does not pass by itself."""


class StoreClosed(StoreUnavailable):
    """The store is shutting down and takes no more rows."""


class RowRefused(StoreError):
    """The database refuses a row of this submission for what it says; nothing of it was stored."""


class MigrationsMissing(StoreError):
    """The database lacks tables of this version."""


class NoKey(StoreError):
    """There is no key, where there must be one."""


class UnknownRevision(StoreError):
    """The database's schema, or the revision asked for, is none that this version knows."""


class SuppressionsWouldBeLost(StoreError):
    """What was asked for would lose the list of the suppressed, and it was not asked for by name."""


class BackupRefused(StoreError):
    """A backup could not be made or put back; the database is as it was."""
