"""What the documents name exists: paths, links, commands, modules, settings, metrics, tests.

Each rule is a function from a document to its problems, so that
`test_every_rule_notices_a_wrong_name` can show that it fails when it should.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from cli.main import build_parser
from schemas.settings import Settings
from tests.support.flink_metrics import stage_metrics

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "disk", "schemas", "objects", "devices", "vision", "feature_store", "indexing", "messaging", "tracing",
    "generations", "sample", "search_report", "jobs", "serving", "vitrine_client", "cli", "benchmarks",
)  # fmt: skip
FOLDERS = (*PACKAGES, "tests", "docs", "docker")
SUFFIXES = (".py", ".md", ".proto", ".toml", ".yaml", ".xml", ".html", ".png")
MADE_LATER = (".venv", ".vitrine", ".cache", "VITRINE_HOME", "logs/")
"""Where set-up and the running system put things."""
HOSTS = ("127.0.0.1", "localhost", "example.com", "keepachangelog.com", "semver.org", "www.apache.org", "github.com")
"""Addresses that documents may show; anything else is a machine or a mirror of somebody's."""


@dataclass(frozen=True)
class Document:
    """`path` is relative to the repository; `code` are its code spans and the lines of its fenced blocks."""

    path: Path
    text: str

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """(language, contents) of the fenced blocks."""
        return re.findall(r"^ *```(\w*)\n(.*?)^ *```", self.text, re.M | re.S)

    @property
    def prose(self) -> str:
        return re.sub(r"^ *```.*?^ *```", "", self.text, flags=re.M | re.S)

    @property
    def spans(self) -> list[str]:
        return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", self.prose)

    @property
    def code(self) -> list[str]:
        shell = [line for language, text in self.blocks if language in ("", "sh") for line in text.splitlines()]
        return self.spans + [re.sub(r"(^|\s)#.*", "", line) for line in shell]

    def exists(self, target: str) -> bool:
        return any((base / target).exists() for base in (ROOT, ROOT / self.path.parent))


