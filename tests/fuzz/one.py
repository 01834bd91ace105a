"""`python -m tests.fuzz.one NAME FUZZER_ARGUMENTS...`: libFuzzer on one target, its process's last deed."""

from __future__ import annotations

import sys

import atheris

_GUIDING = ["schemas", "indexing", "serving", "vision", "jobs.pipeline.core", "PIL", "starlette"]
_GUIDING += ["python_multipart", "tomllib"]

with atheris.instrument_imports(include=_GUIDING):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, *arguments = sys.argv[1:]
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
