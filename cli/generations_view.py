"""The generations, for a person: what there is, and what the alias makes of it."""

from __future__ import annotations

import msgspec

from cli.tables import moment, table
from generations.folder import Generations
from schemas.access.objects import FullIndexes
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import Alias
from schemas.full_index.publish_report import PUBLISH, decode_publish_report

_MIB = 1024**2


class GenerationView(msgspec.Struct, frozen=True, kw_only=True):
    """One generation. `role`: serves, previous, beside, or empty. `published`: by its last publication; "" for none.

    `problem`: why the rest is not known.
    """

    name: str
    role: str
    made_ms: int = 0
    shards: int = 0
    images: int = 0
    searchable: int = 0
    kind: str = ""
    extractor_id: str = ""
    bytes: int = 0
    published: str = ""
    problem: str = ""


def generation_views(place: FullIndexes) -> tuple[list[GenerationView], str]:
    """All that are complete, oldest first; and why the alias cannot be read, if so."""
    generations = Generations(place)
    alias, problem = None, ""
    try:
        alias = generations.alias()
    except CorruptError as error:
        problem = str(error)
    views = []
    for name in generations.names():
        role = _role(alias, name)
        try:
            generation = generations.read(name)
        except (CorruptError, OperatorError) as error:
            views.append(GenerationView(name=name, role=role, problem=str(error)))
            continue
        views.append(
            GenerationView(
                name=name,
                role=role,
                made_ms=generation.created_ms,
                shards=len(generation.shards),
                images=generation.images,
                searchable=generation.searchable,
                kind="/".join(sorted({shard.kind for shard in generation.shards})),
                extractor_id=generation.extractor_id,
                bytes=generation.bytes,
                published=_published(generations, name),
            )
        )
    return views, problem


def as_json(views: list[GenerationView]) -> str:
    return msgspec.json.format(msgspec.json.encode(views)).decode()


def as_text(place: FullIndexes, views: list[GenerationView]) -> str:
    if not views:
        return f"no full index in {place} yet: vitrine build makes one"
    names = ("generation", "made", "shards", "images", "kind", "extractor", "MiB", "", "published")
    rows = [
        (
            view.name,
            moment(view.made_ms),
            str(view.shards),
            str(view.searchable),
            view.kind,
            view.extractor_id,
            f"{view.bytes / _MIB:.1f}",
            view.role,
            view.published,
        )
        for view in views
    ]
    problems = [f"problem: {view.problem}" for view in views if view.problem]
    return "\n".join([table(names, rows), *problems])


def _role(alias: Alias | None, name: str) -> str:
    if alias is None:
        return ""
    if name == alias.serving:
        return "serves"
    if name in alias.beside:
        return "beside"
    return "previous" if name in alias.previous else ""


def _published(generations: Generations, name: str) -> str:
    try:
        report = decode_publish_report(generations.files.read(f"{name}/{PUBLISH}"))
    except FileNotFoundError:
        return ""
    except (CorruptError, OSError) as error:
        return f"unknown: {error}"
    return ("forced" if report.forced else "yes") if report.passed else "refused"
