"""What the node reports about its engine: name, reason, and progress while it is built."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from edan_ros.msg import ModelInfo
from fakes import FakeEngine
from probe import Probe, wait_for

from edan_ros.engines import select_model
from edan_ros.nodes.common import qos


def test_it_reports_the_engine_and_the_reason(
    capfd: pytest.CaptureFixture[str], make_probe: Callable[..., Probe]
) -> None:
    probe = make_probe(model="edan-lite")
    infos: list[ModelInfo] = []
    probe.listen(ModelInfo, "model_info", infos, qos.LATCHED)
    wait_for(lambda: infos, "the latched message")
    assert (infos[0].engine, infos[0].selection_reason) == ("fake", FakeEngine.selection_reason)
    values = {pair.key: pair.value for pair in probe.report("model").values}
    assert (values["engine"], values["selection_reason"]) == ("fake", FakeEngine.selection_reason)
    assert (
        f"configured: fake 1.0 on fake (cpu): {FakeEngine.selection_reason}"
        in capfd.readouterr().err
    )


def test_the_default_model_is_selected_for_the_machine(
    capfd: pytest.CaptureFixture[str], make_probe: Callable[..., Probe]
) -> None:
    requested: list[str] = []
    probe = make_probe(
        autostart=False,
        node={"make_engine": lambda _kind, model, **_: requested.append(model) or FakeEngine()},
    )
    infos: list[ModelInfo] = []
    probe.listen(ModelInfo, "model_info", infos, qos.LATCHED)
    assert probe.transition("configure")
    wait_for(lambda: infos, "the model")
    expected = select_model("auto")
    assert requested == [expected.name]
    assert infos[0].selection_reason.startswith(expected.reason)
    assert expected.reason in capfd.readouterr().err


def test_a_change_of_the_prior_strength_is_published(probe: Probe) -> None:
    infos: list[ModelInfo] = []
    probe.listen(ModelInfo, "model_info", infos, qos.LATCHED)
    assert probe.set(prior_strength=0.25) == (True, "")
    wait_for(lambda: infos and infos[-1].prior_strength == 0.25, "the new prior strength")


class SlowBuild:
    """Builds for as long as the test wants, and reports from a thread of its own, as TensorRT."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.calls = 0

    def __call__(
        self,
        _kind: str,
        _model: str,
        *,
        threads: int,
        cameras: int,
        log: Callable[[str], None],
        progress: Callable[[float], None],
    ) -> FakeEngine:
        assert threads >= 0
        assert cameras == 1
        log("building fake, which takes minutes")
        builder = threading.Thread(target=self._build, args=(progress,))
        builder.start()
        builder.join()
        log("built fake")
        return FakeEngine()

    def _build(self, progress: Callable[[float], None]) -> None:
        while not self.done.is_set():
            self.calls += 1
            progress(min(0.99, 0.001 * self.calls))
            time.sleep(0.002)


def test_progress_of_a_build_is_reported_while_configuring(
    make_probe: Callable[..., Probe], capfd: pytest.CaptureFixture[str]
) -> None:
    build = SlowBuild()
    probe = make_probe(until=None, node={"make_engine": build})
    try:
        wait_for(lambda: len(progress_messages(probe)) >= 3, "three reports of progress")
    finally:
        build.done.set()
    shares = [int(text.split(",")[1].split("%")[0]) for text in progress_messages(probe)]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 99
    assert build.calls > 20 * len(shares), "once a second, however often TensorRT reports"
    probe.wait_for_state("active")
    said = capfd.readouterr().err
    assert said.index("takes minutes") < said.index("built fake") < said.index("configured: fake")


def progress_messages(probe: Probe) -> list[str]:
    statuses = [status for report in list(probe.reports) for status in report.status]
    texts = [s.message for s in statuses if s.name.endswith("model")]
    return [text for text in texts if text.startswith("configuring: building the engine, ")]
