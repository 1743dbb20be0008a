"""Numbers written as text: their decimal and grouping signs, how the sign of a negative stands, currency signs.

`1.200` is 1200 or 1.2, and only other values can tell. So the format is decided from the whole column: a value
that can be read in one way only decides for all, and where none does, the user is asked.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Self

import ibis
import ibis.expr.datatypes as dt

from training.errors import UnreadableSource

_DATA = json.loads(files("training.reading").joinpath("currencies.json").read_text(encoding="utf-8"))
# From each sign or code to the ISO 4217 code. A sign that several currencies share stays as it is written.
CURRENCIES: Mapping[str, str] = (
    _DATA["signs"] | {sign: sign for sign in _DATA["ambiguous"]} | {code: code for code in _DATA["codes"]}
)

# Signs in other scripts, and those that programs set for looks, as those of a plain number; the last are left out.
SPACES = "\t\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
APOSTROPHES = "\u2019\u2018\u02bc\u00b4`"
POINTS, COMMAS = "\uff0e", "\u066b\uff0c"  # Arabic sets a decimal sign of its own, which is a comma in shape
ZEROS = "٠۰०০੦૦୦௦౦೦൦๐０"
UNSEEN = "\u200b\u200e\u200f\u202a\u202c\ufeff\u066c"
WRITTEN = SPACES + DASHES + APOSTROPHES + POINTS + COMMAS
MEANT = " " * len(SPACES) + "-" * len(DASHES) + "'" * len(APOSTROPHES) + "." * len(POINTS) + "," * len(COMMAS)
DIGITS = "".join(chr(ord(zero) + digit) for zero in ZEROS for digit in range(10))

_SIGNS = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True))
_CURRENCY, _SIGN, _SPACE = rf"(?i:(?:{_SIGNS})\.?)?", "[-+]?", " *"
_EXPONENT = r"(?:[eE][-+]?\d{1,3})?"
# `15,-` and `15:-` are whole amounts.
_TAIL = r"(?:[.,](?:--?)?|:-)?"
_ANY = rf"(?:\d+(?:[ .,']\d+)*|[.,]\d+){_EXPONENT}"

# What a value says of the decimal sign: @ stands for it, and % for the other of dot and comma.
_SHORT = r"^\d*@(?:\d{0,2}|\d{4,})$"
_PROOF = (
    rf"{_SHORT}|^0\d*@\d+$|^\d{{4,}}@\d+$|@\d+[eE]"
    r"|^[1-9]\d{0,2}(?:[%' ]\d{3})+@\d*$|^[1-9]\d{0,2}(?:%\d{3}){2,}$"
)
_INDIAN = r"|^[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d*)?$"
_OPEN = r"^[1-9]\d{0,2}@\d{3}$"
POINT, COMMA = ".", ","
OTHER = {POINT: COMMA, COMMA: POINT}
# So many times as many open values as deciding ones make these look like slips.
SLIP = 50

# By the signs of a cell. Brackets are a minus in accounting.
FACTORS = {"": 1.0, "+": 1.0, "-": -1.0, "()": -1.0}
NAMES = {COMMA: "commas", POINT: "dots", " ": "spaces", "'": "apostrophes"}
EXAMPLES = {POINT: "1,234.56", COMMA: "1.234,56"}


@ibis.udf.scalar.builtin(signature=((dt.float64,), dt.boolean))  # type: ignore[untyped-decorator]
def isfinite(value: Any) -> Any: ...


@ibis.udf.scalar.builtin(signature=((dt.string, dt.string, dt.string), dt.string))  # type: ignore[untyped-decorator]
def translate(text: Any, written: Any, meant: Any) -> Any: ...


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers in one column are read; `says` is empty where nothing is unusual about them.

    `decimal` is empty where the column showed whole numbers only: a value with a dot or a comma is then no number,
    because nothing tells yet what they mean.
    """

    decimal: str = POINT
    grouping: str = COMMA
    says: str = field(default="", compare=False)

    @classmethod
    def parse(cls, example: str) -> Self:
        """The format of a number such as `1.234,56`. Raises UnreadableSource where it leaves the format open."""
        number = _plain_signs(example.strip())
        shape = re.fullmatch(r"[1-9]\d{0,2}(?:([.,' ])\d{3})*?(?:([.,])(\d+))?|\d+(?:([.,])(\d+))?", number)
        signs = re.sub(r"\d", "", number)
        if shape and not signs:
            return cls("", "")
        if shape and len(signs) > 1 and signs[-1] in OTHER and signs[-1] != signs[0] and len(set(signs[:-1])) == 1:
            return cls(signs[-1], signs[0])
        if shape and len(set(signs)) == 1 and (len(signs) > 1 or signs in " '"):
            return cls(OTHER.get(signs[0], ""), signs[0])
        if shape and signs in OTHER and re.search(_proof(signs), number):
            return cls(signs, "")
        raise UnreadableSource(
            f"--numbers: '{example}' does not show how numbers are written. Give a number with its thousands "
            f"grouped and with decimals, such as 1.234,56 or 1,234.56 or 1 234,56."
        )

    @property
    def example(self) -> str:
        """A number in this format, from which `parse` makes the same format."""
        return f"1{self.grouping}234{self.decimal}{'56' if self.decimal else ''}"

    def value(self, column: Any, written: Any) -> Any:
        """The column as float64: null where it is missing, not finite, or not a number.

        `written` is the same column as text, which is what is read unless the column is of numbers.
        """
        if column.type().is_numeric():
            return _finite(column.cast("float64"))
        # Only what fails is looked at again: patterns are slow, and values with a sign are few.
        return _finite(ibis.coalesce(self._plain_value(written), self._signed_value(written)))

    def _plain_value(self, written: Any) -> Any:
        if self.decimal == POINT:
            return written.try_cast("float64")
        without = ibis.ifelse(written.contains("."), ibis.null("string"), written)
        return (without.replace(",", ".") if self.decimal else without).try_cast("float64")

    def _signed_value(self, written: Any) -> Any:
        plain = _plain(written)
        number = plain.re_extract(_cell(self._number, "number"), 1)
        for sign, meant in ((self.grouping, ""), (self.decimal, ".")):
            number = number.replace(sign, meant) if sign else number
        signs = plain.re_replace(_cell(self._number, "sign"), r"\1\2\3\4\5\6")
        return number.try_cast("float64") * ibis.map(FACTORS).get(signs)

    @property
    def _number(self) -> str:
        whole = r"\d+"
        if self.grouping:
            group = re.escape(self.grouping)
            whole = rf"[1-9]\d{{0,2}}(?:{group}\d{{3}})+|{whole}"
            whole = rf"[1-9]\d?(?:,\d\d)+,\d{{3}}|{whole}" if self.grouping == COMMA else whole
        if not self.decimal:
            return f"(?:{whole})"
        decimal = re.escape(self.decimal)
        return rf"(?:(?:{whole})(?:{decimal}\d+)?|{decimal}\d+){_EXPONENT}"


