"""Manifests: loading, saving and verification."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edan_ros.core.emotions import EMOTIONS
from edan_ros.engines import create_engine
from edan_ros.engines.manifest import (
    EngineError,
    Manifest,
    ModelError,
    load_manifest,
    sha256_of,
    shipped_models,
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.onnx"
    path.write_bytes(b"not really a network")
    Manifest(path=path, name="small", version="1", sha256=sha256_of(path), input_size=64).save()
    return path


def test_a_saved_manifest_is_loaded_unchanged(model: Path) -> None:
    manifest = load_manifest(model)
    assert manifest.path == model
    assert manifest.labels == EMOTIONS
    assert load_manifest(model.with_suffix(".json")) == manifest


def test_a_damaged_model_is_reported_with_both_checksums(model: Path) -> None:
    expected = sha256_of(model)
    model.write_bytes(b"not really a netwerk")
    with pytest.raises(ModelError) as caught:
        load_manifest(model)
    for part in (str(model), expected, sha256_of(model)):
        assert part in str(caught.value)


def test_a_missing_model_file_is_named(model: Path) -> None:
    model.unlink()
    with pytest.raises(ModelError, match=r"small\.onnx is missing"):
        load_manifest(model)


def test_an_unknown_name_lists_the_shipped_models() -> None:
    with pytest.raises(ModelError, match="edan-lite"):
        load_manifest("no-such-model")


def test_a_path_without_a_manifest_is_rejected(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    with pytest.raises(ModelError, match=r"there is no model .*other\.onnx$"):
        load_manifest(other)
    other.touch()
    with pytest.raises(ModelError, match=r"cannot read the manifest .*other\.json"):
        load_manifest(other)


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("labels", ["happy"], "expected neutral"),
        ("input_size", 0, "input_size"),
        ("temperature", -1.0, "temperature"),
        ("surprise", 1, "not a model manifest"),
    ],
)
def test_an_invalid_field_is_named(model: Path, entry: str, value: object, message: str) -> None:
    record = model.with_suffix(".json")
    record.write_text(json.dumps({**json.loads(record.read_text()), entry: value}))
    with pytest.raises(ModelError, match=message):
        load_manifest(model)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_arbitrary_manifest_content_raises_only_model_error(model: Path, content: bytes) -> None:
    record = model.with_suffix(".json")
    record.write_bytes(content)
    with pytest.raises(ModelError):
        load_manifest(model)


def test_a_file_that_is_not_an_onnx_model_is_rejected(model: Path) -> None:
    with pytest.raises(ModelError, match="not a model that ONNX Runtime can load"):
        create_engine("onnxruntime", model)


def test_an_unknown_engine_lists_the_engines() -> None:
    with pytest.raises(EngineError, match="onnxruntime"):
        create_engine("abacus", "edan-lite")


@pytest.mark.parametrize("name", shipped_models())
def test_shipped_models_are_complete(name: str) -> None:
    manifest = load_manifest(name)
    assert manifest.name == name
    assert manifest.terms, "a shipped model states its licence terms"
    assert "command" in manifest.training
