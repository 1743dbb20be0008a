"""Customer ids as the world writes them: `17850`, `17850.0` and `" 17850 "` are one customer."""

import re

LONGEST = 256
_WHOLE_FLOAT = re.compile(r"([0-9]+)\.0+")
# By code point, so that every version of Python refuses the same: what it does not know yet may be a new letter.
_FORBIDDEN = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f\u2028\u2029"  # control characters and line breaks
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # surrogates and noncharacters
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of writing
    "\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # other invisible marks
    "]"
)


def customer_id(text: str) -> str:
    """The one form of an id. Raises ValueError with a sentence for an id nobody can have."""
    found = text.strip()
    whole = _WHOLE_FLOAT.fullmatch(found)
    if whole:
        found = whole.group(1)
    if not found:
        raise ValueError("a customer id must not be empty")
    if len(found) > LONGEST:
        raise ValueError(f"a customer id has at most {LONGEST} characters, this one has {len(found):,}")
    if has_forbidden_character(found):
        raise ValueError("a customer id must not contain control characters or line breaks")
    return found


def has_forbidden_character(text: str) -> bool:
    """Whether a text has a character that no id may have.

    Databases and logs disagree on control characters, and with an invisible mark two customers look like one. The
    joiners of Persian and Indic names (U+200C, U+200D) are part of the spelling.
    """
    return _FORBIDDEN.search(text) is not None
