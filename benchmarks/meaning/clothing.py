"""A kind of garment as a word, on photographs that people took at home: labels, and other words for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.meaning import ranked
from benchmarks.meaning.vectors import Pictures
from indexing.meaning.fitting import Known
from indexing.meaning.lessons import distinct, lessons
from indexing.meaning.training import train_map
from vision.text.encoder import TextEncoder

OTHER_WORDS = {
    "dress": ("frock", "gown", "sundress"),
    "outwear": ("jacket", "coat", "parka"),
    "hat": ("cap", "beanie", "headwear"),
    "shoes": ("sneakers", "boots", "footwear"),
    "pants": ("trousers", "jeans"),
    "t-shirt": ("tee", "top"),
    "longsleeve": ("sweater", "long sleeved top"),
    "shirt": ("button-down", "blouse"),
    "shorts": ("bermudas", "short trousers"),
    "skirt": ("miniskirt", "kilt"),
}
SEED = 1


def by_label(folder: Path, encoder: TextEncoder, known: Known | None) -> dict[str, Any]:
    """Learned from catalogue pictures and their labels alone; asked among the query pictures."""
    products = [json.loads(line) for line in (folder / "products.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()]
    pictures = Pictures(folder)
    texts, said = distinct([[product["category"]] for product in products])
    given = lessons(encoder.encode(texts), pictures.catalogue, said, np.arange(len(products)))
    learned = train_map(given, encoder.text_encoder_id, pictures.extractor_id, SEED, known)
    labels = np.array([query["category"] for query in queries])
    asked = {
        "labels": [(label, label) for label in OTHER_WORDS],
        "other words": [(label, word) for label, words in OTHER_WORDS.items() for word in words],
    }
    figures: dict[str, Any] = {"learned": {**learned.settings, "used": learned.used, **learned.held.figures()}}
    for voice, pairs in asked.items():
        scores = learned.map.apply(encoder.encode([word for _, word in pairs])) @ pictures.queries.T
        rows = []
        for (label, _), row in zip(pairs, scores, strict=True):
            right = labels[ranked.first(row.astype(np.float64))] == label
            rows.append({"label_at_1": float(right[0]), "precision_at_10": float(right.mean())})
        figures[voice] = ranked.averaged(rows)
    figures["any_order_precision"] = float(np.mean([(labels == label).mean() for label in OTHER_WORDS]))
    return figures
