"""Dependencies point one way; what stands alone stays alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "data": set(),
    "steps": set(),
    "functions": set(),
    "localaws": set(),
    "pipeline": {"steps", "functions", "localaws"},
    "promotion": {"pipeline", "steps", "functions"},
    "terraform": {"pipeline", "promotion"},
    "images": {"pipeline", "promotion"},
    "rehearsal": {"data", "functions", "localaws", "pipeline", "promotion"},
    "bench": {"data", "images", "localaws", "pipeline", "promotion", "steps", "tests"},
}
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}


def test_every_folder_but_the_tests_has_its_rule():
    assert ALLOWED.keys() | {"tests"} == FOLDERS


def imported(source: Path) -> set[str]:
    """Top-level names that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_a_folder_imports_only_what_it_may(folder):
    wrong = {
        f"{source.relative_to(ROOT)} imports {name}"
        for source in (ROOT / folder).rglob("*.py")
        for name in imported(source) & (FOLDERS - {folder} - ALLOWED[folder])
    }
    assert wrong == set()


def test_the_definition_language_alone_is_taken_from_localaws():
    """Its parser is the one that refuses a definition; nothing else of localaws is of use without a server."""
    for source in (ROOT / "pipeline").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "localaws":
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                assert all(name.startswith("localaws.definition") for name in names), f"{source}: {names}"
            elif isinstance(node, ast.Import):
                assert not any(alias.name.startswith("localaws") for alias in node.names), source


@pytest.mark.parametrize("step", sorted(p.name for p in (ROOT / "steps").iterdir() if p.is_dir()))
def test_a_step_imports_only_itself_and_what_steps_share(step):
    for source in (ROOT / "steps" / step).rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            if module and module.startswith("steps."):
                assert module.split(".")[1] in {step, "common"}, f"{source}: {module}"
