"""Converts the detector once: `python -m vision.detector PACKAGE`, the npm package as it was unpacked."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from schemas.errors import OperatorError
from vision.detector.detecting import DEVIATION, MEAN, OUTPUTS
from vision.detector.folder import NETWORK, detector_folder, write_manifest
from vision.detector.source import LICENCE, read_source


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, help="folder of the unpacked package")
    try:
        print(f"detector: kept in {convert(parser.parse_args().package, detector_folder())}")
    except OperatorError as error:
        print(f"detector: {error}", file=sys.stderr)
        return 1
    return 0


def convert(package: Path, folder: Path) -> Path:
    """Leaves the network in the folder, with licence and checksums; all of it or nothing. Raises `OperatorError`."""
    from vision.openvino.tensorflow_js import save_network

    source = read_source(package)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_network(source.nodes, source.weights, OUTPUTS, part / NETWORK, mean=MEAN, scale=DEVIATION)
    shutil.copyfile(package / LICENCE, part / LICENCE)
    write_manifest(part)
    shutil.rmtree(folder, ignore_errors=True)
    return part.rename(folder)


if __name__ == "__main__":
    sys.exit(main())
