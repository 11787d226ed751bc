"""The picture track of a result: its encoder, the same for every part and for the file they are joined in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from polyfuse.video.codecs import Encoding
from polyfuse.video.pyav import CONVERSION, load_av
from polyfuse.video.reader import ClipInfo

RGB_MATRIX, BT709 = 0, 1
"""Numbers of colour matrices in ITU-T H.273."""
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
"""Matrix as a clip names it to the number FFmpeg's scaler has for it; unnamed is BT.601, as in reading."""


@dataclass(frozen=True)
class PictureFormat:
    """What the frames of a result are and how they are encoded."""

    encoding: Encoding
    """Container and codec."""
    like: ClipInfo
    """The clip whose frames are replaced: size, time base, pixel shape and colorimetry are its."""
    grey: bool
    """Whether frames have one channel."""
    depth: int
    """Bits of a value."""

    @property
    def wanted(self) -> str:
        """FFmpeg's name of the format in which frames go to the encoder."""
        return self.encoding.pixel_format(self.like.width, self.like.height, grey=self.grey, depth=self.depth)

    @property
    def matrix(self) -> int:
        """Number of the colour matrix of lossy codecs in H.273."""
        return BT709 if self.like.colorimetry[0] == RGB_MATRIX else self.like.colorimetry[0]

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame before it is encoded."""
        return self.like.width * self.like.height * (1 if self.grey else 3) * self.depth // 8

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        if self.wanted != "yuv444p":
            return ()
        return (f"{self.like.width}x{self.like.height} is odd: written as 4:4:4, which some players do not show",)

    def add_stream(self, container: Any) -> Any:
        """Declare the track in a container of PyAV that is open for writing."""
        encoding, like = self.encoding, self.like
        stream = container.add_stream(encoding.codec.encoder, rate=like.rate, options=encoding.options)
        stream.width, stream.height, stream.pix_fmt = like.width, like.height, self.wanted
        context = stream.codec_context
        context.time_base = like.time_base
        if like.pixel_aspect is not None:
            context.sample_aspect_ratio = like.pixel_aspect
        if self.wanted.startswith("yuv"):
            _, _, primaries, transfer = like.colorimetry
            context.colorspace, context.color_primaries, context.color_trc = self.matrix, primaries, transfer
            context.color_range = 1  # limited, as players expect of it
        return stream

    def frame(self, array: NDArray[Any], ticks: int) -> Any:
        """A frame of PyAV as the encoder takes it.

        Args:
            array: (H, W) or (H, W, 3), as declared.
            ticks: Its time stamp in the time base of the clip it stands for.
        """
        given = {(True, 8): "gray", (True, 16): "gray16le", (False, 8): "rgb24", (False, 16): "rgb48le"}
        frame = load_av().VideoFrame.from_ndarray(array, format=given[self.grey, self.depth])
        if self.wanted != frame.format.name:
            matrix = _MATRICES.get(self.matrix, 5) if self.wanted.startswith("yuv") else None
            frame = frame.reformat(format=self.wanted, dst_colorspace=matrix, interpolation=CONVERSION)
        frame.pts, frame.time_base = ticks, self.like.time_base
        return frame
