"""Times as the database has them: always aware, always UTC, and in the order of their text."""

from datetime import UTC, datetime

TEXT_LENGTH = len("2011-12-10T00:00:00.000000Z")
LENGTH_OF_ZONE = len("+00:00")


# The two moments asked for last: that of an answer, and the one at which it is given. All of a batch have the same.
_latest = _before = (datetime.min, "")  # noqa: DTZ901  (no moment that is ever asked for)


def utc_text(time: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, always 27 characters, so that text order is time order."""
    global _latest, _before
    known, text = _latest
    if known is time:
        return text
    known, text = _before
    if known is not time:
        in_utc = time if time.tzinfo is UTC else aware(time)
        text = in_utc.isoformat(timespec="microseconds")[:-LENGTH_OF_ZONE] + "Z"
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
