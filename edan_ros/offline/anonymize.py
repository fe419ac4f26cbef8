"""Anonymise a bag: hide every head in its images, copy everything else, search the result again.

The bag is read twice. The first pass finds faces, the second writes the new bag with the heads
hidden that ``covers`` plans from them. The new bag is then searched; where a face is found again, a
flat colour hides it in the next round.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

import edan_ros
from edan_ros.core.images import Image, ImageError
from edan_ros.core.message_fields import stamp_ns
from edan_ros.core.wording import plural
from edan_ros.drawing.privacy import CoveredImage, cover_heads
from edan_ros.offline.bag import DEPTH_ENCODINGS, copy_topics
from edan_ros.offline.covers import SAME_FACE, Finding, FoundTrack, link, plan_covers
from edan_ros.offline.image_topics import DecodedImage, ImageTopic, TopicDecoder, TopicOutput
from edan_ros.recording.bag_writer import BagWriter
from edan_ros.recording.certificate import file_digests, write_certificate
from edan_ros.recording.definitions import MODEL_INFO, Definitions
from edan_ros.recording.files import RecordingError
from edan_ros.recording.progress import ImageProgress
from edan_ros.sources import SourceError
from edan_ros.sources.bag import IMAGES, image_topics
from edan_ros.sources.bag_reader import BagReader

#: Most times that the bag is written.
MAX_ROUNDS = 4
#: Appended to the name of a bag in which a face was still found after the last round.
REMAINING_SUFFIX = "_faces_remain"
#: Share of a detected box inside drawn avatars from which it is one of them.
_DRAWN_SHARE = 0.8
#: Message types with images that cannot be decoded here.
_UNREADABLE_IMAGES = re.compile(r"image_transport|RawImage|CompressedImage|CompressedVideo")
#: Types that may reveal people in other ways, and how.
_REVEALING = (
    (re.compile(r"PointCloud|LaserScan|Velodyne|Octomap"), "points"),
    (re.compile(r"[Aa]udio|Sound|Speech|Voice|Transcript"), "sound or speech"),
    (re.compile(r"Disparity|Depth"), "depth"),
    (re.compile(r"Face|Person|People|Human|Skeleton|Body|Gaze|^hri_msgs|Detection"), "people"),
)
#: Packages whose other messages hold nothing that identifies people.
_STANDARD = re.compile(
    r"^(std|geometry|nav|tf2|sensor|rosgraph|rcl_interfaces|diagnostic|builtin_interfaces|"
    r"trajectory|actionlib|control|action|lifecycle|statistics|unique_identifier)(_msgs)?/"
)

#: Topic, image and its time in seconds -> faces in it.
FindFaces = Callable[[str, Image, float], Sequence[Finding]]


class Remaining(NamedTuple):
    """A face found in the written bag. number: of its image on the topic."""

    topic: str
    number: int
    finding: Finding


@dataclass
class Anonymizer:
    """Writes an anonymised copy of a bag.

    Attributes:
        path: the bag.
        out: folder of the new bag.
        mode: of BAG_PRIVACY_MODES.
        find: finds what may be a face, for the first pass.
        check: finds faces at the usual threshold, for the search of the result.
        detectors: names of the detectors -> threshold of the check.
        named: topics of depth images to treat as images.
        drop: topics to leave out.
        replace: whether an existing bag may be replaced.
        console: shows progress.
    """

    path: Path
    out: Path
    mode: str
    find: FindFaces
    check: Callable[[Image], Sequence[Finding]]
    detectors: Mapping[str, float]
    named: Collection[str] = ()
    drop: Collection[str] = ()
    replace: bool = False
    console: Console = field(default_factory=partial(Console, quiet=True))
    topics: dict[str, ImageTopic] = field(default_factory=dict, init=False)
    _expected: int = field(default=0, init=False)

    def run(self) -> dict[str, Any]:
        """Write the bag and return its certificate.

        Where faces are found to the last, the bag gets REMAINING_SUFFIX after its name.

        Raises:
            SourceError: if the bag cannot be read, or images in it cannot be anonymised.
            RecordingError: if the new bag cannot be written.
        """
        with BagReader(self.path) as reader:
            self._select(reader)
            with self._progress("searching") as progress:
                before = self._search(reader, progress.advance)
        clean: dict[tuple[str, int], bytes] = {}
        drawn: Counter[str] = Counter()
        for number in range(1, MAX_ROUNDS + 1):
            for topic in self.topics.values():
                topic.covers = plan_covers(
                    topic.seconds, topic.findings, avatars=self.mode == "avatar"
                )
            with BagReader(self.path) as reader, self._writer(reader) as writer:
                with self._progress("writing") as progress:
                    self._write(reader, writer, progress.advance)
                damage = reader.damage
                writer.complete()
                with BagReader(writer.folder) as result, self._progress("checking") as progress:
                    remaining = self._recheck(result, clean, drawn, progress.advance)
                if remaining and number < MAX_ROUNDS:
                    writer.discard()
                else:
                    if remaining:
                        writer.path = _with_suffix(self.out, REMAINING_SUFFIX)
                    certificate = self._certificate(writer, before, drawn, remaining, number)
                    certificate |= {"not_read": damage} if damage else {}
                    write_certificate(writer.folder, certificate)
                    return certificate
            count = plural(len(remaining), "face")
            self._log(f"{count} found again: hidden in round {number + 1}")
            for name, image, finding in remaining:
                self.topics[name].findings[image].append(dataclasses.replace(finding, flat=True))
        raise AssertionError("the last round returns")

    def _log(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True)

    def _progress(self, step: str) -> ImageProgress:
        return ImageProgress(self.console, self._expected, step)

    def _writer(self, reader: BagReader) -> BagWriter:
        return BagWriter(self.out, reader.storage, reader.compression, replace=self.replace)

    def _select(self, reader: BagReader) -> None:
        """Find the topics of images. Raises SourceError for those that cannot be read."""
        image_topics(reader)  # raises where there is none
        known = reader.topics
        self._expected = sum(topic.count for topic in known.values() if topic.kind in IMAGES)
        missing = sorted({*self.named, *self.drop} - known.keys())
        if missing:
            raise SourceError(f"{self.path} has no {', '.join(missing)}, but {', '.join(known)}")
        for name in sorted(known.keys() - set(self.drop)):
            kind = known[name].kind
            if kind in IMAGES:
                if not name.endswith("/compressedDepth"):
                    self.topics[name] = ImageTopic(kind)
            elif _UNREADABLE_IMAGES.search(kind) and known[name].count:
                raise SourceError(
                    f"{name} is a {kind}, which cannot be anonymised: leave it out with "
                    f"--drop-topics {name}"
                )

    def _search(self, reader: BagReader, advance: Callable[[], None]) -> dict[str, Counter[str]]:
        """Fill in times and faces of all images; return the faces by topic and detector."""
        before: dict[str, Counter[str]] = defaultdict(Counter)
        for name, number, image in self._images(reader, self._failed):
            topic, message = self.topics[name], image.message
            topic.times.append(message.time)
            topic.stamps.append(stamp_ns(image.record))
            seconds = 1e-9 * (topic.stamps[-1] or message.time)
            topic.findings.append(list(self.find(name, image.image, seconds)))
            for face in topic.findings[number]:
                before[name][face.detector] += face.score >= self.detectors.get(face.detector, 0.0)
            advance()
        for name, topic in self.topics.items():
            topic.times.sort()  # packets of a video with B-frames are recorded in another order
            if topic.undecoded and not (topic.times or topic.has_depth):
                reason = next(iter(topic.undecoded))
                raise SourceError(
                    f"{name}: not one image can be decoded ({reason}): leave it out with "
                    f"--drop-topics {name}"
                )
        return before

    def _failed(self, topic: str, error: Exception) -> None:
        self.topics[topic].undecoded[str(error)] += 1

    def _images(
        self, reader: BagReader, failed: Callable[[str, Exception], None]
    ) -> Iterator[tuple[str, int, DecodedImage]]:
        """Yield topic, number and content of all images, as they are shown."""
        decoders: defaultdict[str, TopicDecoder] = defaultdict(TopicDecoder)
        numbers: Counter[str] = Counter()
        for message in reader.messages(self.topics):
            name = message.topic
            try:
                record = reader.deserialize(message)
                if self._is_depth(name, record):
                    self.topics[name].has_depth = True
                    continue
                images = decoders[name].decode(record, message)
            except (ImageError, SourceError) as error:
                failed(name, error)
                continue
            for image in images:
                yield name, numbers[name], image
                numbers[name] += 1
        for name, decoder in decoders.items():
            for image in decoder.flush():
                yield name, numbers[name], image
                numbers[name] += 1

    def _is_depth(self, topic: str, record: Any) -> bool:
        if topic in self.named:
            return False
        if "compressedDepth" in getattr(record, "format", ""):
            return True
        return getattr(record, "encoding", "") in DEPTH_ENCODINGS

    def _write(self, reader: BagReader, writer: BagWriter, advance: Callable[[], None]) -> None:
        """Write all messages: images with hidden heads, everything else as it is."""
        kept = reader.topics.keys() - set(self.drop)
        for line in copy_topics(writer, reader, kept, Definitions()):
            self._log(line)
        for dropped in kept - writer.topics:
            self.topics.pop(dropped, None)
        self.drop = sorted({*self.drop, *(kept - writer.topics)})
        kept &= writer.topics
        outputs = {name: TopicOutput(topic) for name, topic in self.topics.items()}
        for message in reader.messages(kept):
            output = outputs.get(message.topic)
            if output is None:
                writer.write(*message)
                continue
            try:
                record = reader.deserialize(message)
                if self._is_depth(message.topic, record):
                    writer.write(*message)
                    continue
                new = output.add(record, message, reader)
            except (ImageError, SourceError):
                continue  # counted in the first pass
            for time, data in new:
                writer.write(message.topic, time, data)
            advance()
        for name, output in outputs.items():
            for time, data in output.flush(reader):
                writer.write(name, time, data)

    def _recheck(
        self,
        reader: BagReader,
        clean: dict[tuple[str, int], bytes],
        drawn: Counter[str],
        advance: Callable[[], None],
    ) -> list[Remaining]:
        """Search the written bag; return the faces in it that are not avatars.

        Args:
            reader: of the written bag.
            clean: topic and number of an image -> digest of its pixels, where a search found
                nothing: images that did not change since are not searched again.
            drawn: detector -> avatars found.
        """
        remaining: list[Remaining] = []
        counts = Counter({name: -len(topic.times) for name, topic in self.topics.items()})
        drawn.clear()

        def failed(topic: str, error: Exception) -> None:
            raise RecordingError(f"an image written on {topic} cannot be read again: {error}")

        for name, number, image in self._images(reader, failed):
            counts[name] += 1
            digest = hashlib.blake2b(image.image.pixels.tobytes()).digest()
            covers = self.topics[name].covers[number]
            advance()
            if clean.get((name, number)) == digest:
                continue
            found = list(self.check(image.image))
            hidden = cover_heads(image.image.bgr(), covers) if found else None
            for face in found:
                if hidden is not None and _share(face, hidden) >= _DRAWN_SHARE:
                    drawn[face.detector] += 1
                else:
                    remaining.append(Remaining(name, number, face))
            if not found:
                clean[name, number] = digest
        if any(counts.values()):
            raise RecordingError("the written bag does not hold all images: nothing is kept")
        return remaining

    def _certificate(
        self,
        writer: BagWriter,
        before: Mapping[str, Counter[str]],
        drawn: Mapping[str, int],
        remaining: Sequence[Remaining],
        rounds: int,
    ) -> dict[str, Any]:
        others = {name: kind for name, kind in writer.kinds.items() if name not in self.topics}
        depth = {name: f"{t.kind}, depth" for name, t in self.topics.items() if t.has_depth}
        revealing = {n: f"{k}, {why}" for n, k in others.items() if (why := _reveals(n, k))}
        return {
            "made_by": f"edan bag --privacy, edan_ros {edan_ros.__version__}",
            "source": self.path.name,
            "output": writer.path.name,
            "sha256": file_digests(writer.folder),
            "mode": self.mode,
            "detectors": dict(self.detectors),
            "rounds": rounds,
            "topics": {name: self._describe(name, before[name]) for name in self.topics},
            "found_after": [
                {
                    "topic": name,
                    "stamp_ns": self.topics[name].stamps[number],
                    "box": _rounded(face),
                    "detector": face.detector,
                    "score": round(face.score, 3),
                }
                for name, number, face in remaining
            ],
            "avatars_found": dict(drawn),
            "not_examined": depth | revealing,
            "copied": others,
            "left_out": sorted(self.drop),
        }

    def _describe(self, name: str, before: Mapping[str, int]) -> dict[str, Any]:
        topic = self.topics[name]
        tracks = link(topic.seconds, topic.findings)
        return {
            "type": topic.kind,
            "images": len(topic.times),
            "images_with_hidden_heads": sum(map(bool, topic.covers)),
            "undecoded_and_left_out": dict(topic.undecoded),
            "found_before": dict(before),
            "tracks": [
                {
                    "images": len(track.images),
                    "first_stamp_ns": topic.stamps[track.images[0]],
                    "last_stamp_ns": topic.stamps[track.images[-1]],
                    "first_box": _rounded(track.findings[0]),
                    "last_box": _rounded(track.findings[-1]),
                    "found_by": dict(_detectors_of(track, topic.findings)),
                    "best_score": round(max(f.score for f in track.findings), 3),
                }
                for track in tracks
            ],
        }


def _share(face: Finding, image: CoveredImage) -> float:
    """Return the share of a box, as far as it lies in the image, that shows avatars."""
    height, width = image.drawn.shape
    box = face.box.clipped(width, height)
    part = image.drawn[
        round(box.y) : round(box.y + box.height), round(box.x) : round(box.x + box.width)
    ]
    return float(part.mean()) if part.size else 0.0


def _detectors_of(track: FoundTrack, findings: Sequence[Sequence[Finding]]) -> Counter[str]:
    """Return in how many images of a track each detector found it."""
    return Counter(
        name
        for number, face in zip(track.images, track.findings, strict=True)
        for name in {f.detector for f in findings[number] if f.box.iou(face.box) > SAME_FACE}
    )


def _reveals(topic: str, kind: str) -> str:
    """Return how a topic that is not searched may reveal people; "" where it does not."""
    if kind.startswith("edan_ros/") and kind != MODEL_INFO:
        return "people"
    if topic.endswith("/compressedDepth"):
        return "depth"
    for pattern, how in _REVEALING:
        if pattern.search(kind):
            return how
    return "" if _STANDARD.search(kind) or kind == MODEL_INFO else "content unknown"


def _rounded(face: Finding) -> list[float]:
    box = face.box
    return [round(value, 1) for value in (box.x, box.y, box.width, box.height)]


def _with_suffix(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
