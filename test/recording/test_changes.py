from __future__ import annotations

from results import face, result

from edan_ros.core.emotions import UNKNOWN_REASONS
from edan_ros.recording.changes import Changes


def test_a_person_appears_leaves_and_returns() -> None:
    changes = Changes(timeout=0.3)
    assert changes.update(0.0, result()) == []
    assert changes.update(1.0, result(face(1))) == ["   1.00 s  person 1 appears, happy (80 %)"]
    assert changes.update(2.0, result(face(1))) == []
    assert changes.update(2.2, result()) == []
    assert changes.update(2.4, result()) == ["   2.40 s  person 1 is gone after 1.0 s"]
    assert changes.update(2.6, result()) == []
    (line,) = changes.update(3.0, result(face(1)))
    assert line.endswith("person 1 is back, happy (80 %)")


def test_a_short_absence_is_ignored() -> None:
    changes = Changes(timeout=0.3)
    changes.update(0.0, result(face(1)))
    assert changes.update(0.2, result()) == []
    assert changes.update(0.29, result(face(1))) == []
    assert changes.update(0.5, result()) == []


def test_labels_change() -> None:
    changes = Changes()
    changes.update(0.0, result(face(1), face(2, "neutral", 0.6)))
    lines = changes.update(0.1, result(face(1, "sad", 0.55), face(2, "unknown", 0.3)))
    assert lines == [
        "   0.10 s  person 1 happy -> sad (55 %)",
        "   0.10 s  person 2 neutral -> unknown",
    ]
    assert changes.update(0.2, result(face(1, "sad", 0.9), face(2, "unknown", 0.3))) == []


def test_an_unknown_emotion_is_described_with_its_reason() -> None:
    changes = Changes()
    turned = face(1, "unknown")
    turned.unknown_reason = UNKNOWN_REASONS.index("turned_away")
    assert changes.update(0.0, result(turned)) == [
        "   0.00 s  person 1 appears, unknown (turned away)"
    ]
    assert changes.update(0.1, result(face(1))) == ["   0.10 s  person 1 unknown -> happy (80 %)"]
