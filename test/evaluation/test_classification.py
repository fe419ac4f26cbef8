"""Evaluation on sets with known results."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import made_up_sets as trees
import numpy as np
import pytest
from grey_faces import (
    GreyDetector,
    GreyEngine,
    NoDetector,
    emotion,
    face_set,
    landmarks,
    level_of,
    sample,
)

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.wording import markdown_table
from edan_ros.datasets import DataError, DatasetSpec, FaceSample, FaceSet
from edan_ros.detection.full_frame import FullFrame
from edan_ros.evaluation import tables
from edan_ros.evaluation.classes import SEVEN, ClassScheme, polarities
from edan_ros.evaluation.classification import SetResult, evaluate, predict_set, read_set
from edan_ros.evaluation.recognition import (
    ANNOTATED,
    DETECTED,
    FULL_IMAGE,
    StillImagePipeline,
    predict_crops,
)

HAPPY, SAD, SURPRISE, FEAR = map(emotion, ("happy", "sad", "surprise", "fear"))


def result(
    *pairs: tuple[int, int | None],
    scheme: ClassScheme = SEVEN,
    crop: str = "given",
    layout: str = "folder",
    confidence: float = 0.94,
) -> SetResult:
    faces = face_set(*pairs)
    results = predict_set(GreyEngine(confidence), faces, crop, GreyDetector())
    return evaluate("mine", layout, crop, faces, results, scheme)


def test_seven_classes_by_hand() -> None:
    """Happy twice, one of them predicted as sad; fear once; an image without a label."""
    found = result(
        (level_of(HAPPY), HAPPY), (level_of(SAD), HAPPY), (level_of(FEAR), FEAR), (100, None)
    )
    assert found.n == 3
    assert found.detected == 1.0
    assert found.accuracy.value == pytest.approx(2 / 3)
    assert found.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert found.confusion[HAPPY, SAD] == 1
    assert found.confusion.sum() == 3
    assert found.per_class()["happy"] == pytest.approx(
        {"n": 2, "recall": 0.5, "precision": 1.0, "f1": 2 / 3}
    )
    assert set(found.per_class()) == {"happy", "fear"}
    assert found.reliability.error == pytest.approx(0.94 - 2 / 3, abs=1e-6)
    assert found.landmark_error == pytest.approx(0.0, abs=1e-3)


def test_a_face_that_is_not_found_is_an_error() -> None:
    found = result((level_of(HAPPY), HAPPY), (0, HAPPY), (0, FEAR), crop="detect")
    assert found.detected == pytest.approx(1 / 3)
    assert found.accuracy.value == pytest.approx(1 / 3)
    assert found.missed[HAPPY] == found.missed[FEAR] == 1
    assert found.confusion.sum() == 1
    assert found.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert found.reliability.error == pytest.approx(0.06, abs=1e-6)


def test_metrics_without_any_face_found() -> None:
    found = result((0, HAPPY), crop="detect")
    assert (found.accuracy.value, found.detected) == (0.0, 0.0)
    assert math.isnan(found.reliability.error)
    assert tables.as_json([found])["sets"]["mine"]["ece"] is None
    assert "not found" in "\n".join(tables.text([found], "grey"))


def test_three_classes() -> None:
    """Surprise is positive, or left out of the labels and the predictions."""
    pairs = ((level_of(SURPRISE), HAPPY), (level_of(FEAR), SAD), (level_of(HAPPY), SURPRISE))
    positive = result(*pairs, scheme=polarities())
    assert (positive.n, positive.accuracy.value) == (3, 1.0)
    ignored = result(*pairs, scheme=polarities("ignore"))
    assert ignored.n == 2
    assert ignored.faces.notes == ["left out: images of no requested class (1)"]
    # What is left without surprise: 0.01 for each other emotion, of which four are negative.
    np.testing.assert_allclose(ignored.probabilities[0], [1 / 6, 1 / 6, 4 / 6], rtol=1e-5)
    np.testing.assert_allclose(ignored.probabilities.sum(axis=1), 1.0)


def test_classes_of_the_polarities() -> None:
    by_name = dict(zip(EMOTIONS, polarities().class_of, strict=True))
    assert {n for n, c in by_name.items() if c == 1} == {"happy", "surprise"}
    assert {n for n, c in by_name.items() if c == 2} == {"sad", "fear", "disgust", "anger"}
    assert by_name["neutral"] == 0
    assert polarities("ignore").class_of[SURPRISE] == -1


def test_a_set_of_landmarks_alone_has_no_accuracy() -> None:
    faces = face_set((100, None), (100, None))
    shifted = landmarks() + np.array([3.0, 0.0], np.float32)
    results = list(predict_set(GreyEngine(), faces, "given", GreyDetector()))
    faces.samples = [sample(100, None, landmarks=shifted)] * 2
    found = evaluate("points", "300w", "given", faces, results, SEVEN)
    assert found.n == 2
    assert math.isnan(found.accuracy.value)
    eyes = np.linalg.norm(landmarks()[36] - landmarks()[45])
    assert found.landmark_error == pytest.approx(3.0 / eyes, rel=1e-3)
    printed = "\n".join(tables.text([found], "grey"))
    assert "a row per true class" not in printed
    assert json.loads(json.dumps(tables.as_json([found])))["sets"]["points"]["accuracy"] is None


def test_the_annotated_face_is_selected() -> None:
    """Of two faces the largest counts, unless the set annotates one."""
    pipeline, image = StillImagePipeline(GreyEngine(), GreyDetector()), sample(140, None).image()
    small = landmarks(16.0, 12.0)
    (largest,) = pipeline([image], [None])
    np.testing.assert_allclose(largest.landmarks, landmarks(), atol=1.0)
    (meant,) = pipeline([image], [Box.from_landmarks(small)])
    np.testing.assert_allclose(meant.landmarks, small, atol=1.0)
    assert pipeline([image], [Box(80.0, 80.0, 10.0, 10.0)]) == [None]


def test_a_still_image_is_two_frames_and_leaves_no_track() -> None:
    engine = GreyEngine()
    pipeline = StillImagePipeline(engine, GreyDetector())
    image = sample(140, None).image()
    assert pipeline([image, image], [None, None])[1] is not None
    assert engine.runs == 2
    assert pipeline([sample(0, None).image()], [None]) == [None]


def test_an_image_without_detections_may_be_one_face() -> None:
    """Without a detection the full image is a face if its presence suffices."""
    dim, dark = sample(level_of(HAPPY), None), sample(4, None)
    pipeline = StillImagePipeline(GreyEngine(), NoDetector())
    face, nothing = pipeline([dim.image(), dark.image()], [None, None])
    assert face is not None
    assert (face.crop_source, int(face.probabilities.argmax())) == (FULL_IMAGE, HAPPY)
    assert nothing is None
    elsewhere = Box(0.0, 0.0, 20.0, 20.0)
    assert pipeline([dim.image()], [elsewhere]) == [None]


def test_a_face_that_is_not_annotated_is_detected() -> None:
    """Given crops: the annotation, else the detection, else the full image."""
    level = level_of(SAD)
    faces = FaceSet("all", [sample(level, SAD, landmarks=landmarks()), sample(level, SAD)])
    results = list(predict_set(GreyEngine(), faces, "given", GreyDetector()))
    assert [p.crop_source for p in results] == [ANNOTATED, DETECTED]
    np.testing.assert_allclose(results[1].landmarks, landmarks(), atol=1.0)
    (_, whole) = predict_set(GreyEngine(), faces, "given", NoDetector())
    assert whole.crop_source == FULL_IMAGE
    frame = FullFrame().detect(faces.samples[1].image())[0].crop()
    np.testing.assert_allclose(Crop.from_landmarks(whole.landmarks).center, frame.center, atol=0.1)
    evaluated = evaluate("mine", "folder", "given", faces, results, SEVEN)
    assert (evaluated.accuracy.value, evaluated.detected) == (1.0, 1.0)
    assert tables.summary(evaluated) == "all; crop by the detector (1)"


def test_unreadable_images_are_named_and_left_out() -> None:
    def damaged() -> np.ndarray:
        raise DataError("b.png is not an image")

    faces = face_set((level_of(HAPPY), HAPPY))
    faces.samples.append(FaceSample("b.png", damaged, SAD))
    faces.samples.append(sample(80, SAD, landmarks=np.zeros((68, 2), np.float32)))
    for crop in ("given", "detect"):
        results = list(predict_set(GreyEngine(), faces, crop, GreyDetector()))
        evaluated = evaluate("mine", "folder", crop, faces, results, SEVEN)
        assert (evaluated.n, evaluated.accuracy.value) == (1, 1.0)
        (note,) = evaluated.faces.notes
        assert note.startswith("left out: unreadable (2): b.png is not an image; 80.png: its land")
    with pytest.raises(DataError, match=r"none of the 1 images can be read: b\.png"):
        evaluate("mine", "folder", "given", FaceSet("all", faces.samples[1:2]), results[1:2], SEVEN)


def test_refinement_runs_on_the_predicted_crop() -> None:
    """The engine predicts a face that fills its crop: a second run changes nothing."""
    engine = GreyEngine()
    image, crop = sample(100, None).image(), Crop.from_landmarks(landmarks())
    (once,) = predict_crops(engine, [image], [crop])
    (twice,) = predict_crops(engine, [image], [crop], refinements=1)
    assert engine.runs == 3
    np.testing.assert_allclose(once.landmarks, twice.landmarks, atol=1e-3)


def test_json_has_exactly_these_figures() -> None:
    figures = tables.as_json([result((level_of(HAPPY), HAPPY), (level_of(SAD), HAPPY))])
    assert list(figures) == ["sets"]
    mine = json.loads(json.dumps(figures))["sets"]["mine"]
    assert list(mine) == [
        *(
            "n",
            "accuracy",
            "macro_f1",
            "ece",
            "detected",
            "landmark_error",
            "per_class",
            "confusion",
        )
    ]
    assert (mine["n"], mine["accuracy"], mine["detected"]) == (2, 0.5, 1.0)
    assert np.array(mine["confusion"]).shape == (7, 7)


def test_tables_hold_the_published_figures_beside_ours() -> None:
    printed = list(tables.side_by_side([result((80, SAD), layout="jaffe")], "grey"))
    assert printed[0] == "Accuracy, seven emotion categories"
    assert "CNN (5), published" in printed[4]
    assert printed[4].endswith("0.502 |")
    assert printed[-1].split("|")[1].strip() == "grey"
    named = evaluate(
        "CK+",
        "folder",
        "given",
        face_set((80, SAD)),
        predict_set(GreyEngine(), face_set((80, SAD)), "given", GreyDetector()),
        SEVEN,
    )
    assert "0.736" in "".join(tables.side_by_side([named], "grey"))
    ours = list(tables.side_by_side([result((80, SAD))], "grey"))
    assert not any("published" in line for line in ours)
    polar = list(
        tables.side_by_side([result((80, SAD), scheme=polarities(), layout="ckplus")], "g")
    )
    assert any(line.startswith("| EmotionalDAN, published") and "0.921" in line for line in polar)


def test_several_sets_have_a_mean() -> None:
    right, wrong = result((level_of(SAD), SAD)), result((level_of(FEAR), SAD))
    both = [replace(right, name="a"), replace(wrong, name="b")]
    table = list(tables.side_by_side(both, "grey"))
    assert [cell.strip() for cell in table[1].split("|")[1:-1]] == ["", "a", "b", "mean"]
    assert [cell.strip() for cell in table[3].split("|")[1:-1]] == [
        "grey",
        "1.000",
        "0.000",
        "0.500",
    ]
    assert tables.as_json(both)["mean"]["accuracy"] == 0.5


def test_a_set_is_read_in_part(tmp_path: Path) -> None:
    for number in range(4):
        trees.save(tmp_path / "happy" / f"{number}.png")
    spec = DatasetSpec("folder", "mine", tmp_path)
    assert len(read_set(spec)) == len(read_set(spec, 9)) == 4
    faces = read_set(spec, 2)
    assert [Path(s.name).stem for s in faces.samples] == ["0", "3"]
    assert faces.notes == ["2 of 4 images, evenly spaced"]


def test_sparse_landmarks_have_an_error() -> None:
    points = landmarks()
    points[20:36] = np.nan
    faces = FaceSet("all", [sample(level_of(SAD), SAD, sparse_landmarks=points)])
    results = predict_set(GreyEngine(), faces, "detect", GreyDetector())
    evaluated = evaluate("mine", "folder", "detect", faces, results, SEVEN)
    assert evaluated.landmark_error == pytest.approx(0.0, abs=0.02)


def test_columns_of_a_table_are_in_line() -> None:
    lines = list(markdown_table(("", "long header"), [("a", "1"), ("bbb", 22)]))
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| a   |           1 |"


def test_rows_of_a_generator_are_yielded_as_they_come() -> None:
    def rows() -> Iterator[tuple[str, int]]:
        yield "a", 1
        raise RuntimeError("a long measurement")

    lines = markdown_table(("name", "n"), rows(), first=6)
    assert [next(lines) for _ in range(3)][2] == "| a      | 1 |"


class TestReport:
    def test_the_most_confident_failures_come_first(self, tmp_path: Path) -> None:
        pytest.importorskip("jinja2")
        from edan_ros.evaluation.report import failures, write_report

        found = result((level_of(HAPPY), HAPPY), (level_of(SAD), HAPPY), (0, FEAR), crop="detect")
        assert failures(found).tolist() == [2, 1]
        page = write_report(tmp_path / "new" / "report", [found], "grey & co")
        text = page.read_text(encoding="utf-8")
        assert "grey &amp; co on mine" in text
        assert "<h2>2 failures</h2><p>1 of them faces that were not found</p>" in text
        assert "fear, <br><b>not found</b>" in text
        plain = re.sub("<i [^>]*></i>", "", text)
        assert "happy, predicted<br><b>sad</b> 0.94" in plain
        assert plain.index("fear, <br>") < plain.index("happy, predicted")
        assert text.count("data:image/jpeg") == 2
        # Of two happy faces one was recognised; one fearful face was not found.
        (row,) = re.findall(r"happy <small>\(2\)</small></th>(.*?)</tr>", text, re.DOTALL)
        assert re.findall(r">(\d*)</td>", row) == ["", "50", "50", *[""] * 5]
        assert "--share: 100" in text
        assert text.count("<circle") == len(found.reliability.count)
        assert [path.name for path in page.parent.iterdir()] == ["report.html"]

    @pytest.mark.parametrize(
        ("privacy", "least", "most"), [("none", 30, 255), ("blur", 0, 12), ("landmarks-only", 0, 0)]
    )
    def test_faces_in_the_report_are_anonymised(
        self, tmp_path: Path, privacy: str, least: float, most: float
    ) -> None:
        pytest.importorskip("jinja2")
        from edan_ros.evaluation.report import write_report

        found = result((0, FEAR), crop="detect")  # not found: the full image is shown
        noise = np.random.default_rng(0).integers(0, 256, (96, 96)).astype(np.uint8)
        found.faces.samples[:] = [replace(r, read=lambda: noise) for r in found.faces.samples]
        page = write_report(tmp_path, [found], "grey", privacy).read_text(encoding="utf-8")
        (data,) = re.findall('data:image/jpeg;base64,([^"]+)', page)
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_GRAYSCALE)
        assert least <= pixels.std() <= most

    def test_names_of_sets_are_escaped(self, tmp_path: Path) -> None:
        pytest.importorskip("jinja2")
        from edan_ros.evaluation.report import write_report

        faces = face_set((80, SAD))
        results = predict_set(GreyEngine(), faces, "given", GreyDetector())
        found = evaluate("<../a b>", "folder", "given", faces, results, SEVEN)
        page = write_report(tmp_path, [found], "grey")
        assert "&lt;../a b&gt;" in page.read_text(encoding="utf-8")
