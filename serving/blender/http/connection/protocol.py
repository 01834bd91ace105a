"""HTTP connections with limits: what uvicorn leaves open, unbounded or waiting for ever is ended here.

uvicorn bounds a connection only while it is idle between two requests. Here
each state has its time, and each thing that grows its size:

    CONNECTED ──first byte──► HEAD ──headers──► BODY ──last byte──► ANSWER ──► IDLE ──first byte──► HEAD
      header time           header time       body time         body time,    idle time
                            header bytes      framing bytes     while the
                                                                client does not take it

A connection that is over time is told so where it has sent anything, closed,
and cut off where it does not even take the end. httptools keeps a header
until it is whole, so header bytes are counted as they come, not as they are
parsed; so is what surrounds a chunked body's data (extensions, trailers).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.blender.showing.answers import ErrorAnswer, ErrorBody

MOST_PIPELINED = 16
"""Requests that may wait behind one that is answered, on the same connection."""
_FRAMING_PER_BYTE = 8
"""A chunk of one byte comes with five of framing."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Seconds, bytes and connections; see the settings `http_*`."""

    header_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    idle_timeout_s: float = 15.0
    max_connections: int = 512
    max_header_bytes: int = 32_768


class BoundedHttp(HttpToolsProtocol):
    """One connection, on the event loop. Made by `bounded`, which gives it its limits."""

    limits = HttpLimits()
    refused: Callable[[str], None] = staticmethod(lambda _reason: None)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._timed = ""
        self._write_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._in_body = False
        self._head_bytes = 0
        self._headers_bytes = 0
        self._framing_credit = 0
        self._over: tuple[int, str, str] | None = None
        self.quiet_since = self.loop.time()

    # -- the connection --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections and not self._make_room():
            self._refuse(503, "overloaded", f"{self.limits.max_connections} connections are open already; try later")
            return
        self._expect_next()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    @property
    def quiet(self) -> bool:
        """Whether no request is being received or answered; a half of a head is none."""
        return (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing()

    def _make_room(self) -> bool:
        """Closes the connection that has been quiet for the longest; False when none is."""
        others = [each for each in self.connections if isinstance(each, BoundedHttp) and each is not self]
        quiet = [each for each in others if each.quiet]
        if not quiet:
            return False
        self.refused("made_room")
        min(quiet, key=lambda each: each.quiet_since).end()
        return True

    def end(self) -> None:
        """Closes, once what was written is taken; or cuts off, when the client stops taking it."""
        self._expect("", 0.0)
        if not self.transport.is_closing():
            self.transport.close()
        self._watch_writing()

    # -- time ------------------------------------------------------------------------------------

    def _expect_next(self) -> None:
        """What is waited for now. A request that comes as a whole, as nearly all do, needs no timer at all."""
        if self._in_body:
            self._expect("body", self.limits.body_timeout_s)
        elif self._head_bytes or self.cycle is None:
            self._expect("head", self.limits.header_timeout_s)
        else:
            self._expect("", 0.0)

    def _expect(self, what: str, within_s: float) -> None:
        """Starts the time of another step; "": nothing is waited for."""
        if what == self._timed:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timed = what
        self._timer = self.loop.call_later(within_s, self._overdue) if what else None

    def _overdue(self) -> None:
        if self.transport.is_closing():
            return
        if self._in_body:
            self._refuse(408, "body_timeout", f"the body was not whole within {self.limits.body_timeout_s:g} s")
        elif self._head_bytes:
            self._refuse(408, "header_timeout", f"the headers were not whole in {self.limits.header_timeout_s:g} s")
        else:
            self.refused("idle")
            self.end()

    def timeout_keep_alive_handler(self) -> None:
        self.end()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.quiet_since = self.loop.time()
        if self.transport.is_closing():
            self._watch_writing()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def _watch_writing(self) -> None:
        if self._write_timer is None:
            left = self.transport.get_write_buffer_size()
            self._write_timer = self.loop.call_later(self.limits.body_timeout_s, self._check_writing, left)

    def _check_writing(self, left_before: int) -> None:
        self._write_timer = None
        if self.transport.get_write_buffer_size() >= left_before:
            self.refused("answer_not_taken")
            self.transport.abort()  # not a byte was taken in all that time
        else:
            self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None and not self.transport.is_closing():
            self._write_timer.cancel()
            self._write_timer = None

    # -- size ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.quiet_since = self.loop.time()
        if self._in_head:
            self._head_bytes += len(data)
        elif self._in_body:
            self._framing_credit -= len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._over is not None:
            self._refuse(*self._over)
        elif self._in_head and self._head_bytes > self.limits.max_header_bytes:
            self._refuse(*self._headers_too_large())
        elif self._in_body and self._framing_credit < 0:
            self._refuse(400, "malformed_request", "the body's chunks are more framing than data; send larger ones")
        else:
            self._expect_next()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._headers_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_header(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_header(len(name) + len(value))
        if self._in_head:  # else a trailer, which nobody asked for
            super().on_header(name, value)

    def _count_header(self, length: int) -> None:
        self._headers_bytes += length
        if self._headers_bytes > self.limits.max_header_bytes:
            self._over = self._headers_too_large()

    def _headers_too_large(self) -> tuple[int, str, str]:
        return 431, "headers_too_large", f"the headers are longer than {self.limits.max_header_bytes} bytes"

    def on_headers_complete(self) -> None:
        if self._over is None and len(self.pipeline) >= MOST_PIPELINED:
            self._over = (503, "overloaded", f"{MOST_PIPELINED} requests wait on this connection; await the answers")
        if self._over is not None:
            return  # `data_received` refuses it; the application never sees it
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        self._head_bytes = 0
        self._framing_credit = self.limits.max_header_bytes
        self._timed = "nothing yet"  # whatever comes next has a time of its own

    def on_body(self, body: bytes) -> None:
        if self._over is None:
            self._framing_credit += (1 + _FRAMING_PER_BYTE) * len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._over is None:
            super().on_message_complete()
        self._in_head, self._in_body = True, False
        self._head_bytes = 0

    # -- refusing --------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed_request", "this is no HTTP/1.1 request")

    def _refuse(self, status: int, reason: str, detail: str) -> None:
        """Answers where no answer has begun, and closes."""
        self.refused(reason)
        if self._in_body:
            may_answer = not self.cycle.response_started and not self.pipeline
        else:
            may_answer = self.cycle is None or self.cycle.response_complete
        if may_answer and not self.transport.is_closing():
            body = msgspec.json.encode(ErrorAnswer(ErrorBody(reason, detail)))
            head = [
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
                "Connection: close",
            ]
            if status == 503:
                head.append("Retry-After: 1")
            self.transport.write("\r\n".join((*head, "", "")).encode() + body)
        self.end()


def bounded(limits: HttpLimits, refused: Callable[[str], None] = lambda _reason: None) -> type[asyncio.Protocol]:
    """uvicorn's protocol class with these limits; uvicorn makes the objects. `refused` is told the reason of each end
    that was not the client's wish."""
    members = {"limits": limits, "refused": staticmethod(refused)}
    return cast(type[asyncio.Protocol], type("BoundedHttp", (BoundedHttp,), members))
