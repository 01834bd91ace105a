"""Whether doubles are merged in an answer, and how alike two pictures must be to be taken for one."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.query.question import Question
from vision.same_picture import least_likeness


@dataclass(frozen=True, slots=True)
class Merging:
    """What the shop has set. `likeness`: an inner product; 0: as it was measured for the index's extractor."""

    by_default: bool = False
    likeness: float = 0.0

    def wanted(self, question: Question) -> bool:
        """Whether the question, or the shop in its place, asks for it."""
        return self.by_default if question.doubles is None else question.doubles == "merge"

    def least(self, extractor_id: str) -> float:
        """How alike two pictures must be, whose vectors are of this extractor."""
        return self.likeness or least_likeness(extractor_id)
