"""Whole but wrong models: each is refused in one sentence, or scores as its own numbers say.

FUZZ says how many are tried, SEED where to begin: `make soak/models`.
"""

import copy
import json
import math
import os
import random
import struct
import threading
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import xgboost

from steps.common.failure import StepFailed
from steps.common.model import Model
from steps.common.test_job import Job
from steps.common.ubjson import decode
from steps.infer.conftest import lay_out

TRIES, SEED = int(os.environ.get("FUZZ") or 160), int(os.environ.get("SEED") or 0)
CATEGORIES = 40


def data(categorical: bool, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(400, 5)).astype(np.float32)
    if categorical:
        rows[:, 0] = chance.integers(0, CATEGORIES, 400)
    rows[chance.random((400, 5)) < 0.05] = np.nan
    return rows


def trained(classes: int = 1, targets: int = 1, categorical: bool = False, **settings: Any) -> bytes:
    rows = data(categorical, 1)
    score = np.nan_to_num(rows[:, 1]) + np.nan_to_num(rows[:, 0] % 3)
    labels = np.digitize(score, np.quantile(score, np.arange(1, max(classes, 2)) / max(classes, 2)))
    given = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, **settings}
    kinds = ["c" if categorical else "q", "q", "q", "q", "q"]
    label = np.c_[labels, -labels] if targets > 1 else labels
    matrix = xgboost.DMatrix(rows, label=label, feature_types=kinds, enable_categorical=True)
    return bytes(xgboost.train(given, matrix, 5).save_raw("ubj"))


BASES: dict[str, Callable[[], bytes]] = {
    "trees": trained,
    "pruned": lambda: trained(tree_method="exact", gamma=2, max_depth=6),
    "categories": lambda: trained(categorical=True, max_cat_to_onehot=1),
    "classes": lambda: trained(classes=3, objective="multi:softprob", num_class=3),
    "forest": lambda: trained(num_parallel_tree=3, subsample=0.5, objective="reg:squarederror"),
    "dart": lambda: trained(booster="dart", rate_drop=0.5),
    "linear": lambda: trained(booster="gblinear"),
    "vectors": lambda: trained(targets=2, multi_strategy="multi_output_tree", objective="reg:squarederror"),
}


@pytest.fixture(scope="module")
def bases() -> dict[str, bytes]:
    return {name: make() for name, make in BASES.items()}


def encode(value: Any) -> bytes:
    """Return UBJSON; whole numbers as 32 bits where they fit."""
    if isinstance(value, dict):
        return b"{" + b"".join(encode(str(name))[1:] + encode(item) for name, item in value.items()) + b"}"
    if isinstance(value, array):
        kind = {"b": b"i", "B": b"U", "h": b"I", "i": b"l", "q": b"L", "f": b"d", "d": b"D"}[value.typecode]
        swapped = array(value.typecode, value)
        swapped.byteswap()
        return b"[$" + kind + b"#L" + struct.pack(">q", len(value)) + swapped.tobytes()
    if isinstance(value, list):
        return b"[" + b"".join(map(encode, value)) + b"]"
    if isinstance(value, str):
        return b"SL" + struct.pack(">q", len(value.encode())) + value.encode()
    if isinstance(value, bool) or value is None:
        return {True: b"T", False: b"F", None: b"Z"}[value]
    if isinstance(value, float):
        return b"d" + struct.pack(">f", value)
    return b"l" + struct.pack(">i", value) if -(1 << 31) <= value < 1 << 31 else b"L" + struct.pack(">q", value)


def text(value: Any) -> bytes:
    return json.dumps(value, default=list).encode()


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every member of every object."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(node, dict) or isinstance(value, dict):
            yield node, key
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            yield from places(value)


WORDS = (
    "", "-1", "0", "1", "2", "7", "1e9", "999999999", "2147483648", "99999999999999999999", "x", "nan", "[nan]", "inf",
    "[5E-1,5E-1,5E-1]", "[", "٣", "gbtree", "dart", "gblinear", "multi:softmax", "a" * 100_000, "c", "\0",
)  # fmt: skip
WHOLE = (-(1 << 31), -1000, -2, -1, 0, 1, 2, 3, 100, 1 << 16, (1 << 31) - 2, (1 << 31) - 1)
BROKEN_REALS = (math.nan, math.inf, -math.inf, 3e38, -1e30, 0.0)
OTHERS: tuple[Any, ...] = (None, True, "text", 7, -1, {}, [], [[]], [None], {"a": []})


