"""Tiny made-up data sets in the layouts of the published ones. No faces are in them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from edan_ros.core.geometry import MEAN_SHAPE


def make_image(level: int = 100, size: tuple[int, int] = (48, 48)) -> np.ndarray:
    """(h, w) of one grey level, by which tests identify an image."""
    return np.full(size, level, np.uint8)


def save(path: Path, level: int = 100, size: tuple[int, int] = (48, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), make_image(level, size))
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def landmarks(scale: float = 30.0, middle: float = 24.0) -> np.ndarray:
    """(68, 2) mean shape in pixels of an image."""
    return (MEAN_SHAPE * scale + middle).astype(np.float32)


def archive(folder: Path, names: list[str], size: tuple[int, int] = (48, 48)) -> Path:
    """``images.zip`` with an image for each name, the n-th of grey level 10 n."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "images.zip", "w") as file:
        for number, name in enumerate(names):
            data = cv2.imencode(Path(name).suffix, make_image(10 * number % 250, size))[1].tobytes()
            file.writestr(name, data)
    return folder


def kdef_archive(folder: Path) -> Path:
    """One woman in both sessions and one man."""
    rows = ["AF01ANS.jpg,anger,AF01,F", "BF01HAS.jpg,happy,BF01,F", "AM02NES.jpg,neutral,AM02,M"]
    write(folder / "labels.csv", "\n".join(["image,emotion,session_and_person,sex", *rows]) + "\n")
    return archive(folder, [row.split(",")[0] for row in rows])


def london(folder: Path) -> Path:
    """Two people, neutral and smiling; the second one's age is unknown."""
    rows = [
        *(
            "001_03_neutral.jpg,neutral,001,24,female,white",
            "001_08_smile.jpg,happy,001,24,female,white",
        ),
        *(
            "002_03_neutral.jpg,neutral,002,NA,male,east_asian",
            "002_08_smile.jpg,happy,002,NA,male,east_asian",
        ),
    ]
    header = "image,emotion,person,age,gender,ethnicity"
    write(folder / "labels.csv", "\n".join([header, *rows]) + "\n")
    points = np.arange(378, dtype=np.float32).reshape(189, 2)
    np.savez(folder / "template_points.npz", **{"001_03_neutral.jpg": points})
    return archive(folder, [row.split(",")[0] for row in rows])


def landmark_archive(folder: Path, names: list[str], **columns: object) -> Path:
    """``images.zip`` and ``labels.npz`` with the same landmarks for each image."""
    points = np.repeat(landmarks()[None], len(names), axis=0)
    archive(folder, names)
    np.savez(folder / "labels.npz", name=np.array(names), landmarks=points, **columns)
    return folder


def fer2013_npz(folder: Path) -> Path:
    """Six images of grey level 10 times the row.

    One for training, one that leaks, one of few votes, two of the public test, of which one has
    no majority, and one of the private test.
    """
    archive(folder, [f"fer{row:07d}.png" for row in range(6)])
    votes = np.zeros((6, 10), np.uint8)
    votes[[0, 1, 3], 1] = 10  # happy
    votes[2, [0, 8]] = 5
    votes[4, [0, 1]] = 5
    votes[5, 4] = 10  # anger
    points = np.repeat(landmarks()[None], 6, axis=0).astype(np.float16)
    points[0] = np.nan
    np.savez(
        folder / "labels.npz",
        row=np.arange(6, dtype=np.int32),
        usage=np.array([0, 0, 0, 1, 1, 2], np.uint8),
        fer_label=np.array([3, 3, 6, 4, 3, 0], np.uint8),
        ferplus_votes=votes,
        landmarks=points,
        train_leak=np.array([False, True, False, False, False, False]),
    )
    return folder


def fer2013_csv(folder: Path, *, votes: bool = True) -> Path:
    """The file of Kaggle: two training images, one of each test; FER+ beside it."""
    rows = [(3, 10, "Training"), (6, 20, "Training"), (4, 30, "PublicTest"), (0, 40, "PrivateTest")]
    pixel_csv(folder / "fer2013.csv", rows)
    if votes:
        header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt"
        counts = ["0,10,0,0,0,0,0,0,0,0", "0,0,0,0,0,0,0,8,2,0"]
        counts += ["0,0,0,2,0,0,8,0,0,0", "1,0,0,0,9,0,0,0,0,0"]
        body = [
            f"{row[2]},fer{i:07d}.png,{c}"
            for i, (row, c) in enumerate(zip(rows, counts, strict=True))
        ]
        write(folder / "fer2013new.csv", "\n".join([f"{header},unknown,NF", *body]) + "\n")
    return folder


def affectnet_csv(folder: Path, *, header: bool = True) -> Path:
    """Validation rows: neutral, anger, contempt and one without an expression."""
    columns = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks"
    points = ";".join(f"{v:.2f}" for v in landmarks().ravel())
    lines = [f"{columns},expression,valence,arousal"] if header else []
    for number, label in enumerate((0, 6, 7, 8)):
        marks = points if label < 8 else "-"
        lines.append(f"1/{number}.jpg,4,4,40,40,{marks},{label},0.1,-0.2")
        save(folder / "Manually_Annotated_Images" / "1" / f"{number}.jpg", 40 + number)
    write(folder / "Manually_Annotated_file_lists" / "validation.csv", "\n".join(lines) + "\n")
    return folder


