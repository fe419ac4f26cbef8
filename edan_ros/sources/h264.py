"""Find missing frames of an H.264 stream, which FFmpeg's decoder conceals without a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_START_CODE = b"\0\0\1"
#: Types of NAL units (ITU-T H.264, table 7-1).
SLICE, IDR_SLICE, SPS, PPS = 1, 5, 7, 8
#: Profiles whose parameters begin with the format of the samples (7.3.2.1.1).
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
#: Bytes of a parameter set, and of a slice up to its frame_num, that are enough to read it.
_SPS_BYTES, _SLICE_BYTES = 1024, 32
#: Most frames in the cycle of a picture order count of type 1.
_MAX_CYCLE = 255


def nal_units(data: bytes) -> Iterator[bytes]:
    """Yield the NAL units of a byte stream (Annex B of H.264 and H.265) without start codes."""
    start = data.find(_START_CODE)
    while start >= 0:
        start += len(_START_CODE)
        end = data.find(_START_CODE, start)
        yield data[start : end if end >= 0 else None]
        start = end


class FrameNumbers:
    """Compares the frame_num of each frame with that of the last reference frame (7.4.3)."""

    def __init__(self) -> None:
        self._sequences: dict[int, _Sequence] = {}
        self._sequence_of: dict[int, int] = {}  # id of a picture parameter set -> of a sequence's
        self._last: int | None = None

    def is_frame_missing(self, units: Iterable[bytes]) -> bool:
        """Return whether a reference frame is missing before the frame in these NAL units.

        Units that cannot be parsed, or whose stream permits gaps, count as without a gap.
        """
        missing = False
        for unit in filter(None, units):
            try:
                missing |= self._is_gap(unit)
            except ValueError:
                continue
        return missing

    def reset(self) -> None:
        """Drop the last frame number: the next frame has no predecessor."""
        self._last = None

    def _is_gap(self, unit: bytes) -> bool:
        kind, is_reference = unit[0] & 31, bool(unit[0] & 96)
        if kind == SPS:
            number, sequence = _parse_sps(_Bits(unit[1:_SPS_BYTES]))
            self._sequences[number] = sequence
        elif kind == PPS:
            bits = _Bits(unit[1:_SLICE_BYTES])
            number = bits.exp_golomb()
            self._sequence_of[number] = bits.exp_golomb()
        elif kind in (SLICE, IDR_SLICE):
            bits = _Bits(unit[1:_SLICE_BYTES])
            if bits.exp_golomb():
                return False  # not the first slice of its frame
            bits.exp_golomb()  # type of the slice
            sequence_id = self._sequence_of.get(bits.exp_golomb(), -1)
            known = self._sequences.get(sequence_id)
            if known is None:
                return False
            bits.read(2 if known.has_separate_planes else 0)
            return self._advance(known, bits.read(known.bits), kind == IDR_SLICE, is_reference)
        return False

    def _advance(self, sequence: _Sequence, number: int, is_idr: bool, is_reference: bool) -> bool:
        last = self._last
        if is_reference:
            self._last = number
        if is_idr or last is None or sequence.may_have_gaps:
            return False
        expected = {(last + 1) % (1 << sequence.bits)}
        if sequence.has_fields:
            expected.add(last)  # the second field of the same frame
        return number not in expected


@dataclass(frozen=True)
class _Sequence:
    """Fields of a sequence parameter set that define frame_num and its gaps."""

    bits: int
    has_separate_planes: bool
    may_have_gaps: bool
    has_fields: bool


def _parse_sps(bits: _Bits) -> tuple[int, _Sequence]:
    """Return the id and the content of a sequence parameter set. Raises ValueError."""
    profile = bits.read(8)
    bits.read(16)
    number, chroma, separate = bits.exp_golomb(), 1, False
    if profile in _HIGH_PROFILES:
        chroma = bits.exp_golomb()
        separate = chroma == 3 and bool(bits.read(1))
        bits.exp_golomb()
        bits.exp_golomb()
        bits.read(1)
        if bits.read(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.read(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    length = bits.exp_golomb() + 4
    if length > 16:
        raise ValueError(f"frame_num of {length} bits")
    order = bits.exp_golomb()
    if order == 0:
        bits.exp_golomb()
    elif order == 1:
        bits.read(1)
        bits.exp_golomb()
        bits.exp_golomb()
        for _ in range(min(bits.exp_golomb(), _MAX_CYCLE)):
            bits.exp_golomb()
    bits.exp_golomb()
    may_have_gaps = bool(bits.read(1))
    bits.exp_golomb()
    bits.exp_golomb()
    return number, _Sequence(length, separate, may_have_gaps, not bits.read(1))


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.exp_golomb()
            delta = (code + 1) // 2 if code % 2 else -(code // 2)
            following = (last + delta) % 256
        last = following or last


class _Bits:
    """Reads the bits of a NAL unit; ValueError at its end."""

    def __init__(self, unit: bytes) -> None:
        payload = unit.replace(b"\0\0\3", b"\0\0")  # without emulation prevention (7.4.1.1)
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def read(self, count: int) -> int:
        """Return an unsigned number of ``count`` bits."""
        if count > self._left:
            raise ValueError("the unit ends early")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def exp_golomb(self) -> int:
        """Return an unsigned Exp-Golomb number (9.1)."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("a number of more than 32 bits")
        return (1 << zeros) - 1 + self.read(zeros)