def spoilt(value: Any, chance: random.Random) -> Any:
    """Return another value for a member."""
    if isinstance(value, str) and chance.random() < 0.9:
        return chance.choice(WORDS)
    if isinstance(value, list | array) and chance.random() < 0.9:
        found = copy.deepcopy(value)
        how = chance.choice(("one", "one", "one", "one", "shorter", "longer", "empty", "huge"))
        if how == "one" and len(found):
            place = chance.randrange(len(found))
            real = isinstance(found, array) and found.typecode in "fd"
            if isinstance(found, array) and found.typecode in "bB":
                found[place] = chance.choice((0, 1, 2, 100))
            elif isinstance(found, list):
                found[place] = chance.choice((*OTHERS, *WHOLE))
            else:
                found[place] = chance.choice(BROKEN_REALS if real else WHOLE)
        elif how == "shorter" and len(found):
            del found[chance.randrange(len(found)) :]
        elif how == "longer" and len(found):
            found.append(found[-1])
        elif how == "huge" and len(found):
            found *= 1000
        elif how == "empty":
            found = found[:0]
        return found
    return chance.choice(OTHERS)


def variant(content: bytes, chance: random.Random) -> bytes:
    """Return a broken model: members changed, removed or swapped, or bytes."""
    if chance.random() < 0.15:
        spoiled = bytearray(content)
        for _ in range(chance.choice((1, 1, 5))):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        return bytes(spoiled)
    model = decode(content)
    for _ in range(chance.choice((1, 1, 1, 2))):
        found = list(places(model))
        # As often a part of a tree as a part of the whole, however many trees there are.
        node, key = chance.choice(
            [place for place in found if ("left_children" in place[0]) == (chance.random() < 0.6)] or found
        )
        action = chance.random()
        if action < 0.1:
            node.pop(key)
        elif action < 0.2 and isinstance(node, dict):
            node[key] = copy.deepcopy(node[chance.choice(list(node))])
        else:
            node[key] = spoilt(node[key], chance)
    return encode(model) if chance.random() < 0.6 else text(model)


def walked(tree: dict[str, Any], row: np.ndarray) -> np.ndarray:
    """Return a tree's leaf for a row: the format read a second way, one node after the other."""
    node, sets = 0, dict(zip(tree["categories_nodes"], range(len(tree["categories_nodes"])), strict=True))
    while tree["left_children"][node] != -1:
        cell = float(row[tree["split_indices"][node]])
        if math.isnan(cell):
            left = bool(tree["default_left"][node])
        elif tree.get("split_type") and tree["split_type"][node]:
            begin = tree["categories_segments"][sets[node]]
            left = cell < 0 or int(cell) not in tree["categories"][begin : begin + tree["categories_sizes"][sets[node]]]
        else:
            left = cell < np.float32(tree["split_conditions"][node])
        node = tree["left_children" if left else "right_children"][node]
    width = int(tree["tree_param"].get("size_leaf_vector", "1"))
    if width < 2:
        return np.array([tree["split_conditions"][node]])
    vectors = np.array(tree["leaf_weights"] if "leaf_weights" in tree else tree["base_weights"]).reshape(-1, width)
    return vectors[tree["right_children"][node] if "leaf_weights" in tree else node]


