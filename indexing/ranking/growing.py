"""LambdaMART by LightGBM: its only home, and loaded only where something is learned.

Burges, "From RankNet to LambdaRank to LambdaMART: an overview" (2010); Ke et al., "LightGBM" (NIPS 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.ranking.features import FEATURES, FEATURES_ID, FIT
from indexing.ranking.model import LEAVES, RankModel, Splits
from schemas.errors import OperatorError

TREES = 100
RATE = 0.1
LEAST_IN_LEAF = 50


def grow(
    rows: NDArray[np.float32],
    labels: NDArray[np.int8],
    weights: NDArray[np.float64],
    groups: NDArray[np.intp],
    least: NDArray[np.float64],
    seed: int,
) -> RankModel:
    """From groups of rows, one after the other (`groups`: their sizes), in each of which label 1 is to come first.

    `weights`: one for all rows of a group; `least`: the model's own. One thread and one seed: the same rows give the
    same model on the same machine. Raises `OperatorError` where LightGBM cannot be loaded.
    """
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise OperatorError(
            f"LightGBM cannot be loaded ({error}); make setup installs it, and it needs the system's libgomp "
            "(Debian: libgomp1)"
        ) from error
    parameters = {
        "objective": "lambdarank",
        "label_gain": [0, 1],
        "num_leaves": LEAVES,
        "learning_rate": RATE,
        "min_data_in_leaf": LEAST_IN_LEAF,
        "lambda_l2": 1.0,
        # Whatever the clicks of few say: what fits better by a list is not ranked down for that.
        "monotone_constraints": [1] * len(FIT) + [0] * (len(FEATURES) - len(FIT)),
        "monotone_constraints_method": "intermediate",
        "seed": seed % 2**31,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    data = lightgbm.Dataset(rows, labels, weight=weights, group=groups, feature_name=list(FEATURES), params=parameters)
    dumped = lightgbm.train(parameters, data, TREES).dump_model()
    return _model(dumped, least)


def _model(dumped: Mapping[str, Any], least: NDArray[np.float64]) -> RankModel:
    """LightGBM's trees as comparisons and the leaves that each leaves."""
    splits: list[tuple[int, int, float, int]] = []
    leaves = np.zeros((len(dumped["tree_info"]), LEAVES))
    for number, tree in enumerate(dumped["tree_info"]):
        values: list[float] = []

        def walk(node: Mapping[str, Any], number: int = number, values: list[float] = values) -> int:
            """The bits of the leaves below."""
            if "leaf_value" in node:
                values.append(float(node["leaf_value"]))
                return 1 << (len(values) - 1)
            if node["decision_type"] != "<=":
                raise ValueError(f"a comparison {node['decision_type']!r} that this does not know")
            left = walk(node["left_child"])
            right = walk(node["right_child"])
            splits.append((int(node["split_feature"]), number, float(node["threshold"]), 0xFFFF & ~left))
            return left | right

        walk(tree["tree_structure"])
        leaves[number, : len(values)] = values
    return RankModel(
        FEATURES_ID,
        Splits(
            np.array([split[0] for split in splits], np.uint8),
            np.array([split[1] for split in splits], np.uint16),
            np.array([split[2] for split in splits], np.float64),
            np.array([split[3] for split in splits], np.uint16),
        ),
        leaves,
        least,
    )
