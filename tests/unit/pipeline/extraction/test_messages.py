"""The framing between the extraction stage and its process, and what the stage's process must never import."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from jobs.pipeline.extraction.protocol import (
    Embed,
    Embedded,
    Failed,
    Fetch,
    Fetched,
    Forget,
    Ready,
    receive_order,
    receive_report,
    send,
)
from schemas.errors import CorruptError

KEY = bytes(range(16))


def test_messages_come_back_as_sent_and_in_order() -> None:
    stream = io.BytesIO()
    orders = [Fetch(KEY, "http://h/1"), Embed(KEY), Forget(KEY)]
    for order in orders:
        send(stream, order)
    stream.seek(0)
    assert [receive_order(stream) for _ in range(4)] == [*orders, None]


def test_report_cut_by_the_death_of_its_sender_is_the_end_of_the_stream() -> None:
    stream = io.BytesIO()
    reports = [Ready("x"), Fetched(KEY, bytes(32), 1.5), Failed(KEY, "r", "d", True), Embedded(KEY, bytes(40), 2.0)]
    for report in reports:
        send(stream, report)
    whole = stream.getvalue()
    for cut in range(1, 40):
        stream = io.BytesIO(whole[:-cut])
        assert [receive_report(stream) for _ in range(4)] == [*reports[:3], None]


def test_report_of_other_bytes_is_an_error_not_a_result() -> None:
    with pytest.raises(CorruptError):
        receive_report(io.BytesIO((3).to_bytes(4, "little") + b"\x93\xc1\x00"))


def test_the_stage_does_not_import_the_network_into_the_flink_worker() -> None:
    script = "import sys, jobs.pipeline.extraction.stage; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
