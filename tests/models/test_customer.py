"""Customer ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.customer.customer_id import LONGEST, SPACES, customer_id, has_forbidden_character


@pytest.mark.parametrize("written", ["17850", "17850.0", " 17850 ", "17850.000", "\t17850\n"])
def test_the_ways_to_write_an_id_are_one_customer(written: str) -> None:
    assert customer_id(written) == "17850"


@pytest.mark.parametrize("kept", ["C-17.50", "17850.5", "00017", "Müller", "a b", "客户"])
def test_other_ids_are_kept_as_they_are(kept: str) -> None:
    assert customer_id(kept) == kept


@pytest.mark.parametrize(
    "kept",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a zero-width non-joiner
        "\u0d28\u0d28\u0d4d\u200d",  # Malayalam, with a zero-width joiner
        "\u0915\u094d\u200d\u0937",  # Devanagari, with a zero-width joiner
        "\U0001f469\u200d\U0001f4bb",  # an emoji of two
        "\u845b\U000e0100",  # a Japanese name with a variant of its character
        "\u5c71\u7530\u3000\u592a\u90ce",  # a Japanese name with its own space
        "\U00011bc0\U00011bc1",  # Sunuwar, of Unicode 16
        "\U00016ea0",  # Beria Erfe, of Unicode 17
        "\U0003fff0",  # no letter yet
        "\u0600\u0661",  # Arabic, a sign that goes around a number
    ],
)
def test_letters_of_every_script_and_their_joiners_are_kept(kept: str) -> None:
    assert customer_id(kept) == kept


@pytest.mark.parametrize(
    "code",
    [
        *(0x00, 0x09, 0x0A, 0x0D, 0x1F, 0x7F, 0x85, 0x2028, 0x2029, 0xD800, 0xDFFF, 0x202A, 0x202D, 0x202E, 0x2066),
        *(0x2069, 0x200E, 0x200F, 0x061C, 0x200B, 0x2060, 0xFEFF, 0x00AD, 0xE0041, 0xFFFF),
    ],
    ids=hex,
)
def test_characters_that_are_not_to_be_seen_are_refused(code: int) -> None:
    assert has_forbidden_character(f"a{chr(code)}b")
    with pytest.raises(ValueError, match="must not contain control characters or line breaks"):
        customer_id(f"a{chr(code)}b")


@given(st.text())
def test_what_can_be_printed_is_never_forbidden(text: str) -> None:
    assert not (text.isprintable() and has_forbidden_character(text))


@pytest.mark.parametrize("refused", ["", "   ", "a\x00b", "a\nb", "x" * (LONGEST + 1), "\u202eabc"])
def test_an_id_nobody_can_have_is_refused(refused: str) -> None:
    with pytest.raises(ValueError, match="a customer id"):
        customer_id(refused)


@pytest.mark.parametrize("space", ["\u00a0", "\u2007", "\u200b", "\ufeff", "\t", "\u3000", "\x1c", " \u2028"])
def test_white_space_of_any_kind_around_an_id_is_no_part_of_it(space: str) -> None:
    assert customer_id(f"{space}17850{space}") == "17850"


def test_all_that_python_calls_white_space_is_trimmed() -> None:
    assert {chr(code) for code in range(0x110000) if chr(code).isspace()} == set(SPACES) - {"\u200b", "\ufeff"}


@pytest.mark.parametrize(
    "written", ["Dora@Example.org", "DORA@EXAMPLE.ORG ", "\u00a0dora@example.org", "dora@EXAMPLE.org"]
)
def test_e_mail_addresses_are_compared_without_case(written: str) -> None:
    assert customer_id(written) == "dora@example.org"


@pytest.mark.parametrize("kept", ["Dora", "Dora @Example.org", "@Dora", "Dora@", "A@B@C", "CUS_7"])
def test_the_case_of_other_ids_is_kept(kept: str) -> None:
    assert customer_id(kept) == kept


@pytest.mark.parametrize(
    "rounded", ["6.21E+12", "1.28570447365089E+18", "1.2857E+5", "5E+12", "1,2857E+5", "6.2e+12", "9007199254740992.0"]
)
def test_an_id_that_a_spreadsheet_rounded_is_refused(rounded: str) -> None:
    with pytest.raises(ValueError, match="digits were lost"):
        customer_id(rounded)


@pytest.mark.parametrize("kept", ["5E12", "E+12", "1.5E+", "9007199254740991.0", "9007199254740993", "7E+5X"])
def test_ids_that_only_look_alike_are_kept(kept: str) -> None:
    assert customer_id(kept) == kept.removesuffix(".0")


@pytest.mark.parametrize("word", ["nan", "None", "NULL", " null ", "NaT", "<NA>", "#N/A", "\u200b"])
def test_a_word_for_a_missing_value_is_no_id(word: str) -> None:
    with pytest.raises(ValueError, match="missing value"):
        customer_id(word)


@given(st.text())
def test_the_one_form_of_an_id_is_its_own_form(text: str) -> None:
    try:
        once = customer_id(text)
    except ValueError:
        return
    assert customer_id(once) == once
