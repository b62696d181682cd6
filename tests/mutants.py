"""How many small errors a module's own tests notice: `python -m tests.mutants [--most N] [--seed N] [MODULE …]`.

A mutant is a module with one operator, comparison, constant or call changed. It never touches a file: the module is
compiled from the changed tree when a test imports it. A mutant dies where a test fails, or nothing ends in time.
"""

import argparse
import ast
import contextlib
import copy
import importlib
import importlib.abc
import importlib.util
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PURE = ("ranking", "intervals", "binary", "multiclass", "regression")
QUALITY = ("evaluate", ("steps/common/quality",))
MODULES = {
    "steps.monitor.significance": ("monitor", ("steps/monitor/test_significance.py", "steps/monitor/test_oracles.py")),
    "steps.monitor.drift.checks": ("monitor", ("steps/monitor/drift/test_check_rules.py",)),
    **{
        f"steps.common.quality.{name}": QUALITY
        for name in ("ranking", "intervals", "binary", "multiclass", "regression")
    },
}
"""Each pure module, the step in whose environment its tests run, and these."""

SCORE = 0.9
"""The share of mutants that has to die."""

SECONDS = 180
"""After which a mutant hangs."""

PRELOADED = ("pytest", "numpy", "duckdb", "scipy.stats", "hypothesis.strategies", "sklearn.metrics")

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
CALLS = {"min": "max", "max": "min"}


def mutants(tree: ast.Module) -> list[tuple[int, int, int, str]]:
    """Return node, choice, line and change of every mutant."""
    found = []
    for index, node in enumerate(ast.walk(tree)):
        for choice in range(4):
            if not isinstance(node, ast.expr):
                break
            changed = copy.deepcopy(node)
            if not _change(changed, choice):
                break
            found.append((index, choice, node.lineno, f"{ast.unparse(node)} -> {ast.unparse(changed)}"))
    return found


def mutated(tree: ast.Module, number: int) -> ast.Module:
    """Return the tree with one change."""
    index, choice, *_ = mutants(tree)[number]
    _change(next(node for position, node in enumerate(ast.walk(tree)) if position == index), choice)
    return tree


def _change(node: ast.AST, choice: int) -> bool:
    """Change a node in one of its ways; say whether there is such a way."""
    if isinstance(node, ast.Compare) and choice < len(node.ops) and type(node.ops[choice]) in COMPARISONS:
        node.ops[choice] = COMPARISONS[type(node.ops[choice])]()
        return True
    if choice:
        return False
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not _is_type(node):
        node.op = OPERATORS[type(node.op)]()
        return True
    if isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        return True
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        node.value = not node.value
        return True
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        node.value = node.value + 1
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        node.func.id = CALLS[node.func.id]
        return True
    return False


def _is_type(node: ast.AST) -> bool:
    """Whether `|` joins types, which no test can notice."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)


def source(module: str) -> Path:
    """Return a module's file."""
    return ROOT / f"{module.replace('.', '/')}.py"


class Mutated(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Imports one module from a changed tree."""

    def __init__(self, module: str, number: int) -> None:
        self._module = module
        self._tree = mutated(ast.parse(source(module).read_text()), number)

    def find_spec(self, fullname, path, target=None):  # noqa: D102
        if fullname == self._module:
            return importlib.util.spec_from_file_location(fullname, source(fullname), loader=self)
        return None

    def get_filename(self, fullname: str) -> str:  # noqa: D102
        return str(source(fullname))

    def get_data(self, path: str) -> bytes:  # noqa: D102
        return ast.unparse(ast.fix_missing_locations(self._tree)).encode()

    def path_stats(self, path: str) -> dict:  # noqa: D102
        raise OSError  # No bytecode of a mutant is written or read.


def child(module: str, numbers: list[int]) -> int:
    """Print each mutant's number and whether it lived; -1 is the module itself.

    What the tests take from elsewhere is imported once: each mutant gets a fork.
    """
    for name in PRELOADED:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    for number in numbers:
        process = os.fork()
        if not process:
            _run(module, number)
        print(number, int(_ended_well(process)), flush=True)
    return 0


def _run(module: str, number: int) -> None:
    """Run the tests of a mutant, and end."""
    import pytest

    # A mutant that never ends is ended by the clock.
    signal.alarm(SECONDS)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        if number >= 0:
            sys.meta_path.insert(0, Mutated(module, number))
        code = pytest.main(["-x", "-q", "--no-header", "-p", "no:random-order", *MODULES[module][1]])
        os._exit(int(code))


def _ended_well(process: int) -> bool:
    return os.waitpid(process, 0)[1] == 0


def living(module: str, numbers: list[int], jobs: int) -> set[int]:
    """Return those of a module's mutants that the tests don't notice."""
    python = ROOT / ".venvs" / f"{MODULES[module][0]}-tests" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    workers = [
        subprocess.Popen(
            [str(python), "-m", "tests.mutants", f"--child={','.join(map(str, numbers[job::jobs]))}", module],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT)},
        )
        for job in range(min(jobs, len(numbers)))
    ]
    lines = [line.split() for worker in workers for line in worker.communicate()[0].splitlines()]
    if len(lines) != len(numbers):
        raise SystemExit(f"{module}: a process that runs mutants broke off.")
    return {int(number) for number, lived in lines if int(lived)}


def main(arguments: list[str] | None = None) -> int:
    """Print how many mutants of each module die, and those that live."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--most", type=int, default=40, help="mutants that are drawn of each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("modules", nargs="*", default=[], help=f"of {', '.join(MODULES)}")
    options = parser.parse_args(arguments)
    if options.child is not None:
        return child(options.modules[0], [int(number) for number in options.child.split(",")])
    missed = False
    for module in options.modules or MODULES:
        if not living(module, [-1], 1):
            print(f"{module}: its tests fail without any mutant.")
            return 1
        known = mutants(ast.parse(source(module).read_text()))
        drawn = sorted(random.Random(options.seed).sample(range(len(known)), min(options.most, len(known))))
        alive = living(module, drawn, options.jobs)
        died = len(drawn) - len(alive)
        score = died / len(drawn)
        missed |= score < SCORE
        print(f"{module:34} {died:4} of {len(drawn):4} died ({len(known)} in all) {100 * score:5.1f} %", flush=True)
        for number in sorted(alive):
            *_, line, change = known[number]
            print(f"    line {line}: {change[:90]}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
