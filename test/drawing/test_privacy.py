"""Privacy: nothing of a face is left, nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import Disc, detection_of, landmarks_of
from test_drawing import face_of

from edan_ros.core.boxes import Box
from edan_ros.core.faces import Detection, Face
from edan_ros.core.images import Image
from edan_ros.drawing.privacy import PRIVACY_MODES, PrivacyFilter, anonymize, apply_privacy


def stripes(width: int = 320, height: int = 240) -> np.ndarray:
    """Black and white columns, 4 pixels wide: as fine as an eyebrow of a face of 80 pixels."""
    columns = np.where(np.arange(width) // 4 % 2, 255, 0).astype(np.uint8)
    return np.repeat(np.tile(columns, (height, 1))[..., None], 3, axis=2)


def detail(image: np.ndarray, face: Face) -> float:
    """The largest step between neighbours in the face's box, grey levels."""
    box = face.box.clipped(image.shape[1], image.shape[0])
    part = image[round(box.y) : round(box.y + box.height), round(box.x) : round(box.x + box.width)]
    return float(np.abs(np.diff(part.astype(int), axis=1)).max())


@pytest.mark.parametrize("grey", [False, True])
def test_blur_leaves_no_detail_in_a_face_and_all_of_it_elsewhere(grey: bool) -> None:
    image = stripes()[..., 0] if grey else stripes()
    before = image.copy()
    face = face_of(Disc(160, 120))
    covered = apply_privacy(image, [face], "blur")
    assert detail(before, face) == 255.0
    assert detail(covered, face) <= 10.0
    np.testing.assert_array_equal(covered[:, :70], before[:, :70])
    np.testing.assert_array_equal(covered[:, 250:], before[:, 250:])
    np.testing.assert_array_equal(image, before)


def test_blur_reaches_over_the_forehead_and_under_the_chin() -> None:
    face = face_of(Disc(160, 120))
    changed = (apply_privacy(stripes(), [face], "blur") != stripes()).any(axis=2)
    rows = np.nonzero(changed[:, 160])[0]
    assert rows[0] < face.box.y - 0.5 * face.box.height
    assert rows[-1] > face.box.y + 1.1 * face.box.height


def test_blur_follows_a_tilted_head() -> None:
    """Lying on its side, the crown is beside the face and no longer above it."""
    upright = face_of(Disc(160, 120))
    lying = face_of(Disc(160, 120))
    x, y = (landmarks_of(Disc(0, 0))).T
    lying.landmarks = np.column_stack([160 - y, 120 + x]).astype(np.float32)  # turned clockwise
    for face, crown in ((upright, (120 - 80, 160)), (lying, (120, 160 + 80))):
        changed = (apply_privacy(stripes(), [face], "blur") != stripes()).any(axis=2)
        around = changed[crown[0] - 4 : crown[0] + 5, crown[1] - 4 : crown[1] + 5]
        assert around.mean() > 0.5


def test_detections_are_hidden_too() -> None:
    disc = Disc(160, 120)
    covered = apply_privacy(stripes(), [detection_of(disc)], "blur")
    assert detail(covered, face_of(disc)) <= 10.0


@pytest.mark.parametrize(("x", "y"), [(0, 0), (319, 239), (160, 0)])
def test_faces_at_the_border_are_covered(x: float, y: float) -> None:
    face = face_of(Disc(x, y))
    assert detail(apply_privacy(stripes(), [face], "blur"), face) <= 10.0


def test_an_empty_box_is_hidden_without_an_error() -> None:
    pixels = np.full((48, 48, 3), 7, np.uint8)
    hidden = apply_privacy(pixels, [Detection(Box(40.0, 20.0, 0.0, 0.0), 0.9)], "blur")
    assert np.array_equal(hidden, pixels)


def test_a_face_outside_the_image_changes_nothing() -> None:
    image = stripes()
    covered = apply_privacy(image, [face_of(Disc(1000, 1000))], "blur")
    np.testing.assert_array_equal(covered, image)


def test_landmarks_only_keeps_no_pixel_of_the_image() -> None:
    covered = apply_privacy(stripes(), [], "landmarks-only")
    assert covered.shape == stripes().shape
    assert np.unique(covered).size == 1


