"""Drawing: inside the image at every size, in the emotion's colour, the source untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import Disc, landmarks_of

from edan_ros.core.boxes import Box
from edan_ros.core.crops import Crop
from edan_ros.core.emotions import EMOTIONS, UNKNOWN, label_of
from edan_ros.core.eyes import Eyes
from edan_ros.core.faces import Face, FrameResult
from edan_ros.core.images import Image
from edan_ros.drawing.colours import EMOTION_COLOURS, LIME, SKY, STATE_COLOURS, Colour
from edan_ros.drawing.faces import annotate

BACKGROUND = 90


def face_of(disc: Disc, emotion: int = 1, track_id: int = 3) -> Face:
    probabilities = np.full(7, 0.02)
    probabilities[emotion if emotion != UNKNOWN else 0] = 0.88
    landmarks = landmarks_of(disc).astype(np.float32)
    return Face(
        track_id=track_id,
        box=Box.from_landmarks(landmarks),
        presence=0.9,
        landmarks=landmarks,
        emotion=emotion,
        label=label_of(emotion),
        confidence=0.88,
        probabilities=probabilities,
        raw_probabilities=probabilities,
        polarity=1,
        polarity_probabilities=np.array([0.1, 0.8, 0.1]),
        valence=0.5,
        arousal=0.2,
        attention=np.eye(8, dtype=np.float32)[None].repeat(7, axis=0),
        crop=Crop.from_landmarks(landmarks),
    )


def blank(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def has_colour(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((image == np.array(colour, np.uint8)).all(axis=2).any())


def changed(image: np.ndarray) -> np.ndarray:
    return (image != BACKGROUND).any(axis=2)


@pytest.mark.parametrize("emotion", [*range(7), UNKNOWN])
def test_the_face_is_drawn_in_the_colour_of_its_label(emotion: int) -> None:
    drawn = annotate(blank(640, 480), [face_of(Disc(320, 240), emotion)], panels=False)
    assert has_colour(drawn, EMOTION_COLOURS[label_of(emotion)])
    others = [c for name, c in EMOTION_COLOURS.items() if name != label_of(emotion)]
    assert not any(has_colour(drawn, c) for c in others)


def test_every_label_has_its_own_colour() -> None:
    assert set(EMOTION_COLOURS) == {*EMOTIONS, "unknown"}
    assert len(set(EMOTION_COLOURS.values())) == 8


def test_the_source_is_unchanged_and_may_be_read_only_or_grey() -> None:
    pixels = np.full((240, 320), BACKGROUND, np.uint8)
    pixels.flags.writeable = False
    drawn = annotate(Image(pixels, "mono"), [face_of(Disc(160, 120))])
    assert drawn.shape == (240, 320, 3)
    assert np.all(pixels == BACKGROUND)
    assert changed(drawn).any()


def test_nothing_to_draw_gives_an_equal_copy() -> None:
    source = blank(320, 240)
    drawn = annotate(source, FrameResult([], 320, 240))
    assert np.array_equal(drawn, source)
    assert not np.shares_memory(drawn, source)


def test_bars_are_as_long_as_the_probabilities() -> None:
    """Of the panel's bars of one full length, that of 0.88 is drawn 44 times that of 0.02."""
    with_panel = annotate(blank(1280, 960), [face_of(Disc(300, 400, 200), 1)])
    rows = (with_panel == EMOTION_COLOURS["happy"]).all(axis=2)[:, 420:].sum(axis=1)
    other = (with_panel == EMOTION_COLOURS["anger"]).all(axis=2)[:, 420:].sum(axis=1)
    assert rows.max() / max(other.max(), 1) == pytest.approx(44, rel=0.5)


def test_a_panel_is_on_the_side_where_there_is_room() -> None:
    right = changed(annotate(blank(640, 480), [face_of(Disc(150, 240))]))
    left = changed(annotate(blank(640, 480), [face_of(Disc(540, 240))]))
    assert right[:, 230:330].any()
    assert left[:, 350:450].any()


def test_a_panel_never_covers_another_face() -> None:
    faces = [face_of(Disc(100 + 105 * i, 240, 90), track_id=i) for i in range(6)]
    only_boxes = annotate(blank(760, 480), faces, panels=False)
    drawn = annotate(blank(760, 480), faces)
    for face in faces:
        x, y = (int(v) for v in face.box.center)
        part = np.s_[y - 30 : y + 30, x - 30 : x + 30]
        assert np.array_equal(drawn[part], only_boxes[part])


