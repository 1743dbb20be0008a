"""Which encoding a text is in that is not UTF-8."""

import codecs
import re
from collections.abc import Collection, Iterator
from itertools import islice, pairwise

NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "latin-1": "ISO-8859-1",
    "cp1252": "Windows-1252",
    "mac_roman": "Mac Roman",
    "cp1250": "Windows-1250",
    "cp850": "code page 850",
    "cp1251": "Windows-1251",
    "cp1253": "Windows-1253",
    "cp1255": "Windows-1255",
    "cp1256": "Windows-1256",
    "koi8-r": "KOI8-R",
    "mac-cyrillic": "Mac Cyrillic",
    "cp866": "code page 866",
    "cp932": "Shift JIS",
    "euc_jis_2004": "EUC-JP",
    "gb18030": "GB 18030",
    "big5hkscs": "Big5",
    "cp949": "EUC-KR",
    "cp874": "Windows-874",
}
# Of scripts whose letters are outside ASCII: these the library tells apart by a word or two.
OTHER_SCRIPTS = (
    *("cp1251", "cp1253", "cp1255", "cp1256", "koi8-r", "mac-cyrillic", "cp866"),
    *("cp932", "euc_jis_2004", "gb18030", "big5hkscs", "cp949", "cp874"),
)
# Of Latin scripts, which the library does not tell apart by a few words. Where two fit alike, the first is taken.
LATIN = ("cp1252", "mac_roman", "cp1250", "cp850")
MOSTLY_OUTSIDE = 0.55  # share of bytes outside ASCII among all letters, from which a text is in no Latin script
RUN = 1.5  # and so many of them stand together

# In no encoding is a byte below 0x30, or a semicolon, the second of a character.
_BEFORE = re.compile(rb"[^\x00-\x2f;]*\Z")
_FROM = re.compile(rb"[^\x00-\x2f;]*")
_OUTSIDE = re.compile(rb"[\x80-\xff]+")
_LETTER = re.compile(rb"[A-Za-z]")
# Signs outside ASCII that stand directly before a word, and behind one.
_OPENING, _CLOSING = "’‘“„«»¿¡£€¥–—·°½¼¾§©", "’‘“”«»…–—·®™©°¹²³ªº€£¥¢½¼¾"
# What hardly a word has: another such sign beside a letter, or what the encoding does not have.
_ODD_SIGN = re.compile(rf"[^\x00-\x7f\w{_OPENING}](?=[^\W\d_])|(?<=[^\W\d_])[^\x00-\x7f\w{_CLOSING}]|\ufffd")
NULS_OF_UTF_16 = 0.2  # share of NULs in one half of the bytes
WORDS_OF_CHUNK = 500
LONGEST_WORD = 80


def words(chunk: bytes) -> list[bytes]:
    """Some of the words with bytes outside ASCII in `chunk`, each once."""
    found = {}
    for begin in islice(_outside(chunk), WORDS_OF_CHUNK):
        before = _BEFORE.search(chunk[max(begin - LONGEST_WORD, 0) : begin])
        rest = _FROM.match(chunk, begin, begin + LONGEST_WORD)
        found[(before[0] if before else b"") + (rest[0] if rest else b"")] = True
    return list(found)


def _outside(chunk: bytes) -> Iterator[int]:
    """Where words go on with bytes outside ASCII. The decoder finds them many times as fast as a pattern does."""
    view, begin = memoryview(chunk), 0
    while begin < len(chunk):
        try:
            codecs.ascii_decode(view[begin:])
        except UnicodeDecodeError as error:
            begin += error.start
            yield begin
            word = _FROM.match(chunk, begin, begin + LONGEST_WORD)
            begin = word.end() if word else begin + 1
        else:
            return


def detect(found: Collection[bytes]) -> str:
    """The encoding, a key of `NAMES`, of words that are not UTF-8; of `latin-1` and `cp1252` always the second."""
    telling = [word for word in found if _tells(word)]
    oddities = {encoding: sum(_oddities(word.decode(encoding, "replace")) for word in telling) for encoding in LATIN}
    latin = min(LATIN, key=oddities.__getitem__)
    runs = [len(run) for word in telling for run in _OUTSIDE.findall(word)]
    letters = sum(len(_LETTER.findall(word)) for word in telling)
    together = sum(runs) >= RUN * len(runs) or oddities[latin] > len(telling) / 2
    if together and sum(runs) > MOSTLY_OUTSIDE * (sum(runs) + letters):
        import chardet  # a tenth of a second that hardly a file needs

        guess = chardet.detect(b"\n".join(telling), include_encodings=OTHER_SCRIPTS, compat_names=False)["encoding"]
        if guess in OTHER_SCRIPTS:
            return guess
    return latin


def _tells(word: bytes) -> bool:
    """A sign or two by themselves, such as that of a currency, tell nothing."""
    longest = max(_OUTSIDE.findall(word), key=len)
    return bool(_LETTER.search(word)) or len(longest) > 2 or longest.decode("cp1252", "replace").isalpha()


def _oddities(word: str) -> int:
    capitals = sum(before.islower() and letter.isupper() for before, letter in pairwise(word))
    return capitals + len(_ODD_SIGN.findall(word))


def utf_16(head: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` if a text's first bytes are so, with or without a byte order mark."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16-le" if head.startswith(b"\xff") else "utf-16-be"
    even, odd = (_nuls(head[first::2]) for first in (0, 1))
    # Digits, delimiters and line ends have a NUL for their other half, whatever the script.
    if max(even, odd) > NULS_OF_UTF_16 and min(even, odd) < NULS_OF_UTF_16 / 10:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _nuls(half: bytes) -> float:
    return half.count(0) / max(len(half), 1)
