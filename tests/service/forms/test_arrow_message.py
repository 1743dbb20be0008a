"""Metadata of Arrow messages that point nowhere are refused before the library that reads them would follow."""

import base64
import zlib

import pytest

from service.forms.arrow_message import PREFIX, frame
from tests.service.forms.sent import GOOD_AND_BAD, as_arrow

# Schemas that ended the process: one has no content, in the other a dictionary has no type of its indices.
NO_CONTENT = (
    "c-"
    "noDu};G<5QZ;pnue00NEPb9z`#Q=RzgBN0G&gWxF`~JisKAStULr0Qy+$jsYAsR@Cso5yI55e2`v3~eEROci_bad?gm6t;x(a!A{"
    "xmTRuEE%<LlcwK98V%K=cAFpaj|>wuLNo2{E_*aSq8t_B`X*vzXH{WRz`;PEBSNeF`_AU5CH$9=uMVqO5JHbDM5VRW!M+5j%Bl-"
    "qiK#_`Dcet4yc&*@o}eo?mqMd54d<f2A9v(4S`?{`0Q1vYC0}`<v%q|KRz}Rz^KGO6Q#L;raItf8OE8@<zF*Bh-"
    "teKlxvp$$g9|@x<Dh1(Uu9&o8UfY9;+9;u5#4Fhgj0dxiY@!H>PY-)M&YrZ)?oUEb8TS}T*5g?9{PPkfyiPHi0u+J3@A{x7nXVnz"
)
NO_INDEX_TYPE = (
    "c-"
    "n1Ju};G<5WTc%2qi;?4h$VK@DU6QNH8!k7Ks5Vijp8%h`6K<Qa3(@k)Z=aKY@>6VBixN7#N`Dot+W`z33&E^SkG}v$fXxtw$6S+m"
    "Ip(Xh0!6nCFv^&-"
    "s_u{M`no;EsW%hd7V`FNog*6M%V7;3Ii3f`0&v+c?_}P?WR07E>i;MRzN$BWHbSa>+~ZTELH2oz_0E>u|S#TsD=e=k(a>^xL&hN9"
    "P^>gVpJCpL>o5_t{iJrPEsEB}W2uAK+o@(W}iHa$e%(@m`|3l}Jj9OqtAQ%QYOX<7{$7i8irb{AUg!aMNU!5^B!>i<PbSkU6^R`D"
    "8=AGbQt@G?zumIwQb0da<e4G2PAJ1Ns+^?(qiQbw8D4-S|hBd-"
    "Yo0#L+y3ADjIHoJC|Ru=nWyyaqrvOXa2MJu*`cE%(>FVw~_=kF{I9jkDmplsA~hby=sPXcfDfd7ltUb{|`_PxelK1DiN|Nd"
)


def metadata(message: bytes) -> bytes:
    return message[PREFIX : PREFIX + int.from_bytes(message[4:PREFIX], "little")]


@pytest.mark.parametrize(("packed", "wrong"), [(NO_CONTENT, "no content"), (NO_INDEX_TYPE, "of what type its indices")])
def test_a_schema_that_lacks_what_is_followed_is_refused(packed: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        frame(metadata(zlib.decompress(base64.b85decode(packed))))


@pytest.mark.parametrize("coded", [False, True])
def test_every_message_of_a_good_stream_has_its_frame_and_loses_it_with_its_end(coded: bool) -> None:
    stream, found = as_arrow(GOOD_AND_BAD, coded=coded), 0
    while len(content := metadata(stream)) > 0:
        body = frame(content).body
        with pytest.raises(ValueError, match=r"damaged|verification"):
            frame(content[:24])
        stream = stream[PREFIX + len(content) + body :]
        found += 1
    assert found >= 3


def test_a_column_of_more_rows_than_there_are_numbers_for_is_refused() -> None:
    stream = as_arrow(GOOD_AND_BAD, at_once=7)
    schema = metadata(stream)
    batch = bytearray(metadata(stream[PREFIX + len(schema) :]))
    node = batch.index((7).to_bytes(8, "little") + bytes(8))  # a length, and that no value is null
    batch[node + 7] = 0x7F
    with pytest.raises(ValueError, match="impossible length"):
        frame(bytes(batch))