WHOLE = NumberFormat("", "")


def decide(where: str, name: str, column: Any, *, semicolons: bool, stated: str | None = None) -> NumberFormat:
    """How to read a text column, by all of its values.

    `stated` is an example in the format that the user names; one that shows no decimal sign decides nothing.
    Raises UnreadableSource where the values leave the format open, or contradict each other.
    """
    if stated and (format_ := NumberFormat.parse(stated)).decimal:
        return NumberFormat(
            format_.decimal, format_.grouping, f"{where}: '{name}' is read like {format_.example}, as --numbers says."
        )
    if not column.type().is_string():
        return NumberFormat()
    evidence = _evidence(column)
    decimal = _decimal(f"{where}: in column '{name}'", name, evidence, semicolons)
    if decimal is None:
        grouping = max(" '", key=evidence.grouped) if any(map(evidence.grouped, " '")) else ""
        return NumberFormat("", grouping, _says(where, name, "", grouping))
    other = OTHER[decimal]
    grouping = max((other, " ", "'"), key=evidence.grouped)
    shown = grouping if evidence.grouped(grouping) else ""
    return NumberFormat(decimal, grouping, _says(where, name, decimal if evidence.commas else POINT, shown))


def is_number(written: Any) -> Any:
    """Whether a text is a number in any format, signs of currency included."""
    return written.try_cast("float64").notnull() | _plain(written).re_search(_cell(_ANY, ""))


