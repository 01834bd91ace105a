"""Reads the words in a picture: a network finds lines of text, another reads them (PP-OCRv6), both run by OpenVINO."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from PIL import Image

from vision.words.installed import check_readable

SIDE = 480
"""Pixels of the longer side that lines are looked for on: what more costs, and finds, says `make bench-printed`."""
SURE = 0.8
"""Least confidence of a line. Folds of cloth are read as single signs, with less."""
LEAST_LETTERS = 2


class WordReader:
    """The loaded networks. `read` may be called by any thread; one picture is read at a time."""

    def __init__(self, threads: int = 1, side: int = SIDE) -> None:
        """threads: of the processor, 0 for all. side: see `SIDE`. Raises `OperatorError`."""
        check_readable()
        import vision.openvino  # noqa: F401 - before anybody else imports OpenVINO

        # isort: split
        from rapidocr import EngineType, RapidOCR

        self._lock = threading.Lock()
        self._engine: Any = RapidOCR(
            params={
                "Global.use_cls": False,  # lines upside down are left
                "Global.log_level": "error",
                "Global.max_side_len": side,
                "Det.limit_type": "max",
                "Det.limit_side_len": side,
                "Det.engine_type": EngineType.OPENVINO,
                "Rec.engine_type": EngineType.OPENVINO,
                "EngineConfig.openvino.inference_num_threads": threads or -1,
                "EngineConfig.openvino.num_streams": 1,
            }
        )

    def read(self, image: Image.Image) -> list[str]:
        """The lines of text in an upright RGB picture that are read with certainty, from the top."""
        picture = np.asarray(image)[:, :, ::-1]  # blue first, as OpenCV has it
        with self._lock:
            found = self._engine(np.ascontiguousarray(picture))
        lines = zip(found.txts or (), found.scores or (), strict=True)
        return [text.strip() for text, score in lines if score >= SURE and len(text.strip()) >= LEAST_LETTERS]