def test_three_faces_have_bars_instead_of_panels() -> None:
    two = [face_of(Disc(200 + 300 * i, 300, 120)) for i in range(2)]
    three = [*two, face_of(Disc(800, 300, 120))]
    pixels = blank(1000, 600)
    assert (annotate(pixels, two)[:, :, 0] == 75).sum() > 1000  # the ground of a panel's bars
    grouped = annotate(pixels, three)
    assert not (grouped == 75).all(axis=2).any()
    assert bar_lengths(grouped, three[0])["happy"] == pytest.approx(0.88, abs=0.02)


def test_a_small_face_has_a_bar_as_wide_as_its_box() -> None:
    face = face_of(Disc(200, 120, 50), emotion=4)
    drawn = annotate(blank(400, 240), [face])
    lengths = bar_lengths(drawn, face)
    assert sum(lengths.values()) == pytest.approx(1.0, abs=0.05)
    assert lengths["fear"] == pytest.approx(0.88, abs=0.05)


def bar_lengths(image: np.ndarray, face: Face) -> dict[str, float]:
    """Return the part of the row of the bar below a face that each emotion's colour fills."""
    x0, x1 = int(face.box.x - 0.06 * face.box.size), int(face.box.x + 1.06 * face.box.width)
    below = image[int(face.box.y + 1.07 * face.box.height) + 4 :, x0:x1]
    matches = {n: (below == np.array(c)).all(axis=2) for n, c in EMOTION_COLOURS.items()}
    colours = [matches[name] for name in EMOTIONS]
    row = max(
        range(len(below)), key=lambda r: len({i for i, m in enumerate(colours) if m[r].any()})
    )
    return {n: float(matches[n][row].mean()) for n in EMOTIONS}


