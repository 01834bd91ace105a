"""Search with a photo and print the products that look like it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cli.searching import answer_text, search_photo
from schemas.settings import load_settings

NAME = "search"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a photo (JPEG, PNG, WebP, GIF)")
    parser.add_argument("--limit", type=int, default=10, metavar="N", help="products wanted (default 10)")
    parser.add_argument("--json", action="store_true", help="the answer as it came")


def run(arguments: argparse.Namespace) -> int:
    answer = search_photo(load_settings().blender, arguments.file, arguments.limit)
    print(json.dumps(answer, indent=2, ensure_ascii=False) if arguments.json else answer_text(answer))
    return 0
