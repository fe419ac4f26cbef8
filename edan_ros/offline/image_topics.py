"""The image topics of a bag that is anonymised: decoding and re-encoding of their images."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from edan_ros.core.images import Image
from edan_ros.core.images.sixteen_bit import SixteenBitScaler
from edan_ros.core.message_fields import decode_image
from edan_ros.drawing.privacy import Cover, cover_heads
from edan_ros.offline.covers import Finding
from edan_ros.recording.image_messages import replaced_data
from edan_ros.recording.packet_encoder import PacketEncoder
from edan_ros.sources.bag_reader import BagReader, Message
from edan_ros.sources.video_packets import PacketDecoder, codec_of, encoding_of, is_video


@dataclass(slots=True)
class ImageTopic:
    """The images of one topic, in the order in which they are shown.

    Attributes:
        kind: message type.
        times: of recording, nanoseconds, ascending.
        stamps: of the images, nanoseconds.
        findings: the faces found in each image.
        covers: what is hidden in each image.
        undecoded: reason -> messages that could not be decoded, which are left out.
        has_depth: whether some are depth images, which are copied.
    """

    kind: str
    times: list[int] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    findings: list[list[Finding]] = field(default_factory=list)
    covers: list[list[Cover]] = field(default_factory=list)
    undecoded: Counter[str] = field(default_factory=Counter)
    has_depth: bool = False

    @property
    def seconds(self) -> list[float]:
        """Times of the images in seconds after the first one."""
        return [1e-9 * (time - self.times[0]) for time in self.times]


class DecodedImage(NamedTuple):
    """An image, with the message that it came in. frame: of a video, as it was decoded."""

    record: Any
    message: Message
    image: Image
    frame: Any = None


class TopicDecoder:
    """Decodes the messages of one topic."""

    def __init__(self) -> None:
        self.scaler = SixteenBitScaler()
        self._video: PacketDecoder[tuple[Any, Message]] | None = None

    def decode(self, record: Any, message: Message) -> list[DecodedImage]:
        """Return the images that are complete with a message. Raises ImageError, SourceError."""
        if not is_video(record):
            return [DecodedImage(record, message, decode_image(record, scaler=self.scaler))]
        if self._video is None:
            self._video = PacketDecoder()
        found = self._video.decode(bytes(record.data), encoding_of(record), (record, message))
        return [DecodedImage(*each.origin, each.image(), each.frame) for each in found]

    def flush(self) -> list[DecodedImage]:
        """Return the images of a video that were held back until its end."""
        found = [] if self._video is None else self._video.flush()
        return [DecodedImage(*each.origin, each.image(), each.frame) for each in found]


class TopicOutput:
    """Makes the messages of one image topic of the new bag."""

    def __init__(self, topic: ImageTopic) -> None:
        self._topic = topic
        self._decoder = TopicDecoder()
        self._encoder: PacketEncoder[Any] = PacketEncoder()
        self._number = self._packets = 0
        # A video is encoded again as a whole: each of its frames depends on others.
        self._changes = any(topic.covers) or bool(topic.undecoded)

    def add(self, record: Any, message: Message, reader: BagReader) -> list[tuple[int, bytes]]:
        """Return time and data of the messages that are complete with the next one."""
        new: list[tuple[int, bytes]] = []
        for image in self._decoder.decode(record, message):
            new += self._image(image, reader)
        if is_video(record) and not self._changes:
            return [(message.time, message.data)]
        return new

    def flush(self, reader: BagReader) -> list[tuple[int, bytes]]:
        """Return the messages that were held back until the end."""
        new: list[tuple[int, bytes]] = []
        for image in self._decoder.flush():
            new += self._image(image, reader)
        return new + self._written(self._encoder.flush(), reader)

    def _image(self, image: DecodedImage, reader: BagReader) -> list[tuple[int, bytes]]:
        covers = self._topic.covers[self._number]
        self._number += 1
        covered = cover_heads(image.image.bgr(), covers) if covers else None
        if image.frame is not None:
            if not self._changes:
                return []
            codec = codec_of(encoding_of(image.record))
            pixels = None if covered is None else covered.pixels
            packets = self._encoder.encode(pixels, image.frame, codec, image)
            return self._written(packets, reader)
        if covered is None:
            return [(image.message.time, image.message.data)]
        data = replaced_data(image.record, covered.pixels, covered.hidden, self._decoder.scaler)
        return [(image.message.time, self._serialized(image, data, reader))]

    def _written(
        self, packets: Sequence[tuple[DecodedImage, bytes]], reader: BagReader
    ) -> list[tuple[int, bytes]]:
        new = []
        for image, packet in packets:
            # Without B-frames, packets come in the order in which their frames are shown.
            time = self._topic.times[self._packets]
            self._packets += 1
            data = np.frombuffer(packet, np.uint8)
            new.append((time, self._serialized(image, data, reader)))
        return new

    @staticmethod
    def _serialized(image: DecodedImage, data: Any, reader: BagReader) -> bytes:
        record = dataclasses.replace(image.record, data=data)
        return reader.serialize(record, image.message.topic)
