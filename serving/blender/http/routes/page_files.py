"""The page's files, with the headers that keep a browser to them."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        # Catalogue pictures lie anywhere; the photo just taken is a blob.
        "img-src 'self' http: https: data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # Titles come from product events: no script of ours may ever turn text into markup.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # The hosts of the pictures need not know who looks at them.
    "Referrer-Policy": "no-referrer",
    # Asked for anew each time, answered 304 when unchanged: an update shows at once.
    "Cache-Control": "no-cache",
}


class PageFiles(StaticFiles):
    """Static files below `folder`; a folder is answered with its index.html."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_HEADERS)
        return response
