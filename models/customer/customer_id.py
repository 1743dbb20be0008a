"""Customer ids as the world writes them: `17850`, `17850.0` and `" 17850 "` are one customer."""

import re

LONGEST = 256
_WHOLE_FLOAT = re.compile(r"([0-9]+)\.0+")


def customer_id(text: str) -> str:
    """The one form of an id. Raises ValueError with a sentence for an id nobody can have.

    Control characters are refused: databases and logs disagree on them, and no shop uses them.
    """
    found = text.strip()
    whole = _WHOLE_FLOAT.fullmatch(found)
    if whole:
        found = whole.group(1)
    if not found:
        raise ValueError("a customer id must not be empty")
    if len(found) > LONGEST:
        raise ValueError(f"a customer id has at most {LONGEST} characters, this one has {len(found):,}")
    if not found.isprintable():
        raise ValueError("a customer id must not contain control characters or line breaks")
    return found
