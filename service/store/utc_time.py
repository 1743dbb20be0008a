"""Times as the database has them: always aware, always UTC, and in the order of their text."""

from datetime import UTC, datetime

TEXT_LENGTH = len("2011-12-10T00:00:00.000000Z")
LENGTH_OF_ZONE = len("+00:00")


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The two moments asked for last: that of an answer, and the one at which it is given. All of a batch have the same.
_latest = _before = (EPOCH, "1970-01-01T00:00:00.000000Z")
# The second that was asked for last, and its text: one is followed by thousands of the same.
_second = (EPOCH, "1970-01-01T00:00:00")


def utc_text(time: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, always 27 characters, so that text order is time order."""
    global _latest, _before, _second
    known, text = _latest
    if known is time:
        return text
    known, text = _before
    if known is not time:
        in_utc = time if time.tzinfo is UTC else aware(time)
        second, so_far = _second
        since = in_utc - second
        if since.days or since.seconds:
            second = in_utc.replace(microsecond=0)
            so_far = second.isoformat()[:-LENGTH_OF_ZONE]
            _second = (second, so_far)
        text = f"{so_far}.{in_utc.microsecond:06d}Z"
    _latest, _before = (time, text), _latest
    return text


def aware(time: datetime) -> datetime:
    """The same moment in UTC; a time without a zone is refused, as it names no moment."""
    if time.utcoffset() is None:
        raise ValueError(f"The time {time.isoformat()} has no time zone; give it one, for example UTC.")
    return time.astimezone(UTC)


def moment(stored: datetime | str | None) -> datetime | None:
    """The moment that a database has as this. Raises ValueError where it is none."""
    if stored is None:
        return None
    return aware(datetime.fromisoformat(stored) if isinstance(stored, str) else stored)