def test_none_returns_the_image_itself() -> None:
    image = stripes()
    assert apply_privacy(image, [face_of(Disc(160, 120))], "none") is image


def test_another_mode_is_refused() -> None:
    assert "mosaic" not in PRIVACY_MODES
    with pytest.raises(ValueError, match="privacy is 'mosaic', must be one of none, blur, landm"):
        apply_privacy(stripes(), [], "mosaic")


def test_a_face_is_hidden_before_and_after_its_detection() -> None:
    """Eight images a second; the face is found in ten of them."""
    face, privacy = face_of(Disc(160, 120)), PrivacyFilter[int]("blur")
    ready = []
    for number in range(40):
        found = [face] if 10 <= number < 20 else []
        ready += privacy.add(number / 8, Image(stripes()), found, number)
        assert len(ready) == max(number - 3, 0), "held back for half a second, not longer"
    ready += privacy.flush()
    assert [number for _, number in ready] == list(range(40))
    covered = [number for pixels, number in ready if detail(pixels, face) < 20.0]
    assert covered == list(range(6, 24))


def test_without_looking_ahead_images_come_at_once() -> None:
    face, privacy = face_of(Disc(160, 120)), PrivacyFilter[int]("blur", ahead=False)
    covered = []
    for number in range(40):
        found = [face] if 10 <= number < 20 else []
        ((pixels, at),) = privacy.add(number / 8, Image(stripes()), found, number)
        assert at == number
        covered += [number] if detail(pixels, face) < 20.0 else []
    assert covered == list(range(10, 24))
    assert privacy.flush() == []


@pytest.mark.parametrize("ahead", [True, False])
def test_equal_times_hold_back_no_more_images_than_usual(ahead: bool) -> None:
    privacy, image = PrivacyFilter[int]("blur", ahead=ahead), Image(stripes())
    face = face_of(Disc(160, 120))
    ready = [item for number in range(60) for _, item in privacy.add(0.0, image, [face], number)]
    assert ready == list(range(60 - 15 * ahead))
    assert privacy.remembered_images <= 32


def test_images_that_are_not_a_sequence_are_analysed_one_by_one() -> None:
    faces = [face_of(Disc(90, 120)), face_of(Disc(230, 120))]
    privacy = PrivacyFilter[int]("blur", margin=0.0)
    for number in (0, 1):
        ((pixels, at),) = privacy.add(0.5 * number, Image(stripes()), [faces[number]], number)
        assert at == number
        assert detail(pixels, faces[number]) < 20.0
        assert detail(pixels, faces[1 - number]) == 255.0


def test_a_single_image_hides_faces_that_only_the_detector_finds() -> None:
    known, other = face_of(Disc(90, 120)), Disc(230, 120)
    covered = anonymize(Image(stripes()), [known], "blur", lambda _: [detection_of(other, 0.3)])
    assert detail(covered, known) < 20.0
    assert detail(covered, face_of(other)) < 20.0
    plain = anonymize(Image(stripes()), [known], "none", lambda _: [detection_of(other, 0.3)])
    np.testing.assert_array_equal(plain, stripes())


def test_an_image_decoded_at_reduced_size_is_refused() -> None:
    with pytest.raises(ValueError, match="at full size"):
        anonymize(Image(stripes(), reduction=2), [face_of(Disc(90, 120))], "blur")


def test_further_detections_are_hidden_and_time_may_go_back() -> None:
    disc = Disc(160, 120)
    privacy = PrivacyFilter[str]("blur", lambda _: [detection_of(disc, 0.3)])
    assert privacy.add(5.0, Image(stripes()), [], "before") == []
    (before,) = privacy.add(1.0, Image(stripes()), [], "after")
    (after,) = privacy.flush()
    assert (before[1], after[1]) == ("before", "after")
    assert detail(before[0], face_of(disc)) < 20.0


@pytest.mark.parametrize("mode", ["none", "landmarks-only"])
def test_other_modes_hold_back_no_image(mode: str) -> None:
    ((pixels, item),) = PrivacyFilter[int](mode).add(0.0, Image(stripes()), [], 7)
    assert item == 7
    np.testing.assert_array_equal(pixels, apply_privacy(stripes(), [], mode))


def test_a_privacy_of_another_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="privacy is 'thick'"):
        PrivacyFilter("thick")
