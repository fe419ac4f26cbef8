"""FaceAnalyzer: every kind of image and source, the same results as `edan annotate`, errors."""

from __future__ import annotations

import itertools
import json
import math
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))  # how the tests of sources write

from bags import SECOND, raw, write_bag

from edan_ros import EMOTIONS, Box, Face, FaceAnalyzer, draw_faces, list_models, to_frame
from edan_ros.cli.main import main
from edan_ros.core.images import ImageError
from edan_ros.detection.base import DetectorError
from edan_ros.engines import EngineError, ModelError
from edan_ros.sources import SourceError, webcam

MEDIA = Path(__file__).parents[3] / "shared" / "data" / "media"
MODEL = "edan-lite"


@pytest.fixture(scope="module")
def analyzer() -> Iterator[FaceAnalyzer]:
    with FaceAnalyzer(MODEL, engine="onnxruntime", threads=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def woman() -> np.ndarray:
    """(300, 300, 3) BGR: a smiling woman whose face is around (145, 115)."""
    data = pytest.importorskip("skimage.data", reason="the photograph is part of scikit-image")
    return np.ascontiguousarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)[:300, 80:380])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, woman: np.ndarray) -> Path:
    """Four images in which the woman moves by two pixels each."""
    path = tmp_path_factory.mktemp("images")
    for number in range(4):
        cv2.imwrite(str(path / f"{number}.png"), np.roll(woman, 2 * number, axis=1))
    return path


def media(name: str) -> Path:
    path = MEDIA / name
    if not path.exists():
        pytest.skip(f"needs {name} of the shared media")
    return path


def records(faces: list[Face]) -> list[dict[str, Any]]:
    return [face.to_dict() for face in faces]


def pil_image(pixels: np.ndarray) -> Any:
    module = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    return module.fromarray(pixels)


