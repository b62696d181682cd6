"""Whether a model file's numbers hold together: XGBoost follows them without looking, beyond its memory if they say so.

Source of the layout: XGBoost's documentation, "Introduction to Model IO", and its schema `model.schema`.
"""

import math
import re
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np

MOST_FEATURES, MOST_GROUPS, MOST_CATEGORIES = 1 << 20, 1 << 16, 1 << 24
"""Columns of a row; outputs of a model; codes of a category, which XGBoost's own numbers tell apart only below."""

_LEAF = -1


class Inconsistent(ValueError):
    """A part of a model contradicts another, or is none; the message says which."""


def check(model: Mapping[str, Any]) -> int:
    """Check everything that XGBoost uses as a place in memory, a size or a threshold; return the number of features.

    Raises:
        Inconsistent: saying what is wrong.
    """
    learner = _member(model, "learner", dict)
    parameters = _member(learner, "learner_model_param", dict)
    features = _whole(parameters, "num_feature", 1)
    if features > MOST_FEATURES:
        raise Inconsistent("num_feature is beyond all measure")
    classes, targets = _whole(parameters, "num_class", 0, 0), _whole(parameters, "num_target", 0, 1)
    groups = max(classes, 1) * max(targets, 1)
    if groups > MOST_GROUPS:
        raise Inconsistent("num_class is beyond all measure")
    _check_base_score(parameters, groups)
    for name in ("feature_names", "feature_types"):
        found = learner.get(name) or []
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise Inconsistent(f"{name} is no list of names")
        if found and len(found) != features:
            raise Inconsistent(f"{name} has {len(found)} entries where num_feature is {features}")
    _member(_member(learner, "objective", dict), "name", str)
    booster = _member(learner, "gradient_booster", dict)
    kind = _member(booster, "name", str)
    if kind == "gblinear":
        weights = _numbers(_member(booster, "model", dict), "weights", (features + 1) * groups)
        if not np.isfinite(weights).all():
            raise Inconsistent("a weight is no finite number")
    elif kind in ("gbtree", "dart"):
        within = _member(booster, "gbtree", dict) if kind == "dart" else booster
        trees = _check_forest(_member(within, "model", dict), features, groups)
        if kind == "dart" and not np.isfinite(_numbers(booster, "weight_drop", trees)).all():
            raise Inconsistent("weight_drop holds what is no finite number")
    else:
        raise Inconsistent("the booster is of an unknown kind")
    return features


def _check_base_score(parameters: Mapping[str, Any], groups: int) -> None:
    text = _member(parameters, "base_score", str).strip()
    try:
        scores = [float(part) for part in text.removeprefix("[").removesuffix("]").split(",")]
    except ValueError:
        raise Inconsistent("base_score is no number") from None
    if not all(map(math.isfinite, scores)) or len(scores) not in (1, groups):
        raise Inconsistent("base_score isn't one finite number for each output")


def _check_forest(model: Mapping[str, Any], features: int, groups: int) -> int:
    trees = _member(model, "trees", list)
    parameters = _member(model, "gbtree_model_param", dict)
    if _whole(parameters, "num_trees") != len(trees):
        raise Inconsistent(f"num_trees isn't {len(trees)}, which is the number of trees")
    _whole(parameters, "num_parallel_tree", 0, 1)
    owners = _numbers(model, "tree_info", len(trees), whole=True)
    if ((owners < 0) | (owners >= groups)).any():
        raise Inconsistent("tree_info names an output that the model doesn't have")
    if "iteration_indptr" in model:
        starts = _numbers(model, "iteration_indptr", None, whole=True)
        if not len(starts) or starts[0] != 0 or starts[-1] != len(trees) or (np.diff(starts) < 0).any():
            raise Inconsistent("iteration_indptr doesn't lead from the first tree to the last")
    _check_category_names(model.get("cats"), features)
    for number, tree in enumerate(trees):
        try:
            if not isinstance(tree, dict) or tree.get("id", number) != number:
                raise Inconsistent("the id is another one")
            _check_tree(tree, features, groups)
        except Inconsistent as wrong:
            raise Inconsistent(f"tree {number}: {wrong}") from None
    return len(trees)


def _check_tree(tree: Mapping[str, Any], features: int, groups: int) -> None:
    parameters = _member(tree, "tree_param", dict)
    size = _whole(parameters, "num_nodes", 1)
    if _whole(parameters, "num_feature") != features:
        raise Inconsistent("num_feature isn't the model's")
    width = _whole(parameters, "size_leaf_vector", 0, 1)
    if width not in (0, 1, groups):
        raise Inconsistent("leaves have another number of outputs than the model")
    left, right, parents, indices = (
        _numbers(tree, name, size, whole=True)
        for name in ("left_children", "right_children", "parents", "split_indices")
    )
    thresholds = _numbers(tree, "split_conditions", size)
    if not np.isin(_numbers(tree, "default_left", size, whole=True), (0, 1)).all():
        raise Inconsistent("default_left holds what is neither yes nor no")
    for name in ("sum_hessian", "loss_changes"):
        _numbers(tree, name, size)
    kinds = _numbers(tree, "split_type", size, whole=True) if "split_type" in tree else np.zeros(size, np.int64)
    split = np.flatnonzero(left != _LEAF)
    children = np.concatenate([left[split], right[split]])
    if ((children < 1) | (children >= size)).any():
        raise Inconsistent("a child lies outside the tree")
    if len(np.unique(children)) != len(children):
        raise Inconsistent("two nodes have the same child, or a node is below itself")
    if (parents[children] != np.concatenate([split, split])).any():
        raise Inconsistent("parents don't fit the children")
    if ((indices[split] < 0) | (indices[split] >= features)).any():
        raise Inconsistent("a split is on a feature that the model doesn't have")
    if ((kinds != 0) & (kinds != 1)).any():
        raise Inconsistent("a split is of an unknown kind")
    leaves = left == _LEAF
    if width > 1:
        _check_leaf_vectors(tree, right[leaves], width, size)
    elif (right[leaves] != _LEAF).any():
        raise Inconsistent("a node has a right child alone")
    # A categorical split has its categories instead of a threshold, and so have leaves of vectors their vector.
    used = thresholds[(leaves & (width <= 1)) | (~leaves & (kinds == 0))]
    if not np.isfinite(used).all():
        raise Inconsistent("a threshold or leaf is no finite number")
    _check_categories(tree, set(np.flatnonzero(~leaves & (kinds == 1)).tolist()), size)