def currency(written: Any) -> Any:
    """The currency in a cell such as `15.00 EUR` or `€`, by `CURRENCIES`; null where there is none."""
    signs = _plain(written).re_replace(_cell(_ANY, "currency"), r"\1\2\3\4").replace(".", "").strip().upper()
    codes = {sign.upper(): code for sign, code in CURRENCIES.items()}
    # In `$15.00 USD` the code says which dollar.
    known = ibis.coalesce(_by(signs, codes), _by(signs.right(3), {code: code for code in _DATA["codes"]}))
    return ibis.ifelse(written.try_cast("float64").notnull(), ibis.null("string"), known)


def currencies(column: Any) -> dict[str, int]:
    """How many cells of a text column have each currency, the commonest first."""
    if not column.type().is_string():
        return {}
    values = column.name("written").as_table().group_by("written").aggregate(cells=ibis._.count())
    counted = values.group_by(currency=currency(values.written)).aggregate(cells=ibis._.cells.sum())
    rows = counted.filter(counted.currency.notnull()).order_by(ibis.desc("cells"), "currency").to_pyarrow().to_pylist()
    return {row["currency"]: row["cells"] for row in rows}


@dataclass(frozen=True)
class _Evidence:
    """How many different values tell of each decimal sign, and an example of them.

    `point` and `comma` decide; `short_*` of these have no three digits after the sign, and no more to say;
    `open_*` have three.
    """

    point: int
    comma: int
    short_point: int
    short_comma: int
    open_point: int
    open_comma: int
    point_example: str | None
    comma_example: str | None
    open_example: str | None
    whole: int
    dots: int
    commas: int
    spaces: int
    apostrophes: int

    def grouped(self, sign: str) -> int:
        return {POINT: self.dots, COMMA: self.commas, " ": self.spaces, "'": self.apostrophes}[sign]


def _evidence(column: Any) -> _Evidence:
    values = column.name("written").as_table().distinct()
    cores = values.mutate(core=_plain(values.written).re_extract(_cell(_ANY, "number", tail=True), 1))
    core, written = cores.core, cores.written
    point, comma = core.re_search(_proof(POINT)), core.re_search(_proof(COMMA))
    open_point, open_comma = (core.re_search(_for(_OPEN, sign)) for sign in (POINT, COMMA))
    both = core.contains(POINT) & core.contains(COMMA)
    found = cores.aggregate(
        **{
            name: is_so.sum().coalesce(0)
            for name, is_so in {
                "point": point,
                "comma": comma,
                "short_point": core.re_search(_for(_SHORT, POINT)),
                "short_comma": core.re_search(_for(_SHORT, COMMA)),
                "open_point": open_point,
                "open_comma": open_comma,
                "whole": core.re_search(r"^\d{1,3}$"),
                "dots": core.contains(POINT),
                "commas": core.contains(COMMA),
                "spaces": core.re_search(r"^[1-9]\d{0,2}(?: \d{3})+"),
                "apostrophes": core.re_search(r"^[1-9]\d{0,2}(?:'\d{3})+"),
            }.items()
        },
        # An example with both signs says most.
        point_example=ibis.coalesce(written.min(where=point & both), written.min(where=point)),
        comma_example=ibis.coalesce(written.min(where=comma & both), written.min(where=comma)),
        open_example=written.min(where=open_point | open_comma),
    )
    return _Evidence(**found.to_pyarrow().to_pylist()[0])


def _decimal(where: str, name: str, evidence: _Evidence, semicolons: bool) -> str | None:
    """The decimal sign; None where there are whole numbers only. Raises UnreadableSource."""
    opened = evidence.open_point + evidence.open_comma
    if evidence.point and evidence.comma:
        fewer, more = sorted((evidence.point, evidence.comma))
        # A few that are written otherwise are unreadable, and counted; but then no open value may be among them.
        if opened or 2 * fewer > more:
            raise _contradiction(where, name, evidence)
        return POINT if evidence.point > evidence.comma else COMMA
    for sign, count, short, there in (
        (POINT, evidence.point, evidence.short_point, evidence.open_point),
        (COMMA, evidence.comma, evidence.short_comma, evidence.open_comma),
    ):
        if count > short or (count and there <= SLIP * count):
            return sign
    if evidence.whole and not evidence.open_point and not semicolons and opened:
        # `800` beside `1,200`: not all have three decimals, and only where semicolons separate is the comma one's sign.
        return POINT
    if opened:
        raise _question(where, name, str(evidence.open_example), semicolons)
    return None


