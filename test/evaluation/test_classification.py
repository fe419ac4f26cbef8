"""A model judged on sets whose answers are known."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import cv2
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
    record,
)

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS
from edan_ros.datasets import DataError, FaceSample, FaceSet
from edan_ros.detection.full_frame import FullFrame
from edan_ros.evaluation import tables
from edan_ros.evaluation.classes import SEVEN, Scale, three
from edan_ros.evaluation.classification import Result, answers, judge
from edan_ros.evaluation.recognition import FOUND, GIVEN, WHOLE, StillImagePipeline, predict_crops

HAPPY, SAD, SURPRISE, FEAR = map(emotion, ("happy", "sad", "surprise", "fear"))


def result(
    *pairs: tuple[int, int | None],
    scale: Scale = SEVEN,
    crop: str = "given",
    layout: str = "folder",
    confidence: float = 0.94,
) -> Result:
    faces = face_set(*pairs)
    said = answers(GreyEngine(confidence), faces, crop, GreyDetector())
    return judge("mine", layout, crop, faces, said, scale)


def test_seven_classes_by_hand() -> None:
    """Happy twice, one of them read as sad; fear once; a picture without a label."""
    found = result(
        (level_of(HAPPY), HAPPY), (level_of(SAD), HAPPY), (level_of(FEAR), FEAR), (100, None)
    )
    assert found.n == 3
    assert found.detected == 1.0
    assert found.accuracy == pytest.approx(2 / 3)
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
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.missed[HAPPY] == found.missed[FEAR] == 1
    assert found.confusion.sum() == 1
    assert found.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert found.reliability.error == pytest.approx(0.06, abs=1e-6)


def test_nobody_found_at_all() -> None:
    found = result((0, HAPPY), crop="detect")
    assert (found.accuracy, found.detected) == (0.0, 0.0)
    assert math.isnan(found.reliability.error)
    assert tables.as_json([found])["sets"]["mine"]["ece"] is None
    assert "not found" in "\n".join(tables.text([found], "grey"))


def test_three_classes() -> None:
    """Surprise is positive, or left out: as truth, and in what is said."""
    pairs = ((level_of(SURPRISE), HAPPY), (level_of(FEAR), SAD), (level_of(HAPPY), SURPRISE))
    positive = result(*pairs, scale=three("positive"))
    assert (positive.n, positive.accuracy) == (3, 1.0)
    ignored = result(*pairs, scale=three("ignore"))
    assert ignored.n == 2
    assert ignored.faces.notes == ["left out: pictures of no class asked for (1)"]
    # What is left without surprise: 0.01 for each other emotion, of which four are negative.
    np.testing.assert_allclose(ignored.probabilities[0], [1 / 6, 1 / 6, 4 / 6], rtol=1e-5)
    np.testing.assert_allclose(ignored.probabilities.sum(axis=1), 1.0)


def test_classes_of_the_polarities() -> None:
    by_name = dict(zip(EMOTIONS, three("positive").class_of, strict=True))
    assert {n for n, c in by_name.items() if c == 1} == {"happy", "surprise"}
    assert {n for n, c in by_name.items() if c == 2} == {"sad", "fear", "disgust", "anger"}
    assert by_name["neutral"] == 0
    assert three("ignore").class_of[SURPRISE] == -1


def test_a_set_of_landmarks_alone_has_no_accuracy() -> None:
    faces = face_set((100, None), (100, None))
    shifted = landmarks() + np.array([3.0, 0.0], np.float32)
    said = list(answers(GreyEngine(), faces, "given", GreyDetector()))
    faces.samples = [record(100, None, landmarks=shifted)] * 2
    found = judge("points", "300w", "given", faces, said, SEVEN)
    assert found.n == 2
    assert math.isnan(found.accuracy)
    eyes = np.linalg.norm(landmarks()[36] - landmarks()[45])
    assert found.landmark_error == pytest.approx(3.0 / eyes, rel=1e-3)
    printed = "\n".join(tables.text([found], "grey"))
    assert "rows are the truth" not in printed
    assert json.loads(json.dumps(tables.as_json([found])))["sets"]["points"]["accuracy"] is None


def test_the_finder_takes_the_face_that_is_meant() -> None:
    """Two faces are found: the largest, unless the set says where the face is."""
    finder, image = StillImagePipeline(GreyEngine(), GreyDetector()), record(140, None).image()
    small = landmarks(16.0, 12.0)
    (largest,) = finder([image], [None])
    np.testing.assert_allclose(largest.landmarks, landmarks(), atol=1.0)
    (meant,) = finder([image], [Box.from_landmarks(small)])
    np.testing.assert_allclose(meant.landmarks, small, atol=1.0)
    assert finder([image], [Box(80.0, 80.0, 10.0, 10.0)]) == [None]


def test_the_finder_looks_twice_and_forgets() -> None:
    engine = GreyEngine()
    finder = StillImagePipeline(engine, GreyDetector())
    image = record(140, None).image()
    assert finder([image, image], [None, None])[1] is not None
    assert engine.runs == 2
    assert finder([record(0, None).image()], [None]) == [None]


def test_a_picture_without_detections_may_be_one_face() -> None:
    """The detector finds nothing in a dim picture: it is one face if the model sees one."""
    dim, dark = record(level_of(HAPPY), None), record(4, None)
    finder = StillImagePipeline(GreyEngine(), NoDetector())
    face, nobody = finder([dim.image(), dark.image()], [None, None])
    assert face is not None
    assert (face.place, int(face.probabilities.argmax())) == (WHOLE, HAPPY)
    assert nobody is None
    elsewhere = Box(0.0, 0.0, 20.0, 20.0)
    assert finder([dim.image()], [elsewhere]) == [None]


def test_a_face_that_is_not_given_is_looked_for() -> None:
    """Given crops: where the set says, else what the detector finds, else the whole picture."""
    level = level_of(SAD)
    faces = FaceSet("all", [record(level, SAD, landmarks=landmarks()), record(level, SAD)])
    said = list(answers(GreyEngine(), faces, "given", GreyDetector()))
    assert [answer.place for answer in said] == [GIVEN, FOUND]
    np.testing.assert_allclose(said[1].landmarks, landmarks(), atol=1.0)
    (_, whole) = answers(GreyEngine(), faces, "given", NoDetector())
    assert whole.place == WHOLE
    frame = FullFrame().detect(faces.samples[1].image())[0].crop()
    np.testing.assert_allclose(Crop.from_landmarks(whole.landmarks).center, frame.center, atol=0.1)
    judged = judge("mine", "folder", "given", faces, said, SEVEN)
    assert (judged.accuracy, judged.detected) == (1.0, 1.0)
    assert tables.about(judged) == "all; face placed by the detector (1)"


def test_pictures_that_cannot_be_read_are_named_and_left_out() -> None:
    def damaged() -> np.ndarray:
        raise DataError("b.png is not a picture")

    faces = face_set((level_of(HAPPY), HAPPY))
    faces.samples.append(FaceSample("b.png", damaged, SAD))
    faces.samples.append(record(80, SAD, landmarks=np.zeros((68, 2), np.float32)))
    for crop in ("given", "detect"):
        said = list(answers(GreyEngine(), faces, crop, GreyDetector()))
        judged = judge("mine", "folder", crop, faces, said, SEVEN)
        assert (judged.n, judged.accuracy) == (1, 1.0)
        (note,) = judged.faces.notes
        assert note.startswith("left out: unreadable (2): b.png is not a picture; 80.png: its land")
    with pytest.raises(DataError, match=r"none of the 1 pictures can be read: b\.png"):
        judge("mine", "folder", "given", FaceSet("all", faces.samples[1:2]), said[1:2], SEVEN)


def test_refinement_looks_again_at_what_was_found() -> None:
    """The engine always says that the face fills its crop: a second look changes nothing."""
    engine = GreyEngine()
    image, crop = record(100, None).image(), Crop.from_landmarks(landmarks())
    (once,) = predict_crops(engine, [image], [crop])
    (twice,) = predict_crops(engine, [image], [crop], refinements=1)
    assert engine.runs == 3
    np.testing.assert_allclose(once.landmarks, twice.landmarks, atol=1e-3)


def test_json_has_exactly_these_figures() -> None:
    figures = tables.as_json([result((level_of(HAPPY), HAPPY), (level_of(SAD), HAPPY))])
    assert list(figures) == ["sets"]
    mine = json.loads(json.dumps(figures))["sets"]["mine"]
    assert list(mine) == ["n", "accuracy", "macro_f1", "ece", "detected", "per_class", "confusion"]
    assert (mine["n"], mine["accuracy"], mine["detected"]) == (2, 0.5, 1.0)
    assert np.array(mine["confusion"]).shape == (7, 7)


def test_tables_hold_the_published_figures_beside_ours() -> None:
    printed = list(tables.side_by_side([result((80, SAD), layout="jaffe")], "grey"))
    assert printed[0] == "Accuracy, seven emotion categories"
    assert "CNN (5), published" in printed[4]
    assert printed[4].endswith("0.502 |")
    assert printed[-1].split("|")[1].strip() == "grey"
    named = judge(
        "CK+",
        "folder",
        "given",
        face_set((80, SAD)),
        answers(GreyEngine(), face_set((80, SAD)), "given", GreyDetector()),
        SEVEN,
    )
    assert "0.736" in "".join(tables.side_by_side([named], "grey"))
    ours = list(tables.side_by_side([result((80, SAD))], "grey"))
    assert not any("published" in line for line in ours)
    polar = list(tables.side_by_side([result((80, SAD), scale=three("x"), layout="ckplus")], "g"))
    assert any(line.startswith("| EmotionalDAN, published") and "0.921" in line for line in polar)


def test_columns_of_a_table_are_in_line() -> None:
    lines = list(tables.markdown(("", "long header"), [("a", "1"), ("bbb", "22")]))
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| a   |           1 |"


class TestReport:
    def test_failures_are_shown_with_the_surest_first(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        from edan_ros.evaluation.report import failures, write_report

        found = result((level_of(HAPPY), HAPPY), (level_of(SAD), HAPPY), (0, FEAR), crop="detect")
        assert failures(found).tolist() == [2, 1]
        page = write_report(tmp_path / "new" / "report", [found], "grey & co")
        text = page.read_text(encoding="utf-8")
        assert "grey &amp; co on mine" in text
        assert "2 failures, 1 of them faces that were not found" in text
        assert "fear <b>not found</b>" in text
        assert "happy, read as <b>sad</b> 0.94" in text
        assert text.count("data:image/jpeg") == 2
        for name in ("mine-confusion.png", "mine-reliability.png"):
            drawn = cv2.imread(str(page.parent / name))
            assert drawn is not None
            assert drawn.std() > 5

    @pytest.mark.parametrize(
        ("privacy", "least", "most"), [("none", 30, 255), ("blur", 0, 12), ("landmarks-only", 0, 0)]
    )
    def test_faces_are_covered_where_asked(
        self, tmp_path: Path, privacy: str, least: float, most: float
    ) -> None:
        pytest.importorskip("matplotlib")
        from edan_ros.evaluation.report import write_report

        found = result((0, FEAR), crop="detect")  # not found: all of the picture is shown
        noise = np.random.default_rng(0).integers(0, 256, (96, 96)).astype(np.uint8)
        found.faces.samples[:] = [replace(r, read=lambda: noise) for r in found.faces.samples]
        page = write_report(tmp_path, [found], "grey", privacy).read_text(encoding="utf-8")
        (data,) = re.findall("data:image/jpeg;base64,([^']+)", page)
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_GRAYSCALE)
        assert least <= pixels.std() <= most

    def test_names_of_sets_make_safe_files(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        from edan_ros.evaluation.report import write_report

        faces = face_set((80, SAD))
        said = answers(GreyEngine(), faces, "given", GreyDetector())
        found = judge("<../a b>", "folder", "given", faces, said, SEVEN)
        page = write_report(tmp_path, [found], "grey")
        assert "&lt;../a b&gt;" in page.read_text(encoding="utf-8")
        assert (tmp_path / "_.._a_b_-confusion.png").is_file()
