"""Puts every product of a shop's PostgreSQL into the log, as it is at one moment."""

from __future__ import annotations

import logging

from tqdm import tqdm

from cli.importers.database.connection import connected, place
from cli.importers.database.reading import DatabaseReader
from cli.importers.importing import ImportReport, send_events, writing
from cli.importers.vectors import OwnVectors
from schemas.database.mapping import read_mapping
from schemas.errors import OperatorError
from schemas.settings import Settings

_log = logging.getLogger(__name__)


def import_database(settings: Settings, url: str, *, progress: bool = True) -> ImportReport:
    """Sends what `settings.database_mapping` says of the database at `url`, and waits until the log has it.

    Importing again is harmless: what is unchanged changes nothing. Rows that
    were deleted since are not noticed. Raises `OperatorError` for a mapping that
    is none or does not fit, a database that does not answer, or Kafka that does not.
    """
    mapping = read_mapping(settings.database_mapping)
    if OwnVectors.from_settings(settings).demanded:
        raise OperatorError(
            f"the setting `encoder` is {settings.encoder}, and a database brings no vectors: export the table to "
            "Parquet with a column `vector`, and import that"
        )
    with connected(url) as connection:
        reader = DatabaseReader(connection, mapping, settings.database_mapping)
        reader.check_ids()
        bar = tqdm(
            reader.events(),
            desc=f"importing {mapping.product.table}",
            unit=" rows",
            total=reader.count(),
            disable=None if progress else True,
        )
        with writing(settings, "database") as (log, refusals):
            report = send_events(bar, log, refusals, settings.layout.allowed_folders, None)
    _log.info(
        "event=database_imported from=%r table=%s produced=%d images=%d removed=%d refused=%d",
        place(url), mapping.product.table, report.produced, report.images, report.removed, report.reasons.total(),
    )  # fmt: skip
    return report
