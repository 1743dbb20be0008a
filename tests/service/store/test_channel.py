"""Messages arrive whole and once, however they are cut on the way."""

import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.channel import ChannelClosed, Inbox, packed, receive

TOLD = st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
MESSAGE = st.lists(st.lists(TOLD, max_size=5), max_size=5)


@given(st.lists(MESSAGE, max_size=5), st.integers(1, 50))
def test_messages_come_as_they_were_sent_in_pieces_of_any_size(messages: list[Any], size: int) -> None:
    whole, inbox, taken = b"".join(map(packed, messages)), Inbox(), []
    for start in range(0, len(whole), size):
        inbox.add(whole[start : start + size])
        try:
            while True:
                taken.append(inbox.take())
        except LookupError:
            pass
    assert taken == messages


def test_a_large_message_goes_through_a_socket_and_its_end_is_told() -> None:
    mine, theirs = socket.socketpair()
    message = [b"x" * 3_000_000, "y"]
    with mine, theirs:
        sending = threading.Thread(target=mine.sendall, args=(packed(message),))
        sending.start()
        inbox = Inbox()
        assert receive(theirs, inbox) == message
        sending.join()
        mine.close()
        with pytest.raises(ChannelClosed):
            receive(theirs, inbox)
