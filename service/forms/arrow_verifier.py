"""Whether the metadata of an Arrow message are a flatbuffer that can be followed without leaving it.

nanoarrow has such a verifier in its C library, and its reader of streams does not call it: of metadata that point
elsewhere it reads what is there, or ends the process. It does not ask either whether a type that is named is there.
"""

import ctypes

from nanoarrow import _ipc_lib

_DECODER_BYTES = 512  # more than a decoder has, which is allocated here and known there only
_ERROR_BYTES = 1_024


class _View(ctypes.Structure):
    """Bytes, as the library takes them."""

    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_int64))


_library = ctypes.CDLL(_ipc_lib.__file__)
_start = _library.PythonPkgArrowIpcDecoderInit
_start.argtypes = [ctypes.c_void_p]
_verify = _library.PythonPkgArrowIpcDecoderVerifyHeader
_verify.argtypes = [ctypes.c_void_p, _View, ctypes.c_void_p]
_end = _library.PythonPkgArrowIpcDecoderReset
_end.argtypes = [ctypes.c_void_p]
_end.restype = None


def verify(message: bytes) -> None:
    """Raises ValueError where the metadata, with the prefix before them, are damaged."""
    decoder = ctypes.create_string_buffer(_DECODER_BYTES)
    said = ctypes.create_string_buffer(_ERROR_BYTES)
    if _start(decoder):
        raise MemoryError
    try:
        if _verify(decoder, _View(message, len(message)), said):
            raise ValueError(said.value.decode("utf-8", "replace"))
    finally:
        _end(decoder)