def answer(model: dict[str, Any], rows: np.ndarray) -> np.ndarray:
    """Return what a model's numbers say of the rows."""
    learner = model["learner"]
    given, booster = learner["learner_model_param"], learner["gradient_booster"]
    objective = learner["objective"]["name"]
    groups = max(int(given.get("num_class", "0")), 1) * max(int(given.get("num_target", "1")), 1)
    base = np.array([float(part) for part in given["base_score"].strip("[]").split(",")])
    with np.errstate(divide="ignore"):
        base = np.log(base / (1 - base)) if objective == "binary:logistic" else base
    margins = np.zeros((len(rows), groups)) + base
    if booster["name"] == "gblinear":
        weights = np.array(booster["model"]["weights"]).reshape(-1, groups)
        margins += np.nan_to_num(rows) @ weights[:-1] + weights[-1]
    else:
        forest = (booster["gbtree"] if booster["name"] == "dart" else booster)["model"]
        for number, (tree, group) in enumerate(zip(forest["trees"], forest["tree_info"], strict=True)):
            leaves = np.array([walked(tree, row) for row in rows])
            drop = booster["weight_drop"][number] if booster["name"] == "dart" else 1
            if leaves.shape[1] > 1:
                margins += leaves
            else:
                margins[:, group] += leaves[:, 0] * drop
    if objective == "binary:logistic":
        return (1 / (1 + np.exp(-margins)))[:, 0]
    if objective == "multi:softprob":
        powers = np.exp(margins - margins.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    return margins if groups > 1 else margins[:, 0]


def outcome(content: bytes, rows: np.ndarray) -> tuple[str, Any]:
    """Load and score in a child; return "refused" and the sentence, "answered" and scores, or "died" and how."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        thread = threading.Thread(target=_tell, args=(content, rows, writing))
        thread.start()
        thread.join()
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    return tuple(json.loads(said)) if status == 0 else ("died", os.waitstatus_to_exitcode(status))


def _tell(content: bytes, rows: np.ndarray, writing: int) -> None:
    """Write the outcome and end; in a thread of its own, because OpenMP's don't survive a fork."""
    try:
        model = Model(content, "the model")
        said = ["answered", model.predict(rows).astype(float).tolist() if model.features == 5 else None]
    except StepFailed as failed:
        said = ["refused", str(failed)]
    with os.fdopen(writing, "w") as stream:
        json.dump(said, stream)
    os._exit(0)


def held(content: bytes, rows: np.ndarray) -> tuple[bool, str]:
    """Return whether a model was refused in one sentence or answered rightly, and what was seen."""
    kind, found = outcome(content, rows)
    if kind == "refused":
        return found.startswith("the model is ") and found.endswith(".") and "\n" not in found, found
    if kind == "died":
        return False, f"died: {found}"
    if found is None:
        return True, "takes another number of features, which its caller refuses"
    try:
        right = answer(decode(content), rows)
        return np.shape(found) == right.shape and np.allclose(found, right, rtol=1e-3, atol=1e-4), "answered"
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return False, f"answered what can't be followed: {error!r}"


@pytest.mark.parametrize("name", BASES)
def test_sound_models_score_as_their_numbers_say(bases, name):
    rows = data(name == "categories", 2)[:100]
    for content in (bases[name], encode(decode(bases[name])), text(decode(bases[name]))):
        assert held(content, rows) == (True, "answered")


def test_broken_models_are_refused_or_answer_rightly(bases):
    seen: dict[str, int] = {}
    wrong = []
    for number in range(SEED, SEED + TRIES):
        name = list(BASES)[number % len(BASES)]
        content = variant(bases[name], random.Random(number))
        well, what = held(content, data(name == "categories", 2)[:30])
        if not well:
            wrong.append(f"SEED={number}, {name}: {what}")
        seen[what.partition(":")[0]] = seen.get(what.partition(":")[0], 0) + 1
    print(f"{TRIES} broken models: {seen}")
    assert not wrong, "\n".join(wrong)
    assert len(seen) > 2


def tree(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return lambda model: change(model["learner"]["gradient_booster"]["model"]["trees"][3])


def put(name: str, place: int, value: Any) -> Callable[[dict[str, Any]], Any]:
    return tree(lambda found: found[name].__setitem__(place, value))


def parameter(name: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda model: model["learner"]["learner_model_param"].update({name: value})


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "child beyond": (put("left_children", 0, 1000), "tree 3: a child lies outside the tree"),
    "child before": (put("right_children", 0, -7), "tree 3: a child lies outside the tree"),
    "circle": (put("left_children", 1, 1), "tree 3: two nodes have the same child, or a node is below itself"),
    "to the root": (put("left_children", 1, 0), "tree 3: a child lies outside the tree"),
    "feature": (put("split_indices", 0, 5), "tree 3: a split is on a feature that the model doesn't have"),
    "threshold": (put("split_conditions", 0, math.nan), "tree 3: a threshold or leaf is no finite number"),
    "leaf": (put("split_conditions", -1, math.inf), "tree 3: a threshold or leaf is no finite number"),
    "short": (tree(lambda found: found["default_left"].pop()), "tree 3: default_left has 12 entries where 13 belong"),
    "leaf vectors": (
        tree(lambda found: found["tree_param"].update(size_leaf_vector="2")),
        "tree 3: leaves have another number of outputs than the model",
    ),
    "category": (
        tree(lambda found: found["split_type"].__setitem__(0, 1)),
        "tree 3: categories_nodes doesn't name the categorical splits",
    ),
    "base score": (parameter("base_score", "nan"), "base_score isn't one finite number for each output"),
    "features": (parameter("num_feature", "4"), "tree 0: num_feature isn't the model's"),
    "huge": (parameter("num_feature", "999999999"), "num_feature is beyond all measure"),
    "classes": (parameter("num_class", "999999999"), "num_class is beyond all measure"),
    "names": (
        lambda model: model["learner"].update(feature_names=["a"]),
        "feature_names has 1 entries where num_feature is 5",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_sentence_says_what_is_wrong(tmp_path, trained, name):
    change, said = WRONG[name]
    model = decode(trained)
    change(model)
    folder = lay_out(tmp_path, encode(model))
    code, output = Job(folder.parent).run("infer", "serve", SAGEMAKER_BIND_TO_PORT="1")
    assert (code, output) == (1, f"model archive: xgboost-model is damaged: {said}.\n")
