"""Whether words can be read here; loads nothing."""

from __future__ import annotations

from importlib.util import find_spec

from schemas.errors import OperatorError


def check_readable() -> None:
    """Raises `OperatorError` where words cannot be read here."""
    if find_spec("rapidocr") is None:
        raise OperatorError("picture_words needs the package rapidocr: install vitrine[ocr], or unset picture_words")
