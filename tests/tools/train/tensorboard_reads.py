"""Reads a run's event files with TensorBoard's own reader and compares them with its metrics.csv. Ends with 0 when all agree."""
import csv
import io
import math
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData

run = pathlib.Path(sys.argv[1])
events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
events.Reload()
columns = {}
for line in csv.DictReader(io.StringIO((run / "metrics.csv").read_text())):
    step = int(line.pop("iteration"))
    group = "validation/" if line["AP"] else "train/"
    for column, text in line.items():
        if text:
            columns.setdefault(group + column, {})[step] = float(text)
scalars = {tag: {e.step: e.value for e in events.Scalars(tag)} for tag in events.Tags()["scalars"]}
assert scalars.keys() == columns.keys(), scalars.keys() ^ columns.keys()
for tag, values in columns.items():
    assert scalars[tag].keys() == values.keys(), tag
    assert all(math.isclose(scalars[tag][s], v, rel_tol=1e-6) for s, v in values.items()), tag

pictures = events.Tags()["images"]
assert len(pictures) == 1 and pictures[0].startswith("pictures/"), pictures
assert events.Images(pictures[0])[-1].encoded_image_string == (run / pictures[0]).read_bytes()

curves = events.Tags()["tensors"]
assert curves and all(tag.startswith("precision_recall/") for tag in curves), curves
for tag in curves:
    metadata = events.SummaryMetadata(tag)
    assert metadata.plugin_data.plugin_name == "pr_curves", metadata
    plugin = PrCurvePluginData.FromString(metadata.plugin_data.content)
    for event in events.Tensors(tag):
        assert [d.size for d in event.tensor_proto.tensor_shape.dim] == [6, plugin.num_thresholds]
        assert len(event.tensor_proto.float_val) == 6 * plugin.num_thresholds
print(f"{len(scalars)} numbers, {len(curves)} curves, {len(pictures)} pictures: as in metrics.csv")