def _check_leaf_vectors(tree: Mapping[str, Any], places: np.ndarray, width: int, size: int) -> None:
    if "leaf_weights" in tree:
        weights = _numbers(tree, "leaf_weights", None)
        if len(weights) % width or ((places < 0) | (places >= len(weights) // width)).any():
            raise Inconsistent("a leaf vector lies outside leaf_weights")
    else:
        weights = _numbers(tree, "base_weights", size * width)
    if not np.isfinite(weights).all():
        raise Inconsistent("a threshold or leaf is no finite number")


def _check_categories(tree: Mapping[str, Any], split: set[int], size: int) -> None:
    """Check the sets of categories; `split` holds the nodes that need one."""
    codes, nodes = (
        _numbers(tree, name, None, whole=True) if name in tree else np.zeros(0, np.int64)
        for name in ("categories", "categories_nodes")
    )
    begins, sizes = (
        _numbers(tree, name, len(nodes), whole=True) if name in tree else np.zeros(0, np.int64)
        for name in ("categories_segments", "categories_sizes")
    )
    if len(begins) != len(nodes) or len(sizes) != len(nodes):
        raise Inconsistent("categories_segments or categories_sizes is missing")
    if ((nodes < 0) | (nodes >= size)).any() or (np.diff(nodes) <= 0).any() or not split <= set(nodes.tolist()):
        raise Inconsistent("categories_nodes doesn't name the categorical splits")
    if ((begins < 0) | (sizes < 1) | (begins + sizes > len(codes))).any():
        raise Inconsistent("a set of categories lies outside categories")
    if ((codes < 0) | (codes >= MOST_CATEGORIES)).any():
        raise Inconsistent("a category's code is out of range")


def _check_category_names(names: Any, features: int) -> None:
    """Check what newer versions keep of a data frame's categories."""
    if names is None:
        return
    if not isinstance(names, dict):
        raise Inconsistent("cats is no object")
    encodings = _member(names, "enc", list)
    segments, order = (_numbers(names, name, None, whole=True) for name in ("feature_segments", "sorted_idx"))
    if not encodings:
        if len(segments) > 1 or len(order):
            raise Inconsistent("cats has categories of no feature")
        return
    if len(encodings) != features or len(segments) != features + 1:
        raise Inconsistent("cats has another number of features")
    if segments[0] != 0 or segments[-1] != len(order) or (np.diff(segments) < 0).any():
        raise Inconsistent("cats' feature_segments don't lead to the end of sorted_idx")
    for encoding, begin, end in zip(encodings, segments, segments[1:], strict=True):
        if sorted(order[begin:end].tolist()) != list(range(end - begin)):
            raise Inconsistent("cats' sorted_idx names a category that isn't there")
        if not isinstance(encoding, dict):
            raise Inconsistent("cats holds what is no list of categories")
        _check_names(encoding, int(end - begin))


def _check_names(encoding: Mapping[str, Any], count: int) -> None:
    if "offsets" not in encoding:
        if len(encoding.get("values") or ()) != count:
            raise Inconsistent("cats holds another number of categories than it says")
        return
    offsets = _numbers(encoding, "offsets", count + 1 if count else None, whole=True)
    values = _numbers(encoding, "values", None, whole=True)
    if len(offsets) and (offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 0).any()):
        raise Inconsistent("cats' offsets don't fit its values")


def _member(of: Mapping[str, Any], name: str, kind: type) -> Any:
    found = of.get(name)
    if not isinstance(found, kind):
        raise Inconsistent(f"{name} is missing or of another type")
    return found


def _whole(of: Mapping[str, Any], name: str, least: int = 0, default: int | None = None) -> int:
    """Return a parameter, which the format writes as text."""
    text = of.get(name, None if default is None else str(default))
    if not isinstance(text, str) or not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < least:
        raise Inconsistent(f"{name} is no number, or out of range")
    return int(text)


def _numbers(of: Mapping[str, Any], name: str, size: int | None, whole: bool = False) -> np.ndarray:
    """Return an array of the size, of whole numbers (int64) or of any."""
    found = of.get(name)
    try:
        numbers = np.asarray(found) if isinstance(found, list | array) else np.asarray(None)
    except (ValueError, OverflowError):
        numbers = np.asarray(None)
    if numbers.ndim == 1 and not len(numbers):
        numbers = np.zeros(0, np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in ("bi" + "u" if whole else "iuf"):
        raise Inconsistent(f"{name} is missing or no list of numbers")
    if size is not None and len(numbers) != size:
        raise Inconsistent(f"{name} has {len(numbers)} entries where {size} belong")
    return numbers.astype(np.int64) if whole else numbers
