"""What a scribe's own process runs: `python -m service.store.scribe_main NUMBER`, of the channel's end."""

import signal
import socket
import sys
import time
from contextlib import suppress

from service.inspection import forbid_inspection
from service.store.channel import ChannelClosed, Inbox, receive
from service.store.ledger_spec import LedgerSpec
from service.store.scribe import write


def main(number: int) -> None:
    """Writes by what the first message says until the channel is closed at the other end."""
    # Whoever stops the service stops the process that answers, which closes the channel once all is written.
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)
    end, inbox = socket.socket(fileno=number), Inbox()
    with suppress(ChannelClosed, OSError):  # whoever started it did not get so far as to need it
        write(end, LedgerSpec(*receive(end, inbox)), inbox, time.process_time)


if __name__ == "__main__":
    forbid_inspection()
    main(int(sys.argv[1]))
