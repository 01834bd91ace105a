"""Start everything, import a catalogue, build a first full index of it, search with a photo.

Without --catalogue it draws a sample catalogue once. A second run continues
where the first one stopped; it builds only if no full index serves yet.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from cli.commands.index.build import built
from cli.imported import is_imported, remember_import
from cli.importers import import_catalogue, read_catalogue
from cli.publishing import publish_generation
from cli.runtime.progress import Progress
from cli.runtime.system import System
from cli.searching import answer_text, search_photo
from cli.settling import wait_until_searchable
from generations.folder import Generations
from messaging.producer import now_ms
from sample import make_sample
from schemas.errors import OperatorError
from schemas.events.event import ProductAdded
from schemas.features.ids import is_external
from schemas.settings import Settings, load_settings

NAME = "run"

SAMPLE_PRODUCTS = 2000
RESULTS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", type=Path, metavar="PATH", help="a CSV or JSONL file or a folder of pictures")
    parser.add_argument("--photo", type=Path, metavar="FILE", help="the photo to search with")
    parser.add_argument(
        "--products", type=int, default=SAMPLE_PRODUCTS, metavar="N", help=f"size of the sample ({SAMPLE_PRODUCTS})"
    )


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    if is_external(settings.encoder):
        raise OperatorError(
            f"vitrine run searches with a photo, and encoder {settings.encoder} takes vectors of your own: "
            "vitrine start, then vitrine import with your vectors"
        )
    progress = Progress()
    expected: str | None = None
    if arguments.catalogue is None:
        catalogue, photo, expected = _sample(settings.layout.sample, arguments.products, progress)
    else:
        catalogue = arguments.catalogue.expanduser().resolve()
        photo = _some_photo(settings, catalogue)
    if arguments.photo is not None:
        photo, expected = arguments.photo, None
    system = System(settings, progress)
    system.start()
    _import(settings, catalogue, progress)
    left = wait_until_searchable(settings.tier, settings.kafka, now_ms(), progress)
    if left:
        progress.say(f"{left} images could not be used: vitrine dead-letters list says why")
    indexed = _first_full_index(settings, progress)
    progress.say(f"searching with {photo}")
    answer = search_photo(settings.blender, photo, RESULTS)
    print(f"\n{answer_text(answer)}\n")
    code = 0 if indexed else 1
    if expected is not None:
        found = bool(answer["results"]) and answer["results"][0]["product_id"] == expected
        print(f"The photo shows {expected}: {'found first' if found else 'NOT the first answer'}.")
        code = code if found else 1
    print(_directions(settings))
    return code


def _sample(folder: Path, products: int, progress: Progress) -> tuple[Path, Path, str]:
    def drawn(done: int, of: int) -> None:
        progress.waiting(f"the sample catalogue: {done} of {of} pictures drawn")

    progress.say(f"sample catalogue: {products} products in {folder}")
    sample = make_sample(folder, products, products * 3 // 2, drawn)
    return sample.folder, sample.demo_query, sample.demo_product_id


def _import(settings: Settings, catalogue: Path, progress: Progress) -> None:
    if is_imported(settings.layout.imports, settings.kafka, catalogue):
        progress.say(f"{catalogue}: imported before")
        return
    progress.say(f"importing {catalogue}")
    report = import_catalogue(settings, catalogue)
    progress.say(report.text())
    if report.produced == 0:
        raise OperatorError(f"{catalogue} holds no usable product; vitrine import --help says what it should look like")
    remember_import(settings.layout.imports, settings.kafka, catalogue)


def _first_full_index(settings: Settings, progress: Progress) -> bool:
    """Builds and publishes one unless one serves already; whether one does now. A refused one leaves what serves."""
    if Generations(settings.layout.generations).serving() is not None:
        return True
    with progress.step("the first full index, built from the stores while the stream runs on (a minute or two)"):
        # Trained lists, also where exact search would do: what a newcomer tries is what a large catalogue runs on.
        kind = [] if settings.index_kind else ["--kind", "ivf_pca"]
        # What words look like, and what tells products apart, is learned by the next one: nobody waits minutes for
        # it before the first search, and from few pictures it is not learned well.
        first = msgspec.structs.replace(settings, meaning=False, look_pictures=0)
        generation = built(first, kind, cluster=False, progress=progress)
        report = publish_generation(settings, generation.name, progress)
    if not report.passed:
        progress.say(f"{report.name} is refused, the index that grew by deltas serves on: {report.why}")
    return report.passed


def _some_photo(settings: Settings, catalogue: Path) -> Path:
    """The first picture of the catalogue that is a file."""
    extra = [settings.layout.home, *(Path(folder) for folder in settings.fetch_allowed_folders)]
    for picture in _pictures(read_catalogue(catalogue, extra)):
        return picture
    raise OperatorError(f"{catalogue} has no local picture to search with: name one by --photo FILE")


def _pictures(products: Iterator[object]) -> Iterator[Path]:
    for product in products:
        if isinstance(product, ProductAdded):
            for image in product.images or ():
                parts = urlsplit(image.url)
                if parts.scheme == "file" and (path := Path(unquote(parts.path))).is_file():
                    yield path


def _directions(settings: Settings) -> str:
    return f"""
  page              {settings.blender.url}/
  Flink's dashboard http://127.0.0.1:{settings.flink_port}
  Kafka             {settings.bootstrap}
  state and logs    {settings.home}

  make status shows it, make stop stops it (nothing is lost), make run continues."""
