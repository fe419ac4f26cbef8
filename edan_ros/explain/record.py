"""An explanation as plain values, for JSON."""

from __future__ import annotations

from edan_ros.core.emotions import EMOTIONS
from edan_ros.explain.explanation import Explanation
from edan_ros.explain.ranking import LANDMARK_CHANCE, landmark_shares, region_shares


def explanation_record(explanation: Explanation) -> dict[str, object]:
    """Return all that the service ExplainFace returns, with shares from 0 to 1."""
    size = explanation.crop.shape[0]
    shares = landmark_shares(explanation.values, explanation.landmarks, size)
    order = shares.argsort()[::-1]
    regions = region_shares(explanation.values, explanation.landmarks, size)
    return {
        "track_id": explanation.face.track_id,
        "probabilities": [round(float(p), 4) for p in explanation.face.raw_probabilities],
        "emotion": EMOTIONS[explanation.emotion],
        "method": explanation.method,
        "peak": round(explanation.peak, 4),
        "map": explanation.values.round(4).tolist(),
        "landmarks": order.tolist(),
        "landmark_shares": shares[order].round(4).tolist(),
        "landmark_chance": round(LANDMARK_CHANCE, 4),
        "regions": [
            {"name": r.name, "share": round(r.share, 4), "chance": round(r.chance, 4)}
            for r in regions
        ],
    }
