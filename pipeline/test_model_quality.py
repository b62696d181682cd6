"""The list of what labels said of the model."""

import json
import re

from functions.conftest_world import fail

SENTENCE = "Drift: the model has become worse (auc); AUC 0.512; 41 of 48 scored rows are labelled."


def evaluated(world, drift):
    """Run an execution that evaluates version 3; return its ARN."""
    verdict = json.dumps({"drift": drift, "sentence": SENTENCE if drift else "No drift [as it was]."})
    steps = [
        world.resolve(ModelPackageArn="arn:package/3", Labels="labels-v3-0123456789ab"),
        world.monitor({"verdict.json": verdict}, of="quality"),
    ]
    world.pipeline("quality", *steps, *[fail("Drift", "It is worse.", "Quality")] * drift)
    execution = world.start("quality")
    world.end(execution)
    return execution


def test_each_execution_is_a_line_the_newest_first(run, world):
    first, second = evaluated(world, drift=False), evaluated(world, drift=True)
    code, (heading, *lines), error = run("quality", "--environment", "prod")
    assert (code, error) == (0, "") and heading.split() == ["started", "status", "version", "what", "report"]
    reports = [
        f"s3://{world.context.data_bucket}/{world.context.run(execution, 'quality', 'report.html')}"
        for execution in (second, first)
    ]
    assert re.fullmatch(rf"\S+ +Failed +3 +{re.escape(SENTENCE)} +{reports[0]}", lines[0])
    assert re.fullmatch(rf"\S+ +Succeeded +3 +No drift \[as it was\]\. +{reports[1]}", lines[1])


def test_one_that_found_nothing_to_evaluate_says_why(run, world):
    url = f"s3://{world.context.data_bucket}/data/ground-truth/"
    world.pipeline("quality", world.calling("resolve", action="quality", ground_truth_url=url))
    world.end(world.start("quality"))
    code, (_, line), error = run("quality", "--environment", "prod")
    assert (code, error) == (0, "")
    assert line.endswith(f"step Resolve (NoApprovedModel): No version of {world.context.project} is approved.")


def test_one_that_runs_has_said_nothing_yet(run, world):
    world.pipeline("quality", world.waiting())
    world.start("quality")
    _, (_, line), _ = run("quality", "--environment", "prod")
    assert line.endswith(" Executing")


def test_without_executions_there_is_a_heading(run, world):
    world.pipeline("quality", world.waiting())
    code, lines, error = run("quality", "--environment", "prod")
    assert (code, len(lines), error) == (0, 1, "")


def test_no_pipeline_deployed(run, world):
    code, lines, error = run("quality", "--environment", "prod")
    assert (code, lines, error) == (1, [], f"{world.context.pipeline('quality')} isn't in account 333333333333.\n")
