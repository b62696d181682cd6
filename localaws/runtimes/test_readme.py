import json
import re
from pathlib import Path

from localaws.contract import ImageMap

README = Path(__file__).with_name("README.md")


def test_the_image_map_of_the_readme_is_one(tmp_path):
    (text,) = re.findall(r"^```json\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "images.json"
    file.write_text(text)
    images = ImageMap.load(file)
    found = images.find("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1")
    assert found.script_mode and found.environment == {"SAGEMAKER_TRAINING_MODULE": "train"}
    assert images.find("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3").script_mode
    assert images.find("1.dkr.ecr.us-east-1.amazonaws.com/mine/train@sha256:0").directory == tmp_path
    assert images.find("docker.io/python:3").image == "python:3.11-slim"
    assert images.find("another:1") is None


def test_every_member_of_the_map_is_in_the_table():
    rows = re.findall(r"^\| `(\w+)` \|", README.read_text(), re.MULTILINE)
    members = {member for entry in json.loads(README.read_text().split("```")[1][5:])["images"] for member in entry}
    assert set(rows) == members - {"pattern"}