def _question(where: str, name: str, example: str, semicolons: bool) -> UnreadableSource:
    number = re.sub(r"[^\d.,]", "", _plain_signs(example)).strip(".,")
    sign = POINT if POINT in number else COMMA
    called = {POINT: "dot", COMMA: "comma"}[sign]
    whole, decimals = number.replace(sign, ""), f"{float(number.replace(sign, '.')):g}"
    hint = f" The semicolons between the fields speak for {EXAMPLES[COMMA]}." if semicolons else ""
    return UnreadableSource(
        f"{where} numbers can be read in two ways, and no value tells which: '{example}' is {whole} if the {called} "
        f"groups thousands, and {decimals} if it is the decimal sign. Say which with "
        f"--numbers '{name}={EXAMPLES[OTHER[sign]]}' or --numbers '{name}={EXAMPLES[sign]}'.{hint}"
    )


def _contradiction(where: str, name: str, evidence: _Evidence) -> UnreadableSource:
    point, comma = str(evidence.point_example), str(evidence.comma_example)
    if COMMA in point:
        trouble = f"the comma is a decimal sign in '{comma}' and groups thousands in '{point}'"
    elif POINT in comma:
        trouble = f"the dot is a decimal sign in '{point}' and groups thousands in '{comma}'"
    else:
        trouble = f"numbers have a decimal comma in '{comma}' and a decimal point in '{point}'"
    return UnreadableSource(
        f"{where} {trouble}. Write all of its numbers one way, or say how most are written with "
        f"--numbers '{name}={EXAMPLES[COMMA]}' or --numbers '{name}={EXAMPLES[POINT]}': the others are then unreadable."
    )


def _says(where: str, name: str, decimal: str, grouping: str) -> str:
    if decimal == COMMA:
        return f"{where}: '{name}' is read with a decimal comma."
    return f"{where}: '{name}' is read with {NAMES[grouping]} between thousands." if grouping else ""


def _for(pattern: str, decimal: str) -> str:
    return pattern.replace("@", re.escape(decimal)).replace("%", OTHER[decimal])


def _proof(decimal: str) -> str:
    return _for(_PROOF, decimal) + (_INDIAN if decimal == POINT else "")


def _cell(number: str, captured: str, *, tail: bool = False) -> str:
    """A pattern of a whole cell, with groups for its parts of the kind `captured`: number, sign or currency.

    `tail` puts a decimal sign without digits after it into the number.
    """
    number, rest = (rf"{number}[.,]?", "(?:--?|:-)?") if tail else (number, _TAIL)
    parts = (
        ("currency", _CURRENCY),
        ("sign", r"\(?"),
        ("sign", _SIGN),
        ("currency", _CURRENCY),
        ("sign", _SIGN),
        ("number", number),
        ("sign", _SIGN),
        ("currency", _CURRENCY),
        ("sign", _SIGN),
        ("sign", r"\)?"),
        ("currency", _CURRENCY),
    )
    cell = (f"({part})" if kind == captured else f"(?:{part})" for kind, part in parts)
    return (
        "^"
        + _SPACE.join(part + (rest if kind == "number" else "") for (kind, _), part in zip(parts, cell, strict=True))
        + "$"
    )


def _plain(written: Any) -> Any:
    return translate(written, WRITTEN + DIGITS + UNSEEN, MEANT + "0123456789" * len(ZEROS))


def _plain_signs(written: str) -> str:
    meant = MEANT + "0123456789" * len(ZEROS)
    return written.translate(str.maketrans(WRITTEN + DIGITS, meant, UNSEEN))


def _by(value: Any, answers: dict[str, str]) -> Any:
    # A map, because of so many cases the engine would work out the value anew in each.
    return ibis.map(answers).get(value)


def _finite(value: Any) -> Any:
    return ibis.ifelse(isfinite(value), value, ibis.null("float64"))
