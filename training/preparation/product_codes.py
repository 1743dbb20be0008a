"""Which product codes stand for postage, fees and the like, and which for discounts on an order."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from ibis import _ as row

from models.customer.conventions import FORMER_CONVENTIONS
from training.preparation.decision import Decision, counted
from training.preparation.invoice_letters import marked_invoice
from training.preparation.vocabulary import vocabulary
from training.reading.lines import Lines
from training.workspace import Workspace

MOSTLY = 0.5
NEARLY_ALL = 0.9
ENOUGH_CODES = 3  # proved by themselves, prove that the whole list is this shop's
ENOUGH_LINES = 8  # to see whether prices vary
SHOWN = 6


@dataclass(frozen=True, slots=True)
class NonProducts:
    """Codes, in upper case, and prefixes of codes that stand for no product."""

    codes: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Code:
    """What is known of a code: its lines, how many prices they have, and its descriptions with their lines."""

    lines: int
    prices: int
    descriptions: dict[str, int]

    def is_described(self, words: Iterable[str]) -> bool:
        """Whether most of the lines that have a description have one of the words in it."""
        told = sum(self.descriptions.values())
        telling = sum(count for text, count in self.descriptions.items() if any(word in text for word in words))
        return told > 0 and telling >= MOSTLY * told

    def is_phrase(self, phrases: Collection[str]) -> bool:
        """Whether nearly all lines that have a description have one of the phrases for it."""
        told = sum(self.descriptions.values())
        telling = sum(count for text, count in self.descriptions.items() if _plain(text) in phrases)
        return told > 0 and telling >= NEARLY_ALL * told

    @property
    def varies(self) -> bool:
        """Whether hardly two lines have the same price: what is sold has few prices."""
        return self.lines >= ENOUGH_LINES and self.prices >= MOSTLY * self.lines


def every_non_product() -> NonProducts:
    """The whole list that ships with the package."""
    return NonProducts(FORMER_CONVENTIONS.non_product_codes, FORMER_CONVENTIONS.non_product_prefixes)


def non_products(lines: Lines, workspace: Workspace) -> Decision[NonProducts]:
    """The codes on the list that the descriptions or the prices speak for, and those that are fees by name."""
    if "product" not in lines.present:
        return Decision(NonProducts())
    words, listed = vocabulary(), every_non_product()
    phrases = frozenset(words.phrases)
    known = _codes(lines, listed, phrases)
    sizes = _sizes(lines)
    described, priced, certain = [], [], []
    for code, facts in known.items():
        key = code if code in listed.codes else next((one for one in listed.prefixes if code.startswith(one)), None)
        if key is None:
            if facts.is_phrase(phrases) or (_plain(code) in phrases and not facts.descriptions):
                certain.append(code)
        elif key in words.certain:
            certain.append(code)
        elif facts.is_described(words.described[key]):
            described.append(code)
        elif facts.varies and not facts.descriptions and code not in sizes:
            priced.append(code)
    proved = sorted({*described, *priced, *certain})
    on_the_list = [code for code in (*described, *priced) if code in listed.codes]
    if len(on_the_list) >= ENOUGH_CODES:
        contradicted = {
            code for code, facts in known.items()
            if code in listed.codes and facts.descriptions and code not in described and code not in certain
        } | sizes  # fmt: skip
        codes = [code for code in listed.codes if code not in contradicted or code in described]
        value = NonProducts(tuple(dict.fromkeys([*codes, *certain])), listed.prefixes)
    else:
        prefixes = tuple(one for one in listed.prefixes if any(code.startswith(one) for code in described))
        value = NonProducts(tuple(code for code in proved if not code.startswith(prefixes or "\n")), prefixes)
    if not proved:
        return Decision(value)
    shown = ", ".join(proved[:SHOWN]) + (f" and {len(proved) - SHOWN:,} more" if len(proved) > SHOWN else "")
    by = [
        f"{counted(len(described), 'code')} by their descriptions" if described else "",
        f"{counted(len(priced), 'code')} by prices that vary with every line" if priced else "",
        f"{counted(len(certain), 'code')} by name" if certain else "",
    ]
    count = sum(known[code].lines for code in proved)
    return Decision(
        value,
        f"No products but postage, fees and the like are {shown}: {', '.join(filter(None, by))}, on {count:,} lines.",
    )


def discount_codes(lines: Lines, cancellation_letters: tuple[str, ...]) -> Decision[tuple[str, ...]]:
    """The codes, in upper case, whose negative lines stand on orders beside what was bought."""
    if "product" not in lines.present:
        return Decision(())
    named = _named_discounts()
    negative = lines.table.filter(((row.quantity < 0) != (row.price < 0)) & row["product"].notnull())
    pairs = negative.select("product", "description").distinct().to_pyarrow().to_pylist()
    names = sorted({one["product"] for one in pairs if named(one["product"]) or named(one["description"] or "")})
    if not names:
        return Decision(())
    mine = row["product"].isin(names)
    order = ["customer", "invoice"] if "invoice" in lines.present else ["customer", "at"]
    orders = lines.table.filter(~mine.fill_null(True) & (row.quantity > 0) & (row.price > 0)).select(*order).distinct()
    orders = orders.mutate(ordinary=True)
    those = lines.table.filter(mine & (row.quantity != 0) & (row.price != 0))
    marked = marked_invoice(those, cancellation_letters)
    off = (those.quantity < 0) != (those.price < 0)
    placed = those.mutate(off=off, marked=marked).left_join(orders, order)
    facts = placed.group_by("product").agg(
        lines=row.count(), off=row.off.sum(), ordinary=(row.off & ~row.marked & row.ordinary.fill_null(False)).sum()
    )
    found = {
        one["product"].strip().upper(): one["ordinary"]
        for one in facts.to_pyarrow().to_pylist()
        if one["off"] >= NEARLY_ALL * one["lines"] and one["ordinary"] >= MOSTLY * one["off"]
    }
    if not found:
        return Decision(())
    codes = tuple(sorted(found))
    return Decision(
        codes,
        f"Negative lines of {', '.join(codes[:SHOWN])} are discounts and lower their orders: {sum(found.values()):,} "
        "of them stand beside purchases.",
    )


def _named_discounts() -> Callable[[str], object]:
    """Whether a text has one of the words for discounts in it."""
    words = "|".join(map(re.escape, vocabulary().discounts))
    found = re.compile(rf"(?<![^\W\d_])({words})s?(?![^\W\d_])")
    return lambda text: found.search(text.lower())


def _codes(lines: Lines, listed: NonProducts, phrases: Collection[str]) -> Mapping[str, _Code]:
    """The codes, in upper case, that may stand for no product."""
    codes = lines.table.select("product").distinct().to_pyarrow()["product"].to_pylist()
    known = {*listed.codes, *vocabulary().certain}
    suspects = [
        code for code in codes if code is not None
        and ((upper := code.strip().upper()) in known or upper.startswith(listed.prefixes) or _plain(code) in phrases)
    ]  # fmt: skip
    if "description" in lines.present:
        texts = lines.table.select("description").distinct().to_pyarrow()["description"].to_pylist()
        spelled = [text for text in texts if text is not None and _plain(text) in phrases]
        if spelled:
            named = lines.table.filter(row.description.isin(spelled) & row["product"].notnull())
            suspects += named.select("product").distinct().to_pyarrow()["product"].to_pylist()
    if not suspects:
        return {}
    of_them = lines.table.filter(row["product"].isin(sorted(set(suspects))))
    described = of_them.group_by(["product", "description"]).agg(lines=row.count()).to_pyarrow().to_pylist()
    priced = of_them.group_by("product").agg(prices=row.price.abs().nunique()).to_pyarrow().to_pylist()
    found: dict[str, _Code] = {}
    for one in described:
        code = found.setdefault(one["product"].strip().upper(), _Code(0, 0, {}))
        code.lines += one["lines"]
        if one["description"] is not None and (text := one["description"].strip().lower()):
            code.descriptions[text] = code.descriptions.get(text, 0) + one["lines"]
    for one in priced:
        found[one["product"].strip().upper()].prices += one["prices"]
    return dict(sorted(found.items()))


def _sizes(lines: Lines) -> set[str]:
    """The codes on the list that are sizes of clothes here, because other sizes are there."""
    words = vocabulary()
    spelled = [form for size in words.sizes for form in (size, size.lower())]
    there = lines.table.filter(row["product"].isin(spelled)).head(1).count().to_pyarrow().as_py()
    return set(words.sizes_on_the_list) if there else set()


def _plain(text: str) -> str:
    """The text in lower case with single spaces, and without marks at its ends."""
    return " ".join(text.lower().replace("_", " ").split()).strip(" .:*!")
