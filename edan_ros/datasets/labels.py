"""Labels of each data set as emotions. Contempt is none of the seven and is left out."""

from __future__ import annotations

from collections.abc import Sequence

from edan_ros.core.emotions import EMOTIONS


def _indices(names: Sequence[str]) -> tuple[int | None, ...]:
    """Return the index into EMOTIONS of each name; None for a class that is none of the seven."""
    return tuple(EMOTIONS.index(name) if name in EMOTIONS else None for name in names)


#: Original FER2013 label -> emotion.
FER2013 = _indices(("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"))
#: Columns of the FER+ votes (Barsoum et al. 2016).
FERPLUS = _indices(
    (
        *("neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt"),
        *("unknown", "not a face"),
    )
)
#: Muxspace class -> emotion.
MUXSPACE = _indices(("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"))
#: AffectNet ``expression`` (Mollahosseini et al. 2017) -> emotion; 8 to 10 mean no expression.
AFFECTNET = _indices(
    (
        *("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"),
        *("none", "uncertain", "no face"),
    )
)
#: CK+ label of a sequence (Lucey et al. 2010) -> emotion.
CKPLUS = _indices(("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise"))
#: Column ``emotion`` of the 48x48 CSV form of CK+ -> emotion.
CKPLUS_CSV = _indices(
    ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt")
)
#: RAF-DB label (Li et al. 2017) -> emotion; labels start at 1.
RAFDB = _indices(("", "surprise", "fear", "disgust", "happy", "sad", "anger", "neutral"))
#: ISED label (Happy et al. 2015) -> emotion; labels start at 1.
ISED = _indices(("", "happy", "surprise", "sad", "disgust"))
#: Two letters in a file name of JAFFE (Lyons et al. 1998) -> emotion.
JAFFE = {code: i for i, code in enumerate(("NE", "HA", "SA", "SU", "FE", "DI", "AN"))}
#: Two letters in a file name of KDEF (Lundqvist et al. 1998) -> emotion.
KDEF = {code: i for i, code in enumerate(("NE", "HA", "SA", "SU", "AF", "DI", "AN"))}

_WORDS = {
    "neutral": ("neutrality", "natural", "normal"),
    "happy": ("happiness", "joy", "joyful", "smile", "smiling"),
    "sad": ("sadness", "unhappy"),
    "surprise": ("surprised", "suprise", "suprised"),  # a common misspelling
    "fear": ("fearful", "afraid", "scared", "frightened"),
    "disgust": ("disgusted",),
    "anger": ("angry", "furious"),
}
#: Name of a folder of images -> emotion.
SYNONYMS: dict[str, int] = {
    word: EMOTIONS.index(name) for name, words in _WORDS.items() for word in (name, *words)
}
#: Classes that are none of the seven and are left out.
LEFT_OUT = frozenset(
    (
        *("contempt", "contemptuous", "none", "uncertain", "unknown", "other", "others"),
        *("noface", "nonface", "notaface", "nf"),
    )
)


def emotion_of(word: str) -> int | None:
    """Return the emotion of a word in any case, with or without a number in front.

    None for a class of LEFT_OUT. Raises KeyError for any other word.
    """
    plain = plain_word(word)
    if plain in LEFT_OUT:
        return None
    return SYNONYMS[plain]


def plain_word(word: str) -> str:
    """Return the letters of a word in lower case."""
    return "".join(letter for letter in word.lower() if letter.isalpha())
