"""The detector on every engine agrees with its network in double precision on real images.

Tolerances: boxes and points of cells with a face 0.1 pixel in FP32 and 0.5 in FP16, scores 1e-3
and 1e-2. As in test_golden.py, the FP16 graph is evaluated with TensorRT's rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edan_ros.detection.detector_model import SHIPPED, TASK, DetectorModel
from edan_ros.detection.edan_detector import DETECTOR_OUTPUTS
from edan_ros.engines.base import INPUT
from edan_ros.engines.manifest import Manifest, load_manifest, sha256_of, shipped_models

torch = pytest.importorskip("torch", reason="torch in double precision is the reference")
pytest.importorskip("onnx", reason="torch reads the weights from the ONNX file")

from half_reference import run as run_rounded  # noqa: E402

from edan_ros.detection.torch_runner import TorchRunner  # noqa: E402
from edan_ros.engines.fp16_graph import to_fp16_graph  # noqa: E402
from edan_ros.networks.face_detector import FaceDetector  # noqa: E402
from edan_ros.training.detector.export import export_detector  # noqa: E402

pytestmark = pytest.mark.skipif(SHIPPED not in shipped_models(TASK), reason="no detector ships")

TOLERANCES = {"fp32": (0.1, 1e-3), "fp16": (0.5, 1e-2)}
#: Minimum score of the cells whose boxes and points are compared, half the usual threshold.
MIN_SCORE = 0.3

Outputs = Mapping[str, NDArray[np.floating]]


@pytest.fixture(scope="module")
def expected(face_images: list[NDArray[np.uint8]]) -> list[Outputs]:
    """Return torch's outputs in double precision."""
    reference = TorchRunner(load_manifest(SHIPPED, TASK), threads=1)
    reference.network.double()
    with pytest.MonkeyPatch.context() as patch:
        # The network computes its geometry in FP32 by calling .float().
        patch.setattr(torch.Tensor, "float", torch.Tensor.double)
        outputs = [reference.run(gray[None, None].astype(np.float64)) for gray in face_images]
    assert outputs[0]["scores"].dtype == np.float64
    return outputs


def check(found: Outputs, expected: Outputs, precision: str) -> float:
    """Check the tolerances and return the largest distance in pixels."""
    pixels, probability = TOLERANCES[precision]
    assert np.abs(found["scores"] - expected["scores"]).max() < probability
    has_face = expected["scores"][0] > MIN_SCORE
    assert has_face.any()
    distance = max(
        float(np.abs(found[name] - expected[name])[0, has_face].max())
        for name in ("boxes", "points")
    )
    assert distance < pixels
    return distance


@pytest.mark.parametrize("kind", ["onnxruntime", "torch"])
def test_detector_engine_agrees_with_double_precision(
    kind: str, face_images: list[NDArray[np.uint8]], expected: list[Outputs]
) -> None:
    network = DetectorModel(engine=kind, threads=1)
    assert (network.runner.name, network.runner.selection_reason) == (kind, "requested")
    for gray, wanted in zip(face_images, expected, strict=True):
        predictions = network(gray)
        found = dict(zip(DETECTOR_OUTPUTS, (values[None] for values in predictions), strict=True))
        check(found, wanted, "fp32")


@pytest.mark.parametrize("blocks", [(0, 1, 2, 1), (2, 5, 4, 3)])
@pytest.mark.parametrize("refined", [0, 3])
def test_networks_of_any_depth_run_on_torch_and_in_fp16(
    blocks: tuple[int, ...], refined: int, tmp_path: Path
) -> None:
    """The runner derives the architecture from the weights."""
    torch.manual_seed(len(blocks) + refined)
    path = tmp_path / "deep.onnx"
    export_detector(FaceDetector(blocks=blocks, refined=refined).eval(), path, threshold=0.5)
    sha256 = sha256_of(path)
    Manifest(path, "deep", "1", sha256, input_size=320, task=TASK, labels=()).save()
    gray = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
    expected = DetectorModel(path, threads=1)(gray)
    rounded = run_rounded(to_fp16_graph(path), {INPUT: gray[None, None].astype(np.float32)})
    found = DetectorModel(path, "torch", threads=1)(gray)
    for name, values in expected._asdict().items():
        np.testing.assert_allclose(getattr(found, name), values, atol=1e-3, err_msg=name)
        np.testing.assert_allclose(rounded[name][0], values, atol=0.5, err_msg=name)


def test_detector_fp16_graph_agrees_with_double_precision(
    face_images: list[NDArray[np.uint8]], expected: list[Outputs]
) -> None:
    graph = to_fp16_graph(load_manifest(SHIPPED, TASK).path)
    distances = [
        check(run_rounded(graph, {INPUT: gray[None, None].astype(np.float32)}), wanted, "fp16")
        for gray, wanted in zip(face_images, expected, strict=True)
    ]
    # The outputs differ by more than FP32 would: the graph really is rounded to FP16.
    assert max(distances) > 1e-3