@pytest.mark.parametrize(("size", "drawn"), [(40, False), (60, True), (120, True)])
def test_landmarks_are_left_out_on_tiny_faces(size: int, drawn: bool) -> None:
    face = face_of(Disc(200, 200, size))
    inner = np.s_[200 - size // 3 : 200 + size // 3, 200 - size // 3 : 200 + size // 3]
    image = annotate(blank(400, 400), [face], panels=False)
    assert face.box.size == pytest.approx(size, rel=0.2)
    assert changed(image)[inner].any() == drawn


def test_landmarks_of_small_faces_are_half_transparent() -> None:
    colour = np.array(EMOTION_COLOURS["happy"], int)
    small, large = (
        annotate(blank(400, 400), [face_of(Disc(200, 200, size))])[160:240, 160:240].reshape(-1, 3)
        for size in (80, 160)
    )
    assert (large == colour).all(axis=1).any()
    assert np.abs(small - colour).sum(axis=1).min() >= np.abs((colour - BACKGROUND) // 2).sum() - 3


def eyes_drawn(size: int, gaze: tuple[float, float, float], **given: object) -> np.ndarray:
    """Return where the drawing of eyes changes an image of a face: (rows, columns) from its box."""
    face = face_of(Disc(300, 200, size))
    openness = np.array([1.0, given.pop("left", 1.0)], np.float32)
    face.eyes = Eyes(openness, 1, np.array(gaze), 0.0, 0.0)
    without = annotate(blank(600, 400), [face], eyes=False)
    rows, columns = np.nonzero((annotate(blank(600, 400), [face], **given) != without).any(axis=2))
    return np.stack([rows - face.box.y, columns - face.box.x], axis=1) / face.box.size


def test_a_ray_shows_where_the_eyes_look() -> None:
    ahead = eyes_drawn(200, (0.0, 0.0, -1.0))
    right = eyes_drawn(200, (0.8, 0.0, -0.6))
    assert right[:, 1].max() - ahead[:, 1].max() == pytest.approx(0.8 * 0.8, abs=0.25)
    assert right[:, 1].min() == pytest.approx(ahead[:, 1].min(), abs=0.02)
    down = eyes_drawn(200, (0.0, 0.8, -0.6))
    assert down[:, 0].max() - ahead[:, 0].max() == pytest.approx(0.8 * 0.8, abs=0.1)


def test_closed_eyes_have_no_ray_and_small_faces_no_eyes() -> None:
    both, one = (eyes_drawn(200, (0.8, 0.0, -0.6), left=left) for left in (1.0, 0.0))
    assert one[:, 1].max() < both[:, 1].max() - 0.1
    assert len(eyes_drawn(200, (0.8, 0.0, -0.6), eyes=False)) == 0
    assert len(eyes_drawn(60, (0.8, 0.0, -0.6))) == 0


def test_labels_and_bars_cover_no_face() -> None:
    faces = [face_of(Disc(60 + 90 * (i % 6), 60 + 88 * (i // 6), 60), i % 7, i) for i in range(24)]
    drawn = annotate(blank(600, 400), faces, landmarks=False)
    for face in faces:
        box = face.box
        inside = drawn[
            round(box.y) + 1 : round(box.y + box.height),
            round(box.x) + 1 : round(box.x + box.width),
        ]
        assert not changed(inside).any()


def test_the_label_of_a_face_that_fills_the_image_covers_no_landmark() -> None:
    face = face_of(Disc(320, 240, 1000))
    drawn = annotate(blank(640, 480), [face], landmarks=False, panels=False)
    tag = (drawn == EMOTION_COLOURS["happy"]).all(axis=2)
    assert tag.any()
    inside = [(x, y) for x, y in face.landmarks if 0 <= x < 640 and 0 <= y < 480]
    assert not any(tag[int(y), int(x)] for x, y in inside)


def test_attention_colours_the_face_alone() -> None:
    face = face_of(Disc(160, 120, 60))
    plain = annotate(blank(320, 240), [face], panels=False, landmarks=False)
    hot = annotate(blank(320, 240), [face], panels=False, landmarks=False, attention=True)
    difference = (plain != hot).any(axis=2)
    assert difference[100:140, 140:180].any()
    assert not difference[:, 220:].any()
    assert not difference[:, :100].any()


def test_the_map_of_a_face_at_the_border_lies_where_that_of_a_whole_face_lies() -> None:
    whole = annotate(
        blank(320, 240), [face_of(Disc(100, 90, 60))], panels=False, landmarks=False, attention=True
    )
    cut = annotate(
        blank(320, 240), [face_of(Disc(40, 30, 60))], panels=False, landmarks=False, attention=True
    )
    # Inside the face, away from box and label.
    difference = whole[65:115, 75:130].astype(int) - cut[5:55, 15:70]
    assert np.abs(difference).max() <= 2
    assert np.ptp(cut[5:55, 15:70]) > 30


discs = st.lists(
    st.builds(Disc, st.floats(-200, 2200), st.floats(-200, 1300), st.floats(2, 1500)), max_size=4
)


@settings(max_examples=40)
@given(
    st.sampled_from([(1, 1), (20, 10), (64, 64), (320, 240), (1920, 1080)]),
    discs,
    st.booleans(),
)
def test_any_faces_on_any_image_are_drawn(size, present, attention) -> None:
    faces = [face_of(disc, UNKNOWN if i else 2, i) for i, disc in enumerate(present)]
    drawn = annotate(blank(*size), faces, attention=attention)
    assert drawn.shape == (size[1], size[0], 3)


#: Linear RGB as seen with severe colour blindness: Machado, Oliveira and Fernandes, "A
#: Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, table 1.
SEEN_BY = {
    "everybody else": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


@pytest.mark.parametrize("sight", SEEN_BY)
@pytest.mark.parametrize(
    "colours", [[*EMOTION_COLOURS.values()], [*STATE_COLOURS.values()], [SKY, LIME]]
)
def test_any_two_colours_differ_for_the_colour_blind(colours: list[Colour], sight: str) -> None:
    color = pytest.importorskip("skimage.color")
    rgb = np.array(colours)[:, ::-1] / 255.0
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(SEEN_BY[sight]).T, 0.0, 1.0)
    shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = color.rgb2lab(shown[None])[0]
    first, second = np.triu_indices(len(lab), 1)
    # About 1 is the least difference that can be seen, side by side.
    assert color.deltaE_ciede2000(lab[first], lab[second]).min() > 15.0
