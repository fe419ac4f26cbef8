"""Wording of messages, and tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def plural(count: int, noun: str, many: str = "") -> str:
    """Return a number with its noun: "1 image", "2 images". many: the plural, if not noun + s."""
    return f"{count} {noun}" if count == 1 else f"{count} {many or f'{noun}s'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known name most like one that is wrong, "" without.

    Names that begin with it are more likely; two of them are both named.
    """
    import difflib  # for errors only: it need not be loaded at the start

    names = [*known]
    longer = [each for each in names if name and each.startswith(name)][:2]
    close = longer or difflib.get_close_matches(name, names, 1)
    shown = "' or '".join(close)
    return f"; did you mean '{shown}'?" if close else ""


def printable(name: str) -> str:
    """Return a file name as valid Unicode: bytes that are not UTF-8 become replacement signs."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, first: int = 0
) -> Iterator[str]:
    """Yield the lines of a table with aligned columns: the first to the left, others right.

    Rows from a generator are yielded as they come, in columns as wide as their header.

    Args:
        header: names of the columns.
        rows: as many cells each.
        first: least width of the first column.
    """
    lines = [[str(cell) for cell in row] for row in rows] if isinstance(rows, Sequence) else []
    widths = [max(len(line[i]) for line in (header, *lines)) for i in range(len(header))]
    widths[0] = max(widths[0], first)

    def line(cells: Iterable[object]) -> str:
        first, *others = map(str, cells)
        padded = [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        padded.insert(0, first.ljust(widths[0]))
        return f"| {' | '.join(padded)} |"

    yield line(header)
    rules = [f"{'-' * max(w - 1, 2)}:" if i else "-" * max(w, 3) for i, w in enumerate(widths)]
    yield f"| {' | '.join(rules)} |"
    yield from map(line, lines or rows)
