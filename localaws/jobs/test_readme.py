import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_refusal_of_the_readme_is_made_and_tested():
    table = (HERE / "README.md").read_text().partition("## What they refuse")[2]
    sentences = re.findall(r"^\|.*\| `(.*)` \|$", table, re.MULTILINE)
    assert len(sentences) > 10
    files = [file for file in HERE.glob("*.py") if file.name not in ("test_readme.py", "conftest.py")]
    for tests in (True, False):
        text = "".join(file.read_text() for file in files if file.name.startswith("test_") == tests)
        text = re.sub(r'"\s*\n\s*f?"', "", text).replace("{ML}", "/opt/ml")
        assert [sentence for sentence in sentences if sentence[:40] not in _plain(text)] == []


def _plain(text):
    """The text with the settings' names where they are filled in."""
    filled = {"{data_type}": "AugmentedManifestFile", "{setting} {item[setting]}": "CompressionType Gzip"}
    for part, value in filled.items():
        text = text.replace(part, value)
    return text