KINDS: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "string": str,
    "bytes": lambda path: path.read_bytes(),
    "array": lambda path: cv2.imread(str(path)),
    "view": lambda path: np.flip(np.flip(cv2.imread(str(path)), 1).copy(), 1),
    "PIL": lambda path: pil_image(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_gives_the_same_face(
    analyzer: FaceAnalyzer, folder: Path, kind: str
) -> None:
    path = folder / "0.png"
    expected = analyzer.analyze(path)
    assert len(expected) == 1
    assert records(analyzer.analyze(KINDS[kind](path))) == records(expected)


def test_kinds_of_grey_images_give_the_same_face(analyzer: FaceAnalyzer, woman: np.ndarray) -> None:
    gray = cv2.cvtColor(woman, cv2.COLOR_BGR2GRAY)
    expected = records(analyzer.analyze(gray))
    assert len(expected) == 1
    assert records(analyzer.analyze(gray[:, :, None])) == expected
    assert records(analyzer.analyze(pil_image(gray))) == expected
    assert records(analyzer.analyze(cv2.imencode(".png", gray)[1].tobytes())) == expected


def test_a_face_has_the_documented_shapes_and_ranges(
    analyzer: FaceAnalyzer, woman: np.ndarray
) -> None:
    (face,) = analyzer.analyze(woman)
    assert isinstance(face, Face)
    assert isinstance(face.box, Box)
    x, y = face.box.center
    assert abs(x - 145) < 20
    assert abs(y - 115) < 20
    assert face.landmarks.shape == (68, 2)
    assert face.probabilities.shape == (7,)
    assert math.isclose(face.probabilities.sum(), 1.0, abs_tol=1e-6)
    assert face.label == "happy" == EMOTIONS[face.emotion]
    assert 0.0 <= face.confidence <= 1.0
    assert face.track_id == 0
    json.dumps(face.to_dict(), allow_nan=False)


def test_an_image_without_faces_gives_none(analyzer: FaceAnalyzer) -> None:
    assert analyzer.analyze(np.full((120, 160, 3), 90, np.uint8)) == []


@pytest.mark.parametrize(
    ("name", "fewest", "most"),
    [("multi_face", 4, 5), ("sample_faces", 8, 10), ("no_faces", 0, 0), ("dogs", 0, 0)],
)
def test_number_of_faces_on_photographs(
    analyzer: FaceAnalyzer, name: str, fewest: int, most: int
) -> None:
    """The groups have 5 and 10 people; those with dark glasses or turned away may be missed."""
    assert fewest <= len(analyzer.analyze(media(f"photos/{name}.jpg"))) <= most


@pytest.mark.parametrize("emotion", ["happy", "surprise"])
def test_emotions_on_photographs(analyzer: FaceAnalyzer, emotion: str) -> None:
    name = {"surprise": "surprised"}.get(emotion, emotion)
    (face,) = analyzer.analyze(media(f"photos/emotion_{name}.jpg"))
    assert EMOTIONS[int(face.probabilities.argmax())] == emotion


def annotated_lines(source: Path, out: Path) -> list[dict[str, Any]]:
    """Return the lines that `edan annotate` writes."""
    arguments = [str(source), "--out", str(out), "--model", MODEL, "--engine", "onnxruntime"]
    assert main(["annotate", *arguments]) == 0
    (lines,) = out.glob("*.jsonl")
    return [json.loads(line) for line in lines.read_text().splitlines()]


def assert_equal_to_annotate(faces: list[Face], line: dict[str, Any]) -> None:
    mine = [
        {key: face.to_dict()[key] for key in written}
        for face, written in zip(faces, line["faces"], strict=True)
    ]
    assert mine == line["faces"]


def test_a_tracked_video_equals_edan_annotate(tmp_path: Path) -> None:
    clip = media("neutral_to_smile.mp4")
    lines = annotated_lines(clip, tmp_path / "out")
    with FaceAnalyzer(MODEL, engine="onnxruntime") as fresh:  # track ids start at 1
        frames = list(fresh.track(clip, two_pass=True))
    assert len(frames) == len(lines) > 50
    assert any(frame.faces for frame in frames)
    for frame, line in zip(frames, lines, strict=True):
        assert frame.stamp == pytest.approx(line["stamp"], abs=1e-6)
        assert_equal_to_annotate(frame.faces, line)


def test_the_second_pass_changes_emotions_alone(analyzer: FaceAnalyzer) -> None:
    clip = media("neutral_to_smile.mp4")
    once, twice = list(analyzer.track(clip)), list(analyzer.track(clip, two_pass=True))
    for first, second in zip(once, twice, strict=True):
        for before, after in zip(first.faces, second.faces, strict=True):
            np.testing.assert_array_equal(before.landmarks, after.landmarks)
            np.testing.assert_array_equal(before.raw_probabilities, after.raw_probabilities)
    assert len({face.baseline_seconds for frame in twice for face in frame.faces}) == 1
    smiles = [[f.faces and f.faces[0].label == "happy" for f in frames] for frames in (once, twice)]
    assert smiles[1].index(True) < smiles[0].index(True)


def test_what_cannot_be_read_twice_has_no_second_pass(analyzer: FaceAnalyzer) -> None:
    with pytest.raises(ValueError, match="two_pass needs a recording that can be read twice"):
        analyzer.track([np.zeros((48, 48), np.uint8)], two_pass=True)


def test_analyzed_images_equal_edan_annotate(folder: Path, tmp_path: Path) -> None:
    lines = annotated_lines(folder, tmp_path / "out")
    assert len(lines) == 4
    with FaceAnalyzer(MODEL, engine="onnxruntime") as fresh:
        for line in lines:
            assert line["faces"]
            assert_equal_to_annotate(fresh.analyze(folder / line["file"]), line)


def test_a_folder_is_tracked_at_the_rate_given(analyzer: FaceAnalyzer, folder: Path) -> None:
    frames = list(analyzer.track(folder, fps=10.0))
    assert [frame.name for frame in frames] == ["0.png", "1.png", "2.png", "3.png"]
    assert [frame.stamp for frame in frames] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert len({face.track_id for frame in frames for face in frame.faces}) == 1
    assert len(list(analyzer.track(str(folder / "*.png")))) == 4


def test_a_bag_is_tracked_with_its_stamps(
    analyzer: FaceAnalyzer, woman: np.ndarray, tmp_path: Path
) -> None:
    start = 1_700_000_000 * SECOND
    fields = {"height": 300, "width": 300, "step": 900, "data": woman.ravel()}
    stamps = [start + number * SECOND // 10 for number in range(3)]
    bag = write_bag(tmp_path / "bag", [("/image_raw", t, raw(t, **fields)) for t in stamps])
    frames = list(analyzer.track(bag))
    assert [frame.stamp_ns for frame in frames] == stamps
    assert [frame.stamp for frame in frames] == pytest.approx([0.0, 0.1, 0.2])
    assert frames[-1].faces
    assert np.array_equal(frames[0].image, woman)
    with pytest.raises(SourceError, match="no images on /other"):
        next(analyzer.track(bag, topic="other"))


class FakeWebcam:
    """Stands in for cv2.VideoCapture; its images show nothing."""

    def __init__(self, index: int) -> None:
        assert index == 2

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def set(self, *_: float) -> bool:
        return False

    def read(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((48, 64, 3), np.uint8)

    def release(self) -> None:
        FakeWebcam.released = True


def test_a_webcam_is_tracked_until_the_iterator_is_closed(
    analyzer: FaceAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", FakeWebcam)
    monkeypatch.setattr(webcam.sys, "platform", "test")  # without a look at /dev
    frames = analyzer.track(2)
    assert [frame.faces for frame in itertools.islice(frames, 3)] == [[], [], []]
    frames.close()
    assert FakeWebcam.released


def test_arrays_are_tracked_with_stamps_and_without(
    analyzer: FaceAnalyzer, woman: np.ndarray
) -> None:
    images = [woman] * 4
    assert [frame.stamp for frame in analyzer.track(images)] == pytest.approx(
        [0.0, 1 / 30, 2 / 30, 3 / 30]
    )
    slow = [frame.stamp for frame in analyzer.track(np.stack(images), fps=5.0)]
    assert slow == pytest.approx([0.0, 0.2, 0.4, 0.6])
    stamped = list(analyzer.track((1.7e9 + 0.1 * i, image) for i, image in enumerate(images)))
    assert stamped[-1].stamp == pytest.approx(1.7e9 + 0.3)
    assert np.array_equal(stamped[0].image, woman)
    assert len({face.track_id for frame in stamped for face in frame.faces}) == 1


def test_tracks_of_two_sources_never_share_an_id(analyzer: FaceAnalyzer, woman: np.ndarray) -> None:
    pairs = list(zip(analyzer.track([woman] * 5), analyzer.track([woman] * 5), strict=True))
    first, second = ({f.track_id for pair in pairs for f in pair[i].faces} for i in (0, 1))
    assert len(first) == len(second) == 1
    assert first.isdisjoint(second)


def test_threads_share_an_analyzer(analyzer: FaceAnalyzer, woman: np.ndarray) -> None:
    expected = records(analyzer.analyze(woman))
    results: list[list[dict[str, Any]]] = []

    def work() -> None:
        results.extend(records(analyzer.analyze(woman)) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 15


def test_settings_reach_the_pipeline(woman: np.ndarray) -> None:
    side_by_side = np.hstack([woman, woman])
    with FaceAnalyzer(MODEL, engine="onnxruntime", max_faces=1) as limited:
        assert len(limited.analyze(side_by_side)) == 1
    with FaceAnalyzer(MODEL, engine="onnxruntime", min_face=290) as far:
        assert far.analyze(woman) == []


def test_a_closed_analyzer_raises_a_clear_error(woman: np.ndarray) -> None:
    with FaceAnalyzer(MODEL, engine="onnxruntime") as closed:
        frames = closed.track([woman] * 3)
        next(frames)
        assert "edan-lite" in repr(closed)
        assert closed.model.name == "edan-lite"
    closed.close()
    for call in (
        lambda: closed.analyze(woman),
        lambda: closed.track([woman]),
        lambda: next(frames),
    ):
        with pytest.raises(RuntimeError, match="this FaceAnalyzer is closed"):
            call()


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ("missing.jpg", FileNotFoundError, "there is no image file missing.jpg"),
        (Path(__file__), ImageError, "test_analyzer.py .*image"),
        (Path(__file__).parent, IsADirectoryError, "is a folder"),
        (b"", ImageError, "the data of 0 bytes .*image"),
        (np.zeros((9, 9, 3)), ImageError, "has type float64: convert it to uint8"),
        (np.zeros((9, 9, 4), np.uint8), ImageError, r"has shape \(9, 9, 4\): give"),
        (np.zeros(9, np.uint8), ImageError, r"has shape \(9,\): give"),
        (np.zeros((0, 9, 3), np.uint8), ImageError, "holds no pixel"),
        ([1, 2], TypeError, "list is not an image"),
        (None, TypeError, "NoneType is not an image"),
    ],
)
def test_an_unusable_image_is_refused(
    analyzer: FaceAnalyzer, image: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        analyzer.analyze(image)
    with pytest.raises(error, match=message):
        draw_faces(image, [])


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("missing.mp4", FileNotFoundError, "there is no missing.mp4"),
        (Path(__file__), SourceError, "is not a video"),
        ("missing*.jpg", SourceError, "missing"),
        (np.zeros((9, 9, 3), np.uint8), ImageError, "analyze a single image"),
        (b"\xff\xd8", TypeError, "a single image cannot be tracked"),
        (PIL.Image.new("L", (9, 9)), TypeError, "a single image cannot be tracked"),
        (2.5, TypeError, "float cannot be tracked"),
        ([(0.0, 1, 2)], TypeError, r"an item of the iterable is \(float, int, int\)"),
        ([(np.zeros((9, 9), np.uint8), 1.0)], TypeError, r"is \(ndarray, float\)"),
        ([np.zeros((9, 9))], ImageError, "has type float64"),
    ],
)
def test_an_unusable_source_is_refused(
    analyzer: FaceAnalyzer, source: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        next(analyzer.track(source))


def test_a_rate_of_zero_is_refused(analyzer: FaceAnalyzer) -> None:
    with pytest.raises(ValueError, match="fps is 0"):
        analyzer.track([], fps=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "edan-huge"}, ModelError, "edan-huge"),
        ({"engine": "abacus"}, EngineError, "abacus"),
        ({"detector": "eyes"}, ValueError, "detector is 'eyes', must be one of auto, edan"),
        ({"detector": "yunet"}, DetectorError, "detector model"),
        ({"max_face": 1}, TypeError, "FaceAnalyzer has no setting max_face: .*max_faces"),
        ({"max_faces": 0}, ValueError, "max_faces is 0"),
        ({"prior_strength": 2}, ValueError, "prior_strength is 2, must be 0 to 1"),
    ],
)
def test_an_impossible_analyzer_is_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        FaceAnalyzer(**{"model": MODEL, **arguments})