@cache
def documents() -> tuple[Document, ...]:
    files = [*ROOT.glob("*.md"), *(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.md"))]
    return tuple(Document(file.relative_to(ROOT), file.read_text(encoding="utf-8")) for file in sorted(files))


@cache
def sources() -> str:
    """All our Python and the Makefile, in which a name must occur to be real."""
    files = [file for package in (*PACKAGES, "tests") for file in sorted((ROOT / package).rglob("*.py"))]
    return "\n".join(file.read_text(encoding="utf-8") for file in [*files, ROOT / "Makefile"] if file != Path(__file__))


def missing_links(document: Document) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.prose):
        parts = urlsplit(target)
        if parts.scheme:
            continue
        file = ROOT / document.path.parent / unquote(parts.path) if parts.path else ROOT / document.path
        if not file.exists():
            yield f"link to {target}, which does not exist"
        elif parts.fragment and parts.fragment not in anchors(file.read_text(encoding="utf-8")):
            yield f"link to {target}, which has no such heading"


def anchors(markdown: str) -> set[str]:
    """The fragments that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def missing_paths(document: Document) -> Iterator[str]:
    for span in document.spans:
        path = span.rstrip("/")
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", path) or path.startswith(MADE_LATER):
            continue
        ours = path.split("/")[0] in FOLDERS and "/" in span
        if "/" not in path and path.endswith(SUFFIXES):
            if not any(True for folder in FOLDERS for _ in (ROOT / folder).rglob(path)) and not document.exists(path):
                yield f"`{span}`, but no file has that name"
        elif (ours or path.endswith(SUFFIXES) or span.endswith("/")) and not document.exists(path):
            yield f"`{span}`, which does not exist"


def missing_names(document: Document) -> Iterator[str]:
    """Dotted names of our packages, in spans and in the imports of Python examples."""
    for span in document.spans:
        if (found := re.match(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+", span)) and not _named(found[0]):
            yield f"`{span}`: there is no {found[0]}"
    for language, text in document.blocks:
        if language != "python":
            continue
        for node in ast.walk(ast.parse(_dedent(text))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from (f"the example imports {name}, which is not there" for name in names if not _named(name))


def _dedent(text: str) -> str:
    indent = min(len(line) - len(line.lstrip()) for line in text.splitlines() if line.strip())
    return "\n".join(line[indent:] for line in text.splitlines())


def _named(name: str) -> bool:
    """Whether a dotted name is a module of ours, or a name at the top of one (or within a class of it)."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:length])
        file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if file.exists():
            text = file.read_text(encoding="utf-8")
            pattern = r"^(?: {{4}})?(?:(?:async )?def|class) {0}\b|^ *{0}\b.*=|^ {{4}}{0}[:,]|import .*\b{0}\b"
            return all(re.search(pattern.format(re.escape(part)), text, re.M) for part in parts[length:])
    return False


@cache
def make_targets() -> frozenset[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    benches = re.search(r"^BENCHES := (.+)$", makefile, re.M)
    assert benches is not None
    patterns = ["bench-", *re.findall(r"^([a-z]+-)%:", makefile, re.M)]
    named = {f"{pattern}{name}" for pattern in patterns for name in benches[1].split()}
    return frozenset(re.findall(r"^([a-z][\w-]*):", makefile, re.M)) | named


def missing_commands(document: Document) -> Iterator[str]:
    for line in document.code:
        for target in re.findall(r"(?:^|[\s;&|])make ([a-z][\w-]*)", line):
            if not any(re.fullmatch(re.sub(r"[A-Z]+", ".+", target), known) for known in make_targets()):
                yield f"`make {target}`, which the Makefile does not have"
        for words in re.findall(r"(?:^|[\s;&|/])vitrine((?: [^|;&`]+)?)", line):
            yield from _wrong_vitrine(words.split())
        for module, rest in re.findall(r"(?:^|\s)python(?:3\.11)? -m ([\w.]+)(.*)", line):
            yield from _wrong_module(module, re.findall(r"--[a-z][\w-]*", rest))


_parser = cache(build_parser)


def _wrong_vitrine(words: list[str]) -> Iterator[str]:
    parser = _parser()
    said = "vitrine"
    for word in words:
        choices = next((a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction)), None)
        if word.startswith("--"):
            if word.partition("=")[0] not in parser._option_string_actions:
                yield f"`{said} {word}`: the command has no such option"
        elif choices is not None and re.fullmatch(r"[a-z][a-z-]*", word):
            if word not in choices:
                yield f"`{said} {word}`, which is no command"
                return
            parser, said = choices[word], f"{said} {word}"


def _wrong_module(module: str, options: list[str]) -> Iterator[str]:
    if module.split(".")[0] not in PACKAGES:
        if importlib.util.find_spec(module.split(".")[0]) is None:
            yield f"`python -m {module}`, which is not installed"
        return
    if module.endswith(".NAME"):  # of several, as in `python -m benchmarks.NAME`
        return
    base = ROOT.joinpath(*module.split("."))
    files = [base.with_suffix(".py")] if base.with_suffix(".py").exists() else [base / "__main__.py", base / "main.py"]
    if not files[0].exists():
        yield f"`python -m {module}`, which does not exist"
        return
    text = "".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    yield from (f"`python -m {module} {option}`: no such option" for option in options if f'"{option}"' not in text)


def missing_settings(document: Document) -> Iterator[str]:
    for name in set(re.findall(r"\bVITRINE_[A-Z][A-Z_]*[A-Z]\b", document.text)):
        setting = name.removeprefix("VITRINE_").lower() in Settings.__struct_fields__
        balancer = f"${{{name}}}" in (ROOT / "docker" / "haproxy" / "haproxy.cfg").read_text()
        if not setting and not balancer and not re.search(rf"environ[^\n]*{name}\b", sources()):
            yield f"{name}, which is no setting and no variable that the code reads"


def missing_tests(document: Document) -> Iterator[str]:
    for span in document.spans:
        if re.fullmatch(r"test_\w+", span) and not re.search(rf"def {span}\b", sources()):
            yield f"`{span}`, which is no test"


def missing_metrics(document: Document) -> Iterator[str]:
    """Prometheus names of the services, as the code spells them (the client adds `_total` to counters)."""
    for name in set(re.findall(r"\bvitrine_((?:searcher|broker|blender)_\w+)", document.text)):
        short = name.removesuffix("_total")
        written = (f'"vitrine_{short}"', f'"{short.removeprefix("searcher_")}"')
        if not any(text in sources() for text in written):
            yield f"vitrine_{name}, which no service counts"


def foreign_places(document: Document) -> Iterator[str]:
    """Paths of one machine, and hosts that are neither examples nor known: a registry, a mirror."""
    if len(ROOT.parts) > 2 and re.search(rf"{re.escape(str(ROOT))}(?![\w-])", document.text):
        yield f"{ROOT}, a path of this machine"
    for place in re.findall(r"(?<![\w.])/(?:work|home|Users|root)/\S*", document.text):
        yield f"{place}, a path of some machine"
    for host in re.findall(r"https?://([^/\s:\"'`)|<>…]+)", document.text):
        if not any(host == known or host.endswith(f".{known}") for known in HOSTS) and host != "...":
            yield f"the host {host}; if documents should name it, add it to HOSTS"


Rule = Callable[[Document], Iterator[str]]
RULES: dict[Rule, str] = {
    missing_links: "see [the page](docs/absent.md)",
    missing_paths: "in `indexing/absent.py`",
    missing_names: "call `feature_store.copies.absent`",
    missing_commands: "run `vitrine status --absent`",
    missing_settings: "set VITRINE_ABSENT",
    missing_tests: "proved by `test_absent`",
    missing_metrics: "watch `vitrine_searcher_unheard_of_total`",
    foreign_places: "from https://mirror.example.net/simple",
}
"""Each rule with a text that breaks it."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_documents_name_only_what_exists(rule: Rule) -> None:
    problems = [f"{document.path}: {problem}" for document in documents() for problem in rule(document)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        *RULES.items(),
        (missing_links, "see [limits](README.md#no-such-heading)"),
        (missing_paths, "the folder `absent/`"),
        (missing_paths, "the file `absent_name.py`"),
        (missing_commands, "```sh\nmake absent\n```"),
        (missing_commands, "```sh\nvitrine dead-letters absent\n```"),
        (missing_commands, "`python -m serving.absent`"),
        (missing_commands, "`python -m serving.searcher --absent`"),
        (missing_names, "```python\nfrom schemas.ids import absent\n```"),
        (foreign_places, f"it lies in {ROOT}/docs"),
        (foreign_places, "it lies in /home/somebody/vitrine"),
    ],
)
def test_every_rule_notices_a_wrong_name(rule: Rule, text: str) -> None:
    assert list(rule(Document(Path("README.md"), text)))


def test_metrics_of_the_streaming_job_are_documented_and_counted() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition("### The streaming job\n")[2].partition("\n### ")[0]
    assert set(re.findall(r"^\| (?:catalogue|extraction|changes|both) \| `(\w+)`", section, re.M)) == stage_metrics()


@cache
def messages() -> tuple[str, ...]:
    """Every text in our code, pieces between placeholders apart."""
    found: list[str] = []
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append("\0".join(str(part.value) for part in node.values if isinstance(part, ast.Constant)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return tuple(found)


def test_errors_in_the_table_are_worded_as_in_the_code() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.partition("## Errors that ask for you\n")[2]
    said = [span for cell in re.findall(r"^\| (`.+?) \|", table, re.M) for span in re.findall(r"`([^`]+)`", cell)]
    assert len(said) > 20
    pieces = [piece for span in said for piece in re.split(r"\s*(?:\.\.\.|\b[NMXY]\b|\bNAME\b)\s*", span) if piece]
    assert [piece for piece in pieces if not any(piece in message for message in messages())] == []


def test_decisions_are_numbered_once_and_listed() -> None:
    files = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [file.name[:4] for file in files]
    assert len(numbers) == len(set(numbers))
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert [file.name for file in files if f"docs/adr/{file.name}" not in architecture] == []
    assert set(re.findall(r"docs/adr/(\d{4})", sources())) <= set(numbers)
