"""List, show or put back what a stage could not use.

put-back sends the original record to its topic again, as a new record: a
product event then counts as the product's latest (unless it carries a
version), a request for extraction starts with its first attempt.
"""

from __future__ import annotations

import argparse
import sys

import msgspec

from cli.dead_letters import StoredLetter, original, put_back, read_letter, read_letters
from cli.tables import moment, table
from schemas.errors import RejectedError
from schemas.settings import load_settings

NAME = "dead-letters"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="one line each, oldest first")
    listing.add_argument("--reason", help="only this reason")
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="the latest N (default 50)")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    listing.set_defaults(letters=_list)
    show = commands.add_parser("show", help="one letter whole, with the original record")
    show.add_argument("number", type=int, metavar="NUMBER", help="its number in the list")
    show.set_defaults(letters=_show)
    back = commands.add_parser("put-back", help="send the original records again")
    back.add_argument("numbers", type=int, nargs="*", metavar="NUMBER", help="their numbers in the list")
    back.add_argument("--reason", help="all with this reason")
    back.set_defaults(letters=_put_back)


def run(arguments: argparse.Namespace) -> int:
    code: int = arguments.letters(arguments)
    return code


def _list(arguments: argparse.Namespace) -> int:
    letters = [
        stored
        for stored in read_letters(load_settings().kafka)
        if arguments.reason is None or stored.letter.reason == arguments.reason
    ][-arguments.limit :]
    if arguments.json:
        for stored in letters:
            print(msgspec.json.encode({"number": stored.number, **msgspec.to_builtins(stored.letter)}).decode())
        return 0
    rows = [
        (
            str(stored.number),
            moment(stored.letter.at_ms),
            stored.letter.stage,
            stored.letter.reason,
            f"{stored.letter.topic}/{stored.letter.partition}/{stored.letter.offset}",
            stored.letter.detail.replace("\n", " ")[:60],
        )
        for stored in letters
    ]
    print(table(("number", "at", "stage", "reason", "from", "detail"), rows) if rows else "no dead letters")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    kafka = load_settings().kafka
    stored = read_letter(kafka, arguments.number)
    letter = stored.letter
    print(f"number    {stored.number}\nat        {moment(letter.at_ms)}\nstage     {letter.stage}")
    print(f"reason    {letter.reason} ({'may pass' if letter.transient else 'permanent'})\ndetail    {letter.detail}")
    print(f"from      {letter.topic} partition {letter.partition} offset {letter.offset}")
    key, value = original(kafka, stored)
    print(f"key       {'none' if key is None else key.decode(errors='backslashreplace')}")
    print("none" if value is None else value.decode(errors="backslashreplace"))
    return 0


def _put_back(arguments: argparse.Namespace) -> int:
    kafka = load_settings().kafka
    if bool(arguments.numbers) == (arguments.reason is not None):
        raise RejectedError("usage", "name either numbers or --reason REASON")
    letters: list[StoredLetter]
    if arguments.numbers:
        letters = [read_letter(kafka, number) for number in arguments.numbers]
    else:
        letters = [stored for stored in read_letters(kafka) if stored.letter.reason == arguments.reason]
    if not letters:
        print(f"no dead letter has the reason {arguments.reason}", file=sys.stderr)
        return 1
    print(f"{put_back(kafka, letters)} records sent again")
    return 0
