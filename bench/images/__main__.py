"""Measures and prints: `make bench/images`. Seconds belong to this machine; the ratios are what counts."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.images import builds, starts
from images import engine, layers
from images.build import Builder
from images.engine import NotBuilt
from images.layers import ROOT
from pipeline import settings

RESULT = ROOT / ".baton/bench/images.json"


def main() -> int:
    """Measure everything; return 1 after one sentence if something can't be."""
    parser = argparse.ArgumentParser(prog="python -m bench.images", description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each start (7)")
    options = parser.parse_args()
    try:
        docker = engine.require()
        builder = Builder.of_settings(docker)
        project = settings.load("dev").project
        images = {step: builder.step(step, f"{project}/{step}") for step in layers.steps()}
        with tempfile.TemporaryDirectory(prefix="baton-bench-") as folder:
            measured = {
                "builds": builds.measure(Path(folder) / "checkout"),
                "starts": starts.first_lines(builder, images, Path(folder), options.repeats),
                "runtime": starts.runtime(builder, images, Path(folder), options.repeats),
            }
    except NotBuilt as error:
        print(error, file=sys.stderr)
        return 1
    _print(measured)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(measured, indent=1) + "\n")
    return 0


def _print(measured: dict) -> None:
    print("Builds of all five images, seconds:")
    for name, seconds in measured["builds"].items():
        print(f"  {name:42} {seconds:6.1f}   {seconds / measured['builds']['cold']:5.2f} × cold")
    floor = measured["starts"].pop("true")
    print(f"\nFrom `docker run` to the first line of work, seconds, median; `docker run IMAGE true` takes {floor:.2f}:")
    for step, seconds in measured["starts"].items():
        print(f"  {step:42} {seconds:6.2f}   {seconds - floor:+5.2f} s, {seconds / floor:.1f} ×")
    measured["starts"]["true"] = floor
    print("\nA whole job, seconds, median: bare `docker run` of the image, and localaws' docker runtime:")
    for step, (bare, ours) in measured["runtime"].items():
        print(f"  {step:24} {bare:6.2f} {ours:6.2f}   {ours / bare:5.2f} ×")


if __name__ == "__main__":
    sys.exit(main())