def affectnet_npy(folder: Path) -> Path:
    """The later layout: happy and contempt, labels stored as text."""
    for number, label in enumerate(("1", "7")):
        save(folder / "train_set" / "images" / f"{number}.jpg", 60 + number, (224, 224))
        notes = folder / "train_set" / "annotations"
        notes.mkdir(exist_ok=True)
        np.save(notes / f"{number}_exp.npy", np.array(label))
        np.save(notes / f"{number}_lnd.npy", landmarks(150, 112).ravel().astype(np.float64))
    return folder


def ckplus(folder: Path) -> Path:
    """Three sequences: surprise (7), contempt (2) and one without a label."""
    for sequence, label in (("S005/001", 7), ("S010/002", 2), ("S011/003", None)):
        stem = sequence.replace("/", "_")
        for frame in range(1, 5):
            name = f"{stem}_{frame:08d}"
            save(folder / "cohn-kanade-images" / sequence / f"{name}.png", 50 + frame, (490, 640))
            marks = "\n".join(f"   {x:.7e}   {y:.7e}" for x, y in landmarks(200, 240))
            write(folder / "Landmarks" / sequence / f"{name}_landmarks.txt", marks)
        (folder / "Emotion" / sequence).mkdir(parents=True)
        if label is not None:
            file = folder / "Emotion" / sequence / f"{stem}_00000004_emotion.txt"
            write(file, f"   {label:.7e}\n")
    write(folder / "cohn-kanade-images" / "S005" / "001" / ".DS_Store", "")
    return folder


def rafdb(folder: Path) -> Path:
    """The official layout: two training images and a test image."""
    labels = (("train_00001", 5), ("train_00002", 1), ("test_0001", 7))
    lines = [f"{name}.jpg {label}" for name, label in labels]
    write(folder / "basic" / "EmoLabel" / "list_patition_label.txt", "\n".join(lines) + "\n")
    five = "20\t20\n40\t20\n30\t30\n22\t42\n38\t42\n1\n0\n2\n"
    for number, (name, _) in enumerate(labels):
        images = folder / "basic" / "Image"
        save(images / "aligned" / f"{name}_aligned.jpg", 70 + number, (100, 100))
        save(images / "original" / f"{name}.jpg", 170 + number, (120, 160))
        write(folder / "basic" / "Annotation" / "manual" / f"{name}_manu_attri.txt", five)
    return folder


def pts(path: Path, points: np.ndarray) -> Path:
    body = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    return write(path, f"version: 1\nn_points:  {len(points)}\n{{\n{body}\n}}\n")


def pixel_csv(path: Path, rows: list[tuple[int, int, str]]) -> Path:
    """A row of (label, grey level, usage) per image of 48x48, as on Kaggle."""
    lines = [f"{label},{' '.join([str(level)] * 48 * 48)},{usage}" for label, level, usage in rows]
    return write(path, "\n".join(["emotion,pixels,Usage", *lines]) + "\n")


def jaffe(folder: Path) -> Path:
    """Grey level 10 times the index of the code."""
    for number, code in enumerate(("AN", "DI", "FE", "HA", "NE", "SA", "SU")):
        save(folder / f"KA.{code}1.{39 + number}.tiff", 10 * number, (256, 256))
    return folder


def kdef(folder: Path) -> Path:
    """Seven expressions of one woman from three cameras."""
    for code in ("AF", "AN", "DI", "HA", "NE", "SA", "SU"):
        for view in ("S", "HL", "FR"):
            save(folder / "AF01" / f"AF01{code}{view}.JPG")
    return folder


def ferg(folder: Path) -> Path:
    """Seven expressions of one character."""
    for word in ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"):
        save(folder / "aia" / f"aia_{word}" / f"aia_{word}_1.png")
    return folder


def ised(folder: Path, *, header: bool = True) -> Path:
    """Five peak images, the last labelled by a word."""
    rows = [["number", *("x",) * 5, "emotion"]] if header else []
    for i, value in enumerate([1, 2, 3, 4, "Disgust"]):
        save(folder / "peakImages" / f"{i}_7_39.jpg", 80 + i)
        rows.append([i, "P1", 7, 39, "videos", f"peakImages\\{i}_7_39.jpg", value])
    savemat(str(folder / "ISED_details.mat"), {"details": np.array(rows, object)})
    return folder


def classes(folder: Path) -> Path:
    """A folder of images for two emotions and contempt."""
    for word in ("Happiness", "6_sad", "Contempt"):
        save(folder / word / "1.png")
    return folder


def pts_folder(folder: Path) -> Path:
    """Two images with landmarks beside."""
    for name in ("indoor_001", "outdoor_001"):
        save(folder / f"{name}.png")
        pts(folder / f"{name}.pts", landmarks() + 1)
    return folder


def landmarks68(folder: Path) -> Path:
    """Faces of 30 photographs, two of each."""
    names = [f"helen_{photo}_{face}.jpg" for photo in range(30) for face in (1, 2)]
    return landmark_archive(folder, names)


def ytf68(folder: Path) -> Path:
    """Two frames of 30 people each."""
    names = [f"Person_{number}_{frame:02d}.jpg" for number in range(30) for frame in (1, 2)]
    return landmark_archive(folder, names)


def muxspace(folder: Path) -> Path:
    """An image of disgust and one of contempt."""
    return landmark_archive(folder, ["a.png", "b.png"], emotion=[5, 7])
