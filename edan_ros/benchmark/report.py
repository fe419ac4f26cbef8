"""Show results as tables in the terminal and as a roofline plot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table

from edan_ros.benchmark.models import ModelRow
from edan_ros.benchmark.results import PeerRow, Results, RosRow, SoakRow
from edan_ros.benchmark.stages import PipelineRow
from edan_ros.drawing.charts import Line, Panel, line_chart

#: Stages in the order of processing.
_STAGES = ("decode", "detect", "crop", "infer", "track", "smooth", "eyes", "publish")
#: Stages that run the models of a face.
_MODELS = ("infer", "eyes")


def tables(results: Results) -> Group:
    """Return the measured sections, each as a table with units in its header."""
    return Group(*_sections(results))


def _sections(results: Results) -> Iterator[RenderableType]:
    yield _machine(results)
    if results.model:
        yield _models(results.model)
    if results.pipeline:
        yield _pipeline(results.pipeline)
    if results.ros:
        yield _ros(results.ros)
    if results.peers:
        yield _peers(results.peers)
    yield from _node(results.soak, results)


def _table(title: str, *columns: str, words: int = 1) -> Table:
    """Create a table whose first ``words`` columns are text and whose others are numbers."""
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_header=any(columns),
    )
    for number, column in enumerate(columns):
        table.add_column(
            column, justify="left" if number < words else "right", no_wrap=any(columns)
        )
    return table


def _machine(results: Results) -> Table:
    machine = results.machine
    table = _table("Machine: peak performance", "", "", words=2)
    table.add_row("processor", f"{machine.cpu}, {machine.cores} cores, {machine.threads} used")
    rates = ", ".join(f"{name} {rate:g}" for name, rate in machine.gemm_by.items())
    table.add_row("matrix product", f"{machine.gemm_gflops_fp32:g} GFLOP/s FP32 ({rates})")
    table.add_row("copy in memory", f"{machine.copy_gbps:g} GB/s")
    return table


def _models(rows: list[ModelRow]) -> Table:
    table = _table(
        "Models alone", "model", "engine", "on", "faces", "ms/face", "faces/s", "x floor", words=3
    )
    for row in rows:
        ratio = "-" if row.floor_ratio is None else f"{row.floor_ratio:.2f}"
        figures = f"{row.ms_per_face:.2f}", f"{1e3 / row.ms_per_face:.0f}", ratio
        place = f"{row.device} {row.precision}"
        table.add_row(row.model, row.engine, place, str(row.batch), *figures)
    return table


def _pipeline(rows: list[PipelineRow]) -> Table:
    names = [name for name in _STAGES if any(name in row.ms for row in rows)]
    table = _table("Pipeline in one process, ms an image", "image", "faces", "fps", *names)
    for row in rows:
        spent = [f"{row.ms.get(name, 0.0):.2f}" for name in names]
        table.add_row(row.resolution, str(row.faces), f"{row.fps:.0f}", *spent)
    return table


def _ros(rows: list[RosRow]) -> Table:
    table = _table(
        "Between processes: ms from stamp to result; rest: ms without recogniser and eyes",
        *("image", "faces", "sent Hz", "got/s", "p50", "p90", "p99", "growth"),
        *("drops", "CPU %", "rest"),
    )
    for row in rows:
        rest = sum(value for name, value in row.ms.items() if name not in _MODELS)
        sent = f"{row.cameras} x {row.offered_hz:g}"
        table.add_row(
            *(row.resolution, str(row.faces), sent, f"{row.fps:.1f}"),
            *(f"{value:.1f}" for value in (row.p50_ms, row.p90_ms, row.p99_ms, row.growth_ms)),
            *(str(row.drops), f"{row.cpu_percent:.0f}", f"{rest:.1f}"),
        )
    return table


def _peers(rows: list[PeerRow]) -> Table:
    table = _table(
        "Beside alternatives",
        "system",
        "images",
        "with a face %",
        "faces",
        "ms/image",
        "accuracy %",
    )
    for row in rows:
        shares = f"{100 * row.with_face:.1f}", f"{100 * row.accuracy:.1f}"
        cells = str(row.images), shares[0], str(row.faces), f"{row.ms:.1f}", shares[1]
        table.add_row(row.system, *cells)
    return table


def _node(soak: SoakRow | None, results: Results) -> Iterator[RenderableType]:
    table = _table("Emotion node", "", "", words=2)
    if results.startup_s is not None:
        table.add_row("start to active", f"{results.startup_s:g} s")
    if results.memory_mb is not None:
        table.add_row("memory", f"{results.memory_mb:g} MB resident")
    if soak is not None:
        table.add_row(
            f"{soak.minutes:g} minutes at 30 Hz",
            f"{soak.start_mb:g} MB after the first, then at most {soak.most_mb:g} MB; without "
            f"shared memory {soak.start_own_mb:g} and {soak.most_own_mb:g} MB",
        )
    if table.row_count:
        yield table


def save_roofline(results: Results, path: Path) -> None:
    """Draw the models' rates against the limits of memory bandwidth and matrix rate, as SVG.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if no model was measured on the processor.
    """
    rows = [row for row in results.model if row.floor_ratio is not None]
    if not rows:
        raise ValueError("a roofline needs a model that ran on the processor")
    machine = results.machine
    peak, bandwidth = machine.gemm_gflops_fp32, machine.copy_gbps
    ridge, highest = peak / bandwidth, max(row.flop_per_byte for row in rows)
    lines = [Line("roof", [ridge / 4, ridge, 2 * highest], [peak / 4, peak, peak], dashed=True)]
    for model, engine in dict.fromkeys((row.model, row.engine) for row in rows):
        series = sorted(
            (row for row in rows if (row.model, row.engine) == (model, engine)),
            key=lambda row: row.flop_per_byte,
        )
        rates = [1e3 * row.gflop / row.ms_per_face for row in series]
        labels = [str(row.batch) for row in series]
        lines.append(
            Line(f"{model}, {engine}", [row.flop_per_byte for row in series], rates, labels)
        )
    panel = Panel(
        f"GFLOP/s; roof: {peak:g} GFLOP/s, {bandwidth:g} GB/s; labels: faces per run",
        lines,
        "FLOP per byte of weights",
        x_log=True,
        y_log=True,
    )
    title = f"{machine.cpu}, {machine.threads} of {machine.cores} cores"
    path.write_text(line_chart([panel], title=title), encoding="utf-8")
