# A small case for each (operator, type) pair that we claim: ONNX's own node cases, and the same at other
# types with outputs by ONNX's reference evaluator. Writes test/golden/onnx/cases.tar.gz.
# Run in the repository root, with the packages onnx 1.23 and numpy.
import gzip, io, json, subprocess, tarfile
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator

NAMES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, "int32": TensorProto.INT32,
         "int64": TensorProto.INT64, "uint8": TensorProto.UINT8, "bool": TensorProto.BOOL}
OURS = set(NAMES.values())
rng = np.random.default_rng(0)

table = json.loads(subprocess.check_output(["npx", "tsx", "scripts/onnx-table.ts", "--json"]))
claimed = {row["key"]: row["types"] for row in table if ":" not in row["key"]}

def elem(v):
    return v.type.tensor_type.elem_type if v.type.HasField("tensor_type") else None

def plain(case):
    model = case.model
    if len(model.graph.node) != 1 or len(case.data_sets) != 1: return None
    node = model.graph.node[0]
    if node.domain != "" or node.op_type not in claimed: return None
    ports = list(model.graph.input) + list(model.graph.output)
    if any(elem(v) not in OURS for v in ports): return None
    inputs, outputs = case.data_sets[0]
    if not all(isinstance(x, np.ndarray) or np.isscalar(x) for x in [*inputs, *outputs]): return None
    for o in model.opset_import: o.version = min(o.version, 27)
    return node.op_type, [np.asarray(x) for x in inputs], [np.asarray(x) for x in outputs]

cases = {}
for case in collect_testcases(None):
    if "expanded" in case.name or "training" in case.name: continue
    found = plain(case)
    if found is None: continue
    op, inputs, outputs = found
    size = sum(x.nbytes for x in [*inputs, *outputs])
    cases.setdefault(op, []).append((size, case.name, case.model, inputs, outputs))

def retype(x, wanted, place):
    if wanted == "bool": return (x > 0).astype(np.bool_)
    if wanted.startswith("float"): return x.astype(wanted)
    y = np.round(x.astype(np.float64) * (4 if x.dtype.kind == "f" else 1))
    y = np.where(np.isfinite(y), y, 3)
    if wanted == "uint8": y = np.abs(y)
    if place > 0: y = np.where(y == 0, 1, y)  # divisors
    return np.minimum(np.abs(y), 9).astype(wanted) * (np.sign(y).astype(wanted) if wanted != "uint8" else 1)

def variant(model, inputs, wanted):
    node = model.graph.node[0]
    first = elem(model.graph.input[0])
    made = [retype(x, wanted, i) if elem(v) == first else x for i, (v, x) in enumerate(zip(model.graph.input, inputs))]
    if node.op_type == "Pow": made[1] = np.abs(made[1])
    copy = onnx.ModelProto(); copy.CopyFrom(model)
    for v in copy.graph.input:
        if elem(v) == first: v.type.tensor_type.elem_type = NAMES[wanted]
    feeds = {v.name: x for v, x in zip(copy.graph.input, made)}
    results = ReferenceEvaluator(copy).run(None, feeds)
    results = [np.asarray(x) for x in results]
    for v, x in zip(copy.graph.output, results):
        v.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(x.dtype)
        if v.type.tensor_type.elem_type not in OURS: raise TypeError(str(x.dtype))
    return copy, made, results

out = []
missing = []
for op, types in sorted(claimed.items()):
    empty = lambda c: any(x.size == 0 for x in [*c[3], *c[4]])
    choice = sorted(cases.get(op, []), key=lambda c: (empty(c), c[0]))
    for wanted in types:
        same = [c for c in choice if c[2].graph.input and elem(c[2].graph.input[0]) == NAMES[wanted]]
        if same:
            out.append((f"{op}_{wanted}", same[0][2], same[0][3], same[0][4])); continue
        why = "no case"
        for size, name, model, inputs, outputs in choice[:6]:
            try:
                if not model.graph.input: continue
                made, ins, outs = variant(model, inputs, wanted)
                out.append((f"{op}_{wanted}", made, ins, outs)); break
            except Exception as error:
                why = f"{type(error).__name__}: {str(error)[:80]}"
        else:
            missing.append(f"{op} {wanted}: {why}")

# What ONNX has no case for, with outputs by numpy.
def by_hand(op, wanted, inputs, outputs, opset=20, **attributes):
    node = helper.make_node(op, [f"x{i}" for i in range(len(inputs))], ["y"], **attributes)
    port = lambda name, x: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
    graph = helper.make_graph([node], op, [port(f"x{i}", x) for i, x in enumerate(inputs)], [port("y", outputs[0])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    out.append((f"{op}_{wanted}", model, inputs, outputs))

x = np.array([[1.75, 2.5, 0], [3.25, 9, 1]], np.float32)
for wanted in NAMES:
    a = x.astype(wanted)
    other = np.float64 if wanted == "int32" else np.int32
    by_hand("Cast", wanted, [a], [a.astype(other)], to=helper.np_dtype_to_tensor_dtype(np.dtype(other)))
    by_hand("CastLike", wanted, [a, np.zeros(1, other)], [a.astype(other)])
    by_hand("Constant", wanted, [], [a], value=numpy_helper.from_array(a))
image = rng.normal(size=(2, 3, 4, 5))
by_hand("GlobalLpPool", "float32", [image.astype("f")], [(np.abs(image) ** 3).sum((2, 3), keepdims=True).astype("f") ** (1 / 3)], p=3)
mvn = (image - image.mean((0, 2, 3), keepdims=True)) / image.std((0, 2, 3), keepdims=True)
by_hand("MeanVarianceNormalization", "float64", [image], [mvn])
data, indices = np.arange(15).reshape(3, 5), np.array([[1, 0, 2, 0, 0]])
for wanted in ["float64", "int32", "int64", "uint8"]:
    updates = np.array([[20, 21, 22, 23, 24]])
    done = data.copy(); np.put_along_axis(done, indices, updates, 0)
    by_hand("Scatter", wanted, [data.astype(wanted), indices, updates.astype(wanted)], [done.astype(wanted)], opset=10)
for wanted in ["float32", "float64"]:
    row, weight = rng.normal(size=(3, 4)), rng.normal(size=4)
    done = row / np.sqrt((row**2).mean(-1, keepdims=True) + 1e-5) * weight
    by_hand("SimplifiedLayerNormalization", wanted, [row.astype(wanted), weight.astype(wanted)], [done.astype(wanted)], epsilon=1e-5)
have = {name for name, *_ in out}
missing = [row for row in missing if "_".join(row.split(":")[0].split(" ")) not in have]

def add(tar, path, data):
    info = tarfile.TarInfo(path); info.size = len(data)
    tar.addfile(info, io.BytesIO(data))

buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
    for name, model, inputs, outputs in out:
        add(tar, f"node/{name}/model.onnx", model.SerializeToString(deterministic=True))
        for kind, values, ports in (("input", inputs, model.graph.input), ("output", outputs, model.graph.output)):
            for i, (x, v) in enumerate(zip(values, ports)):
                data = numpy_helper.from_array(x, v.name).SerializeToString()
                add(tar, f"node/{name}/test_data_set_0/{kind}_{i}.pb", data)
with open("test/golden/onnx/cases.tar.gz", "wb") as f:
    f.write(gzip.compress(buffer.getvalue(), 9, mtime=0))
print(len(out), "cases;", "\n".join(["without:", *missing]))
