"""A training configuration for a folder of photos, and what to expect of it. Without torch."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from edan_ros.core.emotions import EMOTIONS
from edan_ros.core.wording import plural
from edan_ros.datasets import DataError, FaceSet, read
from edan_ros.datasets.files import find_folder
from edan_ros.datasets.folder import has_classes
from edan_ros.engines.manifest import sha256_of

#: Names of the folder with the photos for validation.
_TESTS = ("test", "val", "valid", "validation")
#: Fewest photos to train on, largest batch, epochs, and samples of an epoch.
_FEWEST, _BATCH, _EPOCHS, _SAMPLES = 16, 64, 3, 6000
#: Samples per second on one core of a server processor, without and with bfloat16.
_RATES = 60, 150


@dataclass(frozen=True)
class NewTraining:
    """A configuration. text: the YAML file. summary: what to expect, line by line."""

    text: str
    summary: list[str]


def new_training(folder: Path, config: Path) -> NewTraining:
    """Return the configuration that trains on a folder of photos from edan-lite.

    Args:
        folder: with ``train`` and ``test``, each with a folder of images per emotion.
        config: where the configuration will be written; named in the commands.

    Raises:
        DataError: for a folder of another form, and with too few photos.
    """
    folder = folder.resolve()
    if has_classes(folder):
        raise DataError(
            f"{folder} holds one folder per emotion: put the photos of about a fifth of the people "
            "into test/ and the others into train/, each with one folder per emotion"
        )
    parts = {
        name: find_folder(folder, *names)
        for name, names in (("train", ("train",)), ("test", _TESTS))
    }
    sets = {name: read("folder", path) for name, path in parts.items()}
    count = len(sets["train"])
    if count < _FEWEST:
        raise DataError(
            f"{parts['train']} holds {plural(count, 'photo')}: training needs at least {_FEWEST}"
        )
    name = re.sub(r"[^\w.-]+", "_", config.stem)
    root = _shortest(folder.parent)
    where = f"--data {shlex.quote(str(root))}"
    train = f"edan train {shlex.quote(str(config))} {where} --out runs/{name} --start edan-lite"
    export = f"edan export {shlex.quote(str(config))} runs/{name} {where} --to models --half"
    batch = min(_BATCH, 1 << (count.bit_length() - 1))
    samples = min(_SAMPLES, 20 * count) // batch * batch
    template = resources.files("edan_ros.training.emotion").joinpath("new_training.yaml")
    text = Template(template.read_text(encoding="utf-8")).substitute(
        name=json.dumps(name),
        train=train,
        export=export,
        batch=batch,
        samples=samples,
        epochs=_EPOCHS,
        train_path=json.dumps(parts["train"].relative_to(folder.parent).as_posix()),
        test_path=json.dumps(parts["test"].relative_to(folder.parent).as_posix()),
    )
    summary = [
        *(f"{part}: {_count(faces)}" for part, faces in sets.items()),
        *_warnings(sets["train"], sets["test"]),
        *_shared(parts, sets),
        f"{_EPOCHS} epochs of {samples} samples: about {_minutes(_EPOCHS * samples)} on one core "
        "of a processor, less on a GPU",
        "Next:",
        f"  {train}",
        f"  {export}",
    ]
    return NewTraining(text, summary)


def _count(faces: FaceSet) -> str:
    by_emotion = _by_emotion(faces)
    named = ", ".join(f"{name} {by_emotion[name]}" for name in EMOTIONS if by_emotion[name])
    return "; ".join([f"{plural(len(faces), 'photo')} ({named})", *faces.notes])


def _by_emotion(faces: FaceSet) -> Counter[str]:
    return Counter(EMOTIONS[s.emotion] for s in faces.samples if s.emotion is not None)


def _warnings(train: FaceSet, test: FaceSet) -> Iterator[str]:
    trained, tested = _by_emotion(train), _by_emotion(test)
    missing = [name for name in EMOTIONS if not trained[name]]
    if missing:
        yield f"no photos of {', '.join(missing)} to train on: these may be recognised less well"
    few = [name for name in EMOTIONS if trained[name] and tested[name] < 20]
    if few:
        yield f"fewer than 20 test photos of {', '.join(few)}: their figures will be rough"


def _shared(parts: Mapping[str, Path], sets: Mapping[str, FaceSet]) -> Iterator[str]:
    """Yield a warning where a test photo is also trained on, byte for byte."""
    files = {part: [parts[part] / s.name for s in faces.samples] for part, faces in sets.items()}
    trained = set(map(sha256_of, files["train"]))
    shared = [file for file in files["test"] if sha256_of(file) in trained]
    if shared:
        yield (
            f"{plural(len(shared), 'test photo is', 'test photos are')} also in train, such as "
            f"{_shortest(shared[0])}: remove one of each pair, or the figures will be too good"
        )


def _minutes(samples: int) -> str:
    low, high = (max(round(samples / rate / 60.0), 1) for rate in reversed(_RATES))
    return f"{low} to {high} minutes" if low < high else "a minute"


def _shortest(path: Path) -> Path:
    """Return a path relative to the current folder if it is inside."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
