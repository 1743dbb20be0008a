"""Request bodies compressed as Zstandard, unpacked piece by piece as they come."""

from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

from service.content_encoding import PIECE, Damaged, EmptyParts

# Where a frame is damaged, what was given with the damage is lost: it is given little at a time.
ZSTANDARD_AT_ONCE = 1_024
# A window of 8 MiB is the most that RFC 9659 allows for content of this encoding.
ZSTANDARD_OPTIONS: dict[int, int] = {DecompressionParameter.window_log_max: 23}


class ZstandardUnpacker:
    """Frames of Zstandard, one after another."""

    def __init__(self) -> None:
        self._packed = b""
        self._frame: ZstdDecompressor | None = None
        self._empty = EmptyParts()

    def feed(self, data: bytes) -> None:
        self._packed += data

    def unpacked(self) -> bytes:
        while self._packed or (self._frame is not None and not self._frame.needs_input):
            if self._frame is None:
                self._frame = ZstdDecompressor(options=ZSTANDARD_OPTIONS)
            given = b""
            if self._frame.needs_input:
                given, self._packed = self._packed[:ZSTANDARD_AT_ONCE], self._packed[ZSTANDARD_AT_ONCE:]
            try:
                found = self._frame.decompress(given, PIECE)
            except ZstdError as error:
                raise Damaged(str(error)) from error
            self._empty.count(found, self._frame.eof)
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data + self._packed, None
            if found:
                return found
        return b""

    @property
    def whole(self) -> bool:
        return self._frame is None
