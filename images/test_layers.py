import re

from images import layers


def packages(layer: layers.Layer) -> list[str]:
    return re.findall(r"(?m)^([\w.-]+)==", layer.requirements)


def test_a_steps_layers_hold_what_the_lock_gives_it_each_package_once():
    for step in layers.steps():
        found = [package for layer in layers.of(step) for package in packages(layer)]
        assert sorted(found) == sorted(layers._locked(f"baton-{step}"))


def test_every_requirement_is_held_by_hashes():
    for layer in layers.of("train"):
        assert layer.requirements.count("--hash=sha256:") >= len(packages(layer)) > 0


def test_layers_that_more_steps_share_lie_lower():
    for step in layers.steps():
        users = [layer.steps for layer in layers.of(step)]
        assert users == sorted(users, key=len, reverse=True)
        assert all(step in of for of in users)


def test_steps_agree_on_the_layers_they_share():
    known = {}
    for step in layers.steps():
        for layer in layers.of(step):
            assert known.setdefault(layer.steps, layer.requirements) == layer.requirements


def test_train_and_infer_carry_neither_scikit_learn_nor_pandas_nor_the_gpu_wheel():
    for step in ("train", "infer"):
        held = {package for layer in layers.of(step) for package in packages(layer)}
        assert "xgboost-cpu" in held
        assert held.isdisjoint({"scikit-learn", "pandas", "nvidia-nccl-cu12"})
