"""Importers for anybody's catalogue: CSV, JSON lines, Parquet, or a folder of pictures; with vectors or without."""

from cli.importers.importing import ImportReport, import_catalogue
from cli.importers.rows import Refusal
from cli.importers.sources import read_catalogue

__all__ = ["ImportReport", "Refusal", "import_catalogue", "read_catalogue"]
