"""Search with a photo, words, a product or a filter, and print the products found.

A photo or --like says what they look like, --text which words they have; --filter
and --facets are in the short form of docs/search.md: "category:shoes;price:10..50".
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from cli.searching import answer_text, ask, photo_call
from schemas.errors import OperatorError
from schemas.settings import load_settings
from vitrine_client import Answer, Call
from vitrine_client.calls import search_text, similar

NAME = "search"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    example = parser.add_mutually_exclusive_group()
    example.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a photo (JPEG, PNG, WebP, GIF)")
    example.add_argument("--like", metavar="PRODUCT", help="products that look like this one")
    parser.add_argument("--text", metavar="WORDS", help="products that have these words")
    parser.add_argument("--filter", metavar="TERMS", help='those alone that pass: "brand:Acme;price:10..50", or JSON')
    parser.add_argument(
        "--facets",
        metavar="FIELDS",
        help='count what matches: "brand;price:20,50"; "!brand": as if it were not filtered by',
    )
    parser.add_argument("--sort", metavar="FIELD", help="by a numeric field; --sort=-FIELD for the greatest first")
    parser.add_argument("--rank", metavar="PROFILE", help="by a profile of the setting rank_profiles")
    parser.add_argument("--look", metavar="PARTS", help='what parts of the look count: "colour:2;texture:0.5"')
    parser.add_argument(
        "--doubles", choices=("merge", "show"), help="products of one picture as one, or each; default: as it is set"
    )
    parser.add_argument("--explain", action="store_true", help="say how each score came about")
    parser.add_argument("--limit", type=int, default=10, metavar="N", help="products wanted (default 10)")
    parser.add_argument("--json", action="store_true", help="the answer as it came")


def run(arguments: argparse.Namespace) -> int:
    answer = ask(load_settings().blender, _call(arguments))
    print(json.dumps(answer, indent=2, ensure_ascii=False) if arguments.json else answer_text(answer))
    return 0


def look_of(text: str) -> dict[str, float]:
    """Raises `OperatorError` for what is not NAME:NUMBER;NAME:NUMBER."""
    try:
        return {name.strip(): float(number) for name, _, number in (part.partition(":") for part in text.split(";"))}
    except ValueError as error:
        raise OperatorError(f"--look {text!r}: give NAME:NUMBER;NAME:NUMBER, as colour:2;texture:0.5") from error


def _call(arguments: argparse.Namespace) -> Call[Answer]:
    options: dict[str, Any] = {
        "limit": arguments.limit,
        "filter": arguments.filter,
        "facets": None if arguments.facets is None else [arguments.facets],
        "sort": arguments.sort,
        "rank": arguments.rank,
        "look": None if arguments.look is None else look_of(arguments.look),
        "doubles": arguments.doubles,
        "explain": arguments.explain or None,
    }
    if arguments.file is not None:
        return photo_call(arguments.file, text=arguments.text, **options)
    if arguments.like:
        return similar(arguments.like, text=arguments.text, **options)
    if not arguments.text and not arguments.filter:
        raise OperatorError("what is searched for? give a photo, --like PRODUCT, --text WORDS or --filter TERMS")
    return search_text(arguments.text or "", **options)
