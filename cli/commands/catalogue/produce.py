"""Write one product event to the log.

The event is checked against the schema, keyed by its product_id and placed
as Kafka's Java client would. A CloudEvents 1.0 envelope is accepted. Where ways
are traced (VITRINE_TRACES), it belongs to the trace that TRACEPARENT names.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from messaging.producer import EventProducer
from schemas.errors import OperatorError, RejectedError
from schemas.events.event import Forwarded, Heartbeat, decode_event
from schemas.settings import load_settings
from schemas.topics import PRODUCT_EVENTS
from schemas.trace_context import read_context
from tracing.opening import tracing
from tracing.producing import stamp_of

NAME = "produce"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", metavar="FILE", help="a JSON file, or - for standard input")
    source.add_argument("--event", metavar="JSON", help="the event itself")


def run(arguments: argparse.Namespace) -> int:
    value = read_event(arguments)
    product_id = product_of(value)
    settings = load_settings()
    placed: list[str] = []
    with (
        tracing(settings.trace_collector, "produce") as tracer,
        EventProducer(
            settings.kafka, delivery_timeout_s=15, stamp=stamp_of(tracer, read_context(os.environ.get("TRACEPARENT")))
        ) as producer,
    ):
        producer.send(
            PRODUCT_EVENTS,
            product_id.encode(),
            value,
            delivered=lambda error, message: placed.append(
                f"not written: {error}" if error else f"partition {message.partition()} offset {message.offset()}"
            ),
        )
    if not placed or placed[0].startswith("not written"):
        print(f"vitrine: {placed[0] if placed else 'not written'}; does Kafka run? vitrine status", file=sys.stderr)
        return 1
    print(f"{product_id}: {placed[0]}")
    return 0


def read_event(arguments: argparse.Namespace) -> bytes:
    if arguments.event is not None:
        return str(arguments.event).encode()
    if arguments.file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(arguments.file).read_bytes()
    except OSError as error:
        raise OperatorError(f"cannot read the event: {error}") from error


def product_of(value: bytes) -> str:
    """The product that the event is about. Raises `RejectedError` when it is none that a shop may send."""
    event = decode_event(value)
    if isinstance(event, Heartbeat | Forwarded):
        raise RejectedError("invalid_event", "heartbeats and forwarded events are written by Vitrine itself")
    return event.product_id
