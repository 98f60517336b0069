"""The readers of tables, for the sources: CSV, workbooks, NDJSON."""

from adapters.files.csv_lines import csv_lines
from adapters.files.lines import Line, Look
from adapters.files.ndjson_lines import ndjson_lines
from adapters.files.xlsx_lines import sheet_names, xlsx_lines

__all__ = ["Line", "Look", "csv_lines", "ndjson_lines", "sheet_names", "xlsx_lines"]
