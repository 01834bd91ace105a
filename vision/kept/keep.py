"""Measures a network with PyTorch, and keeps it where OpenVINO runs it the fastest."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from devices import AUTO, CPU
from devices.named import devices_for
from schemas.errors import OperatorError
from vision import extractor
from vision.blocks.head import FAINTEST, BlocksHead
from vision.encoding.colour import LEAST_FOREGROUND, WHITE_CELL
from vision.encoding.encoders import Head, build_backbone, build_head
from vision.encoding.execution import fastest, traced
from vision.encoding.measured import Way, faster, vectors_of, way_of_card
from vision.kept.embedding import read_vectors
from vision.kept.folder import HEAD, NETWORK, here, kept_folder, write_manifest
from vision.openvino.traced import OpenVinoBackbone, save

log = logging.getLogger(__name__)

_COMPARED = 5
_LEAST_COSINE = 0.99999


def keep(encoder: str, weights: str = "", device: str = AUTO) -> Path | None:
    """The folder in which it lies now; None where it needs PyTorch: for speed, or for a device that was named.

    Beside it is written whether a card is faster, where the machine has one and `device` leaves it open.
    Raises `OperatorError` as `create_embedder` does, and where what was kept computes something else.
    """
    facts = extractor.describe(encoder, weights)
    folder = kept_folder(facts.extractor_id)
    shutil.rmtree(folder, ignore_errors=True)
    *card, target = devices_for(device)
    if target.type != CPU:
        return None
    network = build_backbone(encoder, weights)
    backbone, execution = fastest(network, facts.image_size, target)
    if not isinstance(backbone, OpenVinoBackbone):
        log.info("event=network_not_kept extractor=%s execution=%s", facts.extractor_id, execution)
        return None
    draft = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    head = build_head(encoder)
    with torch.inference_mode():
        save(traced(network, facts.image_size), facts.image_size, draft / NETWORK)
    np.savez(draft / HEAD, **_arrays(head))
    drawn = np.random.default_rng(1).integers(0, 256, (_COMPARED, facts.image_size, facts.image_size, 3), np.uint8)
    drawn[0] = 255
    plain = Way(CPU, "kept", read_vectors(draft, torch.get_num_threads()))
    ours, theirs = plain.vectors(drawn), vectors_of(backbone, head, target)(drawn)
    least = float((ours * theirs).sum(axis=1).min())
    if least < _LEAST_COSINE:
        raise OperatorError(f"the kept network of {facts.extractor_id} computes something else (cosine {least:.6f})")
    by_card = way_of_card(facts, weights, card[0]) if card else None
    chosen = plain if by_card is None else faster(by_card, plain, facts.image_size)
    write_manifest(draft, here(facts.extractor_id, torch.get_num_threads(), chosen.device))
    draft.rename(folder)
    return folder


def _arrays(head: nn.Module) -> dict[str, NDArray[Any]]:
    """What `vision.kept.head.KeptHead` needs to stand for it."""
    assert isinstance(head, Head | BlocksHead), "there are no other heads"
    if head.colour is None:
        return {}
    arrays = {
        "table": head.colour.table.numpy(),
        "spread": head.colour.spread.numpy(),
        "white_cell": np.asarray(WHITE_CELL),
        "least_foreground": np.asarray(LEAST_FOREGROUND),
    }
    own = (
        {"faintest": np.asarray(FAINTEST)} if isinstance(head, BlocksHead) else {"projection": head.projection.numpy()}
    )
    return arrays | own
