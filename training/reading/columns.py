"""Which column of a source holds which field: a table of names in use, and overrides."""

import re
from collections.abc import Iterable, Mapping, Sequence

from training.errors import UnreadableSource

# The first alias of a field that a source has wins. Matching ignores case, spaces, `_`, `-` and `.`; each
# alias is written here in that reduced form and belongs to one field only.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "invoice": (
        *("invoiceno", "invoice", "invoiceid", "invoicenumber", "orderid", "orderno", "ordernumber", "order"),
        *("transactionid", "transactionno", "transaction", "basketid", "receiptid", "receiptno", "receipt"),
    ),
    "product": (
        *("stockcode", "sku", "productid", "productcode", "productno", "product", "itemid", "itemcode"),
        *("itemno", "item", "articleid", "article", "upc", "ean", "asin"),
    ),
    "description": (
        *("description", "productdescription", "productname", "itemdescription", "itemname"),
        *("articlename", "title"),
    ),
    "quantity": ("quantity", "qty", "units", "orderquantity", "orderqty", "itemquantity", "unitssold"),
    "at": (
        *("invoicedate", "invoicedatetime", "orderdate", "orderdatetime", "ordertime", "orderedat"),
        *("purchasedate", "purchasetime", "purchasedat", "transactiondate", "transactiontime"),
        *("datetime", "timestamp", "date", "at", "createdat", "createddate", "time"),
    ),
    "price": ("unitprice", "price", "itemprice", "priceperunit", "productprice", "sellingprice"),
    "customer": (
        *("customerid", "customer", "customerno", "customernumber", "customercode", "custid", "customerkey"),
        *("clientid", "client", "userid", "user", "memberid", "householdkey", "householdid"),
        *("buyerid", "buyer", "accountid"),
    ),
    "country": ("country", "customercountry", "shippingcountry", "countryname", "countrycode"),
    "amount": (
        *("amount", "linetotal", "lineamount", "salesvalue", "totalprice", "totalamount", "total"),
        *("netamount", "revenue", "sales", "extendedprice", "subtotal"),
    ),
}
FIELDS = tuple(ALIASES)

# What a source must have, in words, and which fields will do.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "customer": ("customer",),
    "purchase date": ("at",),
    "price or amount": ("price", "amount"),
}


def resolve(names: Sequence[str], overrides: Mapping[str, str], *, where: str = "The source") -> Mapping[str, str]:
    """The source column of each field that `names` has, in the order of `FIELDS`.

    `overrides` (field to column) come first; a column they use stands for no other field. Raises
    UnreadableSource for an override of an unknown field or column, for two columns that are the same
    alias of a field, and, naming every missing field at once, when a required one is not there.
    """
    chosen = {field: _override(names, field, name, where) for field, name in overrides.items()}
    free = [name for name in names if name not in chosen.values()]
    for field, aliases in ALIASES.items():
        if field not in chosen and (name := _alias(free, field, aliases, where)) is not None:
            chosen[field] = name
    _require(chosen, names, where)
    return {field: chosen[field] for field in FIELDS if field in chosen}


def _reduced(name: str) -> str:
    return re.sub(r"[\s_.\-]+", "", name).lower()


def _override(names: Sequence[str], field: str, name: str, where: str) -> str:
    if field not in ALIASES:
        raise UnreadableSource(f"--column {field}={name}: '{field}' is not a field; they are {_list(FIELDS)}.")
    matches = [one for one in names if one == name] or [one for one in names if _reduced(one) == _reduced(name)]
    if len(matches) != 1:
        trouble = "more than one column" if matches else "no column"
        raise UnreadableSource(
            f"--column {field}={name}: {where} has {trouble} called '{name}'; its columns are {_list(names)}."
        )
    return matches[0]


def _alias(names: Sequence[str], field: str, aliases: Sequence[str], where: str) -> str | None:
    for alias in aliases:
        matches = [name for name in names if _reduced(name) == alias]
        if len(matches) > 1:
            raise UnreadableSource(
                f"{where} has {len(matches)} columns for {field}: {_list(matches)}. "
                f"Rename one, or say which it is with --column {field}=NAME."
            )
        if matches:
            return matches[0]
    return None


def _require(chosen: Mapping[str, str], names: Sequence[str], where: str) -> None:
    missing = {words: fields for words, fields in REQUIRED.items() if not chosen.keys() & set(fields)}
    if missing:
        options = " or ".join(f"--column {fields[0]}=NAME" for fields in missing.values())
        raise UnreadableSource(
            f"{where} has no column for {' and none for '.join(missing)}. "
            f"Its columns are {_list(names)}. If one of them is meant, say so with {options}."
        )


def _list(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
