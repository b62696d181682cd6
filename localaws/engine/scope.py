"""What the references of a definition see in one execution."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from localaws.definition import Definition
from localaws.events.shapes import iso
from localaws.store import Record

if TYPE_CHECKING:
    from localaws.application import Application


class ExecutionScope:
    """A `definition.Scope` over the store: parameters, execution variables, finished steps, S3 objects."""

    def __init__(
        self, app: Application, execution: Record, definition: Definition, steps: Mapping[str, Record]
    ) -> None:
        body = execution.body
        self._app, self._record, self._definition, self._steps = app, execution, definition, steps
        self._objects: dict[str, Any] = {}
        self.parameters: Mapping[str, Any] = definition.bind(body["_overrides"])
        self.execution: Mapping[str, Any] = {
            "StartDateTime": iso(body["StartTime"]),
            "CurrentDateTime": iso(app.clock.now()),
            "PipelineName": execution.parent,
            "PipelineArn": body["PipelineArn"],
            "PipelineExecutionId": execution.key.name,
            "PipelineExecutionArn": body["PipelineExecutionArn"],
            "TrainingJobName": execution.key.name,
            "ProcessingJobName": execution.key.name,
        }

    def properties(self, step: str) -> Mapping[str, Any]:
        """What Describe… answered when the step had finished; LookupError while it hasn't."""
        return self._steps[step].body["_properties"]

    def property_file(self, step: str, file: str) -> Any:
        """The JSON value of a property file; LookupError if it isn't there."""
        wanted = self._definition.steps[step].property_files[file]
        outputs = self.properties(step)["ProcessingOutputConfig"]["Outputs"]
        for output in outputs:
            if output["OutputName"] == wanted.output_name:
                return self.json_object(f"{output['S3Output']['S3Uri'].rstrip('/')}/{wanted.path.lstrip('/')}")
        raise LookupError(wanted.output_name)

    def json_object(self, uri: str) -> Any:
        """The JSON value of an S3 object, asked for once; LookupError if it isn't there or isn't JSON."""
        if uri not in self._objects:
            self._objects[uri] = self._json_object(uri)
        return self._objects[uri]

    def _json_object(self, uri: str) -> Any:
        place, key = urlsplit(uri), self._record.key
        client = self._app.client("s3", key.account, key.region, self._record.body["_role"], key.name)
        try:
            answer = client.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))
            with contextlib.closing(answer["Body"]) as body:
                text = body.read()
            return json.loads(text)
        except client.exceptions.ClientError as error:
            raise LookupError(uri) from error
        except ValueError as error:
            raise LookupError(f"{uri} is not JSON") from error
