"""`vitrine`: the command line. One file per command below `cli/commands/`; exit codes: 0 done, 1 failed, 2 set-up."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from cli.commands import COMMANDS
from schemas.errors import OperatorError, VitrineError

FAILED = 1
OPERATOR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; every expected error becomes one line on standard error."""
    parsed = build_parser().parse_args(arguments)
    logging.basicConfig(
        level=os.environ.get("VITRINE_LOG_LEVEL", "WARNING").upper(), format="%(levelname)s %(message)s"
    )
    try:
        code: int = parsed.run(parsed)
        return code
    except OperatorError as error:
        print(f"vitrine: {error}", file=sys.stderr)
        return OPERATOR
    except VitrineError as error:
        print(f"vitrine: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("vitrine: interrupted; what was started keeps running (vitrine stop ends it)", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; without this Python complains when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def build_parser() -> argparse.ArgumentParser:
    """The whole command line, from the modules in `COMMANDS`."""
    parser = argparse.ArgumentParser(
        prog="vitrine",
        description="Real-time visual product search: run it, look into it, feed it, ask it.",
        epilog="Settings: VITRINE_* variables or VITRINE_HOME/vitrine.toml (see schemas/settings/fields.py). "
        "Exit codes: 0 done, 1 failed, 2 the set-up is wrong (the message says what to do).",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        description = (module.__doc__ or "").strip()
        command = commands.add_parser(
            module.NAME,
            help=description.splitlines()[0].rstrip("."),
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
