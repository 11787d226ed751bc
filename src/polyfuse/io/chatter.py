"""What C libraries print on the standard error stream while they decode, caught: it would come before our one line.

OpenCV, its libpng, and libtiff (in Pillow) tell of damage there and nowhere else. Nothing but the two decodings that go
through them is done in here, one at a time.
"""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STDERR = 2
_LINE = re.compile(
    rb"(libpng (warning|error)|tempfile\.tif|_?TIFF\w+|JPEG\w+|(Fax|LZW|ZIP|ZSTD|LZMA|WebP|PackBits|Dump)\w*"
    rb"|(Predictor|PixarLog|SGILog|Log[LU]|OJPEG|LERC|JBIG|Thunder|NeXT)\w*): .*"
    rb"|\[ *(WARN|ERROR|FATAL) *:[^]]*\] .*"
)
_LOCK = threading.Lock()


@contextmanager
def caught_chatter() -> Iterator[list[str]]:
    """Catch such lines; the list that it yields is filled once the body has ended.

    The stream belongs to the whole process. What other threads print meanwhile is passed on afterwards.
    """
    lines: list[str] = []
    with _LOCK, tempfile.TemporaryFile() as caught:
        if sys.stderr is not None:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
        try:
            kept = os.dup(_STDERR)
        except OSError:  # closed: nothing can be printed there
            yield lines
            return
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield lines
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            caught.seek(0)
            others = b""
            for line in caught.read().splitlines(keepends=True):
                if _LINE.match(line):
                    lines.append(line.decode("utf-8", "replace").strip())
                else:
                    others += line
            if others:
                with suppress(OSError):
                    os.write(_STDERR, others)
