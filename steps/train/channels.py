"""Training channels: label-first CSV, libsvm, JSON lines or Parquet files in, a matrix out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from steps.common import files, libsvm, log, media, reader
from steps.common.failure import StepFailed
from steps.common.layout import LARGEST_SINGLE, WEIGHT, Check, Layout, one_of
from steps.common.schema import Schema

BINARY = one_of((0.0, 1.0))
KNOWN = "text/csv, text/libsvm, application/x-parquet and application/jsonlines"


@dataclass(frozen=True)
class Channel:
    """Features (rows × columns, float32, NaN where missing), labels (rows) and, if given, weights (rows).

    Categories are their places in the schema's lists; `types` has XGBoost's type of each feature where there are any.
    """

    features: np.ndarray
    names: list[str]
    labels: np.ndarray
    weights: np.ndarray | None = None
    types: list[str] | None = None
    label: str = "1"

    def widened(self, width: int) -> "Channel":
        """Return the channel with a number of features, if it has no rows; else itself."""
        if len(self.labels):
            return self
        names = Schema.read().label_first(width + 1)[1:]
        return replace(self, features=np.empty((0, width), np.float32), names=names, types=_types(names))


def read(
    folder: Path,
    content_type: str | None = None,
    weighted: bool = False,
    check: Check = BINARY,
    may_be_empty: bool = False,
    like: Channel | None = None,
) -> Channel:
    """Read all files of a channel in the order of their names.

    Args:
        folder: of the channel, whose name it bears.
        content_type: of the channel's configuration; without one, each file's content says what it is.
        weighted: whether the second column holds the rows' weights.
        check: what a label must pass.
        may_be_empty: whether there may be no file: of several hosts, one may get none.
        like: the channel whose columns these must be.

    Raises:
        StepFailed: naming the file, row and column at fault.
    """
    format = _format(content_type, folder.name)
    found = reader.listed(folder)
    if not found and may_be_empty:
        none = np.empty(0, np.float32)
        return Channel(np.empty((0, 0), np.float32), [], none, none if weighted else None)
    if not found:
        raise StepFailed(f"channel {folder.name}: no file with content.")
    schema = Schema.read()
    own = _layout([schema.label, *["weight"] * weighted, *schema.names], check, weighted, schema)
    first = reader.look(found[0], own, format)
    if first.format == files.CSV and first.width != len(own.names):
        # Another table's, in which no column holds text: a first line of text has its names.
        first = reader.look(found[0], Layout(tuple(schema.label_first(first.width))), format)
    if first.format == files.LIBSVM:
        channel = _sparse(found, check, schema)
    else:
        names = _names(first, own, schema, weighted, like)
        if len(names) <= 1 + weighted:
            raise StepFailed(f"{found[0].name}: no feature beside the label{' and the weight' * weighted}.")
        layout = own if tuple(names) == own.names else _layout(names, check, weighted)
        channel = _dense(found, layout, weighted, format)
    if not len(channel.labels):
        raise StepFailed(f"channel {folder.name}: no row in its files.")
    return _coded(channel, schema, folder.name)


def _format(content_type: str | None, channel: str) -> str | None:
    if not content_type:
        return None
    try:
        kind = media.content_type(content_type)
    except media.NotAMediaType as problem:
        raise StepFailed(f"channel {channel}: content type: {problem}; {KNOWN} are known.") from None
    if kind.name not in media.FORMATS:
        raise StepFailed(f"channel {channel}: content type {kind.name}; {KNOWN} are known.")
    if kind.parameters.get("label_size", "1") != "1":
        raise StepFailed(f"channel {channel}: content type with another label_size than 1; there is one label.")
    if kind.parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise StepFailed(f"channel {channel}: content type with another charset than UTF-8.")
    return media.FORMATS[kind.name]


def _layout(names: Sequence[str], check: Check, weighted: bool, schema: Schema | None = None) -> Layout:
    checks = {names[0]: check} | ({names[1]: WEIGHT} if weighted and len(names) > 1 else {})
    if schema:
        return schema.layout(names, checks, largest=LARGEST_SINGLE)
    return Layout(tuple(names), checks=checks, largest=LARGEST_SINGLE)


def _names(first: reader.Source, own: Layout, schema: Schema, weighted: bool, like: Channel | None) -> Sequence[str]:
    """Return the columns that the channel's files must have: the schema's, or those of another table."""
    before = [like.label, *["weight"] * weighted, *like.names] if like and like.names else None
    if first.format == files.CSV and first.names is None:
        return before if before and len(before) == first.width else schema.label_first(first.width, weighted)
    found = reader.names_of(first, own)
    if before or set(found) & set(own.names):
        return before or own.names
    return found


def _dense(found: Sequence[reader.File], layout: Layout, weighted: bool, format: str | None) -> Channel:
    # XGBoost learns from float32; rows are narrowed piece by piece, so that the whole never lies there twice as wide.
    pieces = [piece.astype(np.float32) for piece in reader.batches(found, layout, format)]
    rows = np.concatenate(pieces) if pieces else np.empty((0, len(layout.names)), np.float32)
    first = 1 + weighted
    weights = rows[:, 1] if weighted else None
    return Channel(rows[:, first:], list(layout.names[first:]), rows[:, 0], weights, label=layout.names[0])


def _sparse(found: Sequence[reader.File], check: Check, schema: Schema) -> Channel:
    labels, features, weights = libsvm.read(found, len(schema.names), check)
    if not features.shape[1]:
        raise StepFailed(f"{found[0].name}: no feature beside the label.")
    names = schema.label_first(features.shape[1] + 1)[1:]
    narrow = None if weights is None else weights.astype(np.float32)
    return Channel(features.astype(np.float32), names, labels.astype(np.float32), narrow)


def _coded(channel: Channel, schema: Schema, name: str) -> Channel:
    types = _types(channel.names)
    if channel.names != schema.names or not (types or schema.texts):
        return channel
    features = schema.codes(channel.features)
    lost = np.isnan(features).sum(axis=0) - np.isnan(channel.features).sum(axis=0)
    for column, count in zip(channel.names, lost.tolist(), strict=True):
        if count:
            log.info(f"channel {name}, column {column}: {count} cells hold none of its values; they count as missing.")
    return replace(channel, features=features, types=types)


def _types(names: Sequence[str]) -> list[str] | None:
    schema = Schema.read()
    return schema.feature_types if list(names) == schema.names and "c" in schema.feature_types else None
