"""Customer ids as the world writes them: `17850`, `17850.0` and `" 17850 "` are one customer."""

import re

LONGEST = 256
# What `str.isspace` says is white space, and two characters of no width that web pages and exports leave behind.
SPACES = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u200b\ufeff"
)
# How exports write "nothing". Not `NA`: that is Namibia.
MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "Null", "None", "NaT", "<NA>", "#N/A")
MISSING_IDS = frozenset(MISSING)
EXACT_FLOAT = 2**53  # from here on a float stands for several whole numbers
ROUNDED_ID = r"^[0-9]+([.,][0-9]+)?[eE]\+[0-9]+$"  # as a spreadsheet shows a long number, some of its digits lost
EMAIL = rf"^[^@{SPACES}]+@[^@{SPACES}]+$"
_EMAIL = re.compile(EMAIL)
_ROUNDED = re.compile(ROUNDED_ID)
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


def trimmed(text: str) -> str:
    """The text without the white space around it, of any kind that Unicode has."""
    return text.strip() if text.isascii() else text.strip(SPACES)


def customer_id(text: str) -> str:
    """The one form of an id; e-mail addresses are in lower case. Raises ValueError with a sentence for an id that no
    customer can have.
    """
    found = trimmed(text)
    whole = _WHOLE_FLOAT.fullmatch(found)
    if (whole and int(whole.group(1)) >= EXACT_FLOAT) or _ROUNDED.fullmatch(found):
        raise ValueError(
            "a customer id must not be a rounded number: digits were lost, so that different customers look alike. "
            "Export ids as text"
        )
    if whole:
        found = whole.group(1)
    if found in MISSING_IDS:
        raise ValueError("a customer id must not be empty, nor a word for a missing value such as nan, None or NULL")
    if len(found) > LONGEST:
        raise ValueError(f"a customer id has at most {LONGEST} characters, this one has {len(found):,}")
    if has_forbidden_character(found):
        raise ValueError("a customer id must not contain control characters or line breaks")
    return in_lower_case(found) if is_email(found) else found


def is_email(text: str) -> bool:
    """Whether the text is one `x@y` without spaces."""
    return "@" in text and _EMAIL.fullmatch(text) is not None


def in_lower_case(text: str) -> str:
    """Each character by itself in lower case, as SQL's `lower` does; `str.lower` looks at a character's neighbours."""
    return text.lower() if text.isascii() else "".join(char.lower()[0] for char in text)


def has_forbidden_character(text: str) -> bool:
    """Whether a text has a character that no id may have.

    Databases and logs disagree on control characters, and with an invisible mark two customers look like one. The
    joiners of Persian and Indic names (U+200C, U+200D) are part of the spelling.
    """
    return _FORBIDDEN.search(text) is not None
