"""The route that shows the search log's figures to whoever runs the shop."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Response

from schemas.errors import RejectedError
from serving.blender.http.documentation.documented import documented, in_json
from serving.blender.reports import MOST_DAYS, Reports
from serving.blender.showing.answers import ReportAnswer

Days = Annotated[int, Query(ge=1, le=MOST_DAYS, description="The last so many days (UTC), today included.")]


def add_report(app: FastAPI, reports: Reports | None) -> None:
    """GET /v1/report. None: the search log is off, and the route says so."""

    @app.get("/v1/report", **documented(ReportAnswer))
    async def report(days: Days = 7) -> Response:
        """By day: searches, click-through rate, MRR, searches without a result, what was asked for most.

        Needs a key of the role operate.
        """
        if reports is None:
            raise RejectedError(
                "search_log_off",
                "this Vitrine logs no searches; its operator may: VITRINE_SEARCH_LOG=true, vitrine start, and a "
                "restart of the blender",
            )
        return in_json(await reports.of(days))