def test_draw_faces_marks_the_face_and_leaves_the_image(
    analyzer: FaceAnalyzer, woman: np.ndarray, tmp_path: Path
) -> None:
    before = woman.copy()
    drawing = draw_faces(woman, analyzer.analyze(woman), panels=False)
    assert np.array_equal(woman, before)
    changed = np.argwhere((drawing.pixels != woman).any(axis=2))
    assert np.abs(changed.mean(axis=0) - (115, 145)).max() < 40
    path = drawing.save(tmp_path / "drawn.png")
    assert np.array_equal(cv2.imread(str(path)), drawing.pixels)
    assert drawing.save(str(tmp_path / "drawn.jpg")).stat().st_size > 1000
    assert drawing._repr_png_() == path.read_bytes()
    assert repr(drawing) == "Drawing(300x300 pixels)"


def test_a_drawing_is_not_saved_in_an_unknown_format(woman: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be written as '\.doc': use \.jpg"):
        draw_faces(woman, []).save(tmp_path / "drawn.doc")
    with pytest.raises(FileNotFoundError):
        draw_faces(woman, []).save(tmp_path / "missing" / "drawn.png")


def test_list_models_names_version_terms_and_metrics() -> None:
    models = {model.name: model for model in list_models()}
    assert {"edan", "edan-int8", "edan-lite", "edan-lite-int8"} <= set(models)
    for model in models.values():
        assert model.version
        assert model.terms
        assert all(0.0 <= value <= 1.0 for value in model.metrics.values())
        assert model.metrics


def test_to_frame_has_a_row_for_each_face(analyzer: FaceAnalyzer, woman: np.ndarray) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    faces = analyzer.analyze(np.hstack([woman, woman]))
    table = to_frame(faces)
    assert len(table) == len(faces) == 2
    assert list(table["label"]) == ["happy", "happy"]
    assert table["probabilities.happy"].dtype == float
    assert table["box.width"].tolist() == pytest.approx([f.box.width for f in faces], abs=0.01)
    assert table.filter(like="action_units.").shape[1] > 10
    frames = to_frame(analyzer.track([(5.0, woman), (5.1, woman), (5.2, woman)], fps=10))
    assert set(frames["stamp"]) <= {5.0, 5.1, 5.2}
    assert frames["track_id"].nunique() == 1
    assert to_frame([]).empty


def test_to_frame_without_pandas_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas: pip install pandas"):
        to_frame([])


def test_representations_do_not_print_pixels(analyzer: FaceAnalyzer, woman: np.ndarray) -> None:
    frame = next(iter(analyzer.track([woman])))
    assert "array" not in repr(frame)
    assert len(repr(analyzer.analyze(woman))) < 200
