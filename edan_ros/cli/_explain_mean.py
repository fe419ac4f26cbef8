"""`edan explain --mean`: maps over a data set, their landmarks, and whether they are true."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edan_ros.cli._arguments import make_folder
from edan_ros.cli._pipeline import DEFAULT_MODEL, settings_of
from edan_ros.core.emotions import EMOTIONS
from edan_ros.datasets import DataError, DatasetSpec, FaceSet, parse_dataset, read

if TYPE_CHECKING:
    from rich.console import Console

    from edan_ros.engines import Engine
    from edan_ros.explain.study import Averaged

TABLES, CURVES = "mean_maps.md", "curves.png"


def run_mean(args: argparse.Namespace) -> int:
    from rich.console import Console

    from edan_ros.engines import create_engine
    from edan_ros.explain.study import run_study
    from edan_ros.explain.study_figures import draw_curves, draw_mean_maps
    from edan_ros.explain.study_tables import markdown
    from edan_ros.recording.pictures import write_picture

    if args.emotion or args.method:
        raise DataError(
            "--mean explains every emotion by every method: leave out --emotion, --method"
        )
    source = _source(args.mean)
    faces = _labelled(read(source.layout, source.path, **source.options), args.mean)
    settings = settings_of(args)
    engine = create_engine(settings.get("engine", "auto"), settings.get("model", DEFAULT_MODEL))
    make_folder(args.out)
    console = Console(stderr=True)
    with console.status("reading") as status:

        def tell(emotion: int, done: int) -> None:
            status.update(f"{EMOTIONS[emotion]}: {done} of at most {args.count} faces")

        study = run_study(
            faces, engine, count=args.count, averaged=_averaged(engine, console), on_face=tell
        )
    if not study.faces:
        raise DataError(f"of {args.mean} the model reads no face as it is labelled")
    manifest = engine.manifest
    title = (
        f"# Mean maps: {source.name}, {faces.about}; {manifest.name} {manifest.version}, "
        f"sha256 {manifest.sha256[:12]}\n\n"
    )
    tables = title + markdown(study)
    (args.out / TABLES).write_text(tables, encoding="utf-8")
    for method in study.methods:
        write_picture(args.out / f"mean_{method}.png", draw_mean_maps(study, method))
    write_picture(args.out / CURVES, draw_curves(study))
    print(tables)
    print(f"{len(study.faces)} faces explained: {args.out}/")
    return 0


def _source(text: str) -> DatasetSpec:
    """LAYOUT=PATH, or the path of a folder with a folder for each emotion."""
    path = Path(text)
    if path.is_dir():
        return DatasetSpec("folder", path.name, path)
    if "=" not in text:
        raise DataError(
            f"there is no folder {text}: give one with a folder of pictures for each emotion, or "
            f"LAYOUT=PATH, such as fer2013={text}"
        )
    return parse_dataset(text)


def _labelled(faces: FaceSet, text: str) -> FaceSet:
    if not any(record.emotion is not None for record in faces.samples):
        raise DataError(f"{text} says of no picture what emotion it shows")
    return faces


def _averaged(engine: Engine, console: Console) -> Averaged | None:
    """Grad-CAM with averaged gradients, where the onnx library is there to compare with it."""
    from edan_ros.explain.grad_cam import AveragedGradCam

    try:
        return AveragedGradCam(engine.manifest).maps
    except ModuleNotFoundError:
        console.print("without the onnx library: no comparison with averaged Grad-CAM")
        return None
