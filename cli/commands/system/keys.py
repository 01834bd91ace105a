"""Make, list or revoke API keys of the blender.

A key is shown once, when it is made: the file keeps a salted hash of it. The
blender asks for keys once the setting `api_keys_file` names the file, and
takes changes up within a second or two, without a restart.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cli.tables import table
from schemas.access.api_keys import ApiKeys, Role, change_keys, new_key, read_keys
from schemas.errors import OperatorError, RejectedError
from schemas.settings import Settings, load_settings

NAME = "keys"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = commands.add_parser("add", help="make a key and show it, once")
    add.add_argument("name", metavar="NAME", help="whose it is, for the list")
    roles = [role.value for role in Role]
    add.add_argument("--role", action="append", choices=roles, help="what it opens; several times for several (search)")
    add.add_argument("--requests-per-s", type=float, default=0.0, metavar="N", help="beyond: 429 (0: no limit)")
    add.add_argument(
        "--photo-bytes-per-minute", type=int, default=0, metavar="N", help="uploads of photos (0: no limit)"
    )
    add.set_defaults(keys=_add)
    listing = commands.add_parser("list", help="the keys that there are, without their secrets")
    listing.set_defaults(keys=_list)
    revoke = commands.add_parser("revoke", help="make a key useless")
    revoke.add_argument("id", metavar="ID", help="as the list shows it: the 12 characters behind vtr_")
    revoke.set_defaults(keys=_revoke)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    try:
        code: int = arguments.keys(arguments, keys_file(settings))
    except OSError as error:
        raise OperatorError(f"the file of the keys cannot be used: {error}; see the setting api_keys_file") from error
    if arguments.keys is _add and not settings.api_keys_file:
        print(
            f"nobody is asked for keys yet: set VITRINE_API_KEYS_FILE={keys_file(settings)} and restart the blender",
            file=sys.stderr,
        )
    return code


def keys_file(settings: Settings) -> Path:
    """The setting's, or where a file for it would be."""
    return Path(settings.api_keys_file) if settings.api_keys_file else settings.layout.api_keys


def _add(arguments: argparse.Namespace, file: Path) -> int:
    roles = tuple(Role(role) for role in dict.fromkeys(arguments.role or [Role.SEARCH.value]))
    key, text = new_key(arguments.name, roles, arguments.requests_per_s, arguments.photo_bytes_per_minute)
    file.parent.mkdir(parents=True, exist_ok=True)
    change_keys(file, lambda before: ApiKeys(keys=(*before.keys, key)))
    print(text)
    print(f"key {key.id} of {key.name} opens {', '.join(roles)}; it is not shown again", file=sys.stderr)
    return 0


def _list(_arguments: argparse.Namespace, file: Path) -> int:
    try:
        keys = read_keys(file).keys
    except FileNotFoundError:
        keys = ()
    rows = [
        (
            key.id,
            key.name,
            ", ".join(key.roles),
            f"{key.requests_per_s:g}" if key.requests_per_s else "any",
            str(key.photo_bytes_per_minute) if key.photo_bytes_per_minute else "any",
            key.created,
        )
        for key in keys
    ]
    print(table(("id", "name", "roles", "requests/s", "photo bytes/min", "created"), rows) if rows else "no keys")
    return 0


def _revoke(arguments: argparse.Namespace, file: Path) -> int:
    def without(before: ApiKeys) -> ApiKeys:
        if all(key.id != arguments.id for key in before.keys):
            raise RejectedError("unknown_key", f"there is no key {arguments.id}; vitrine keys list shows them")
        return ApiKeys(keys=tuple(key for key in before.keys if key.id != arguments.id))

    change_keys(file, without)
    print(f"key {arguments.id} opens nothing any more")
    return 0
