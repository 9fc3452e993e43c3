// How the nodes of a graph are read one after another: by the table, by looking inside, or untouched.
import { check, fail, isError } from "../../base/errors.ts";
import { changed } from "../../formats/onnx/model.ts";
import type {
  FunctionProto,
  GraphProto,
  NodeProto,
  TensorProto,
} from "../../formats/onnx/onnx_pb.ts";
import { capturedNames } from "../../graph/ops/opaque.ts";
import { constant, showShape, type Value } from "../../graph/value.ts";
import type { Backend } from "../../runtime/backend.ts";
import { ortBackend } from "../../runtime/ort.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { bake, type Call, known, type OnnxOp } from "./call.ts";
import { newest } from "./entries.ts";
import { type Found, isOurs, opaqueValue, probe } from "./hidden.ts";
import { portOf } from "./ports.ts";
import { declaredOf, type Hidden, type Names, newScope, type Scope } from "./scope.ts";
import { findOnnxOp, keyOf } from "./table.ts";
import { readSince } from "./versions.ts";

/** A node that runs as it was read. */
export interface Untouched {
  readonly node: string;
  readonly op: string;
  /** Why: we lack it, or what we refuse of it. */
  readonly reason: string;
}

export interface Walk {
  readonly names: Names;
  readonly opsets: Readonly<Record<string, number>>;
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly unclaimed: "refuse" | "opaque";
  backend: Backend | undefined;
  readonly untouched: Untouched[];
  constant(proto: TensorProto): Value;
}

type Opsets = Readonly<Record<string, number>>;

/** Reads the nodes of a graph into its scope. */
export async function walkGraph(
  walk: Walk,
  scope: Scope,
  graph: Pick<GraphProto, "node" | "valueInfo" | "output">,
  opsets: Opsets,
  prefix: string,
): Promise<void> {
  const declared = declaredOf(graph as GraphProto);
  const shapeOf = (name: string): Found | undefined => {
    const info = declared.get(name);
    const port = info && portOf(info);
    const fixed = port?.shape?.every((dim) => typeof dim === "number");
    return fixed ? { type: port!.type, shape: port!.shape as number[] } : undefined;
  };
  for (const node of graph.node) {
    if (await lookInside(walk, scope, node, opsets, prefix)) continue;
    const reason = readNode(walk, scope, node, opsets);
    if (reason !== undefined) await leaveUntouched(walk, scope, node, opsets, shapeOf, reason);
  }
}

function nameOf(node: NodeProto): string {
  return node.name || node.output.find((name) => name !== "") || node.opType;
}

function readBinding(scope: Scope, node: NodeProto, name: string) {
  const found = scope.get(name);
  if (found === undefined)
    fail("onnx/order", `${node.opType} reads ${name}, which nothing has made`, {
      where: nameOf(node),
      wanted: "nodes in the order of their use",
    });
  return found;
}

/** Reads the node by its entry; answers with the reason when it has to stay as it is. */
function readNode(walk: Walk, scope: Scope, node: NodeProto, opsets: Opsets): string | undefined {
  const domain = node.domain === "ai.onnx" ? "" : node.domain;
  const version = opsets[domain] ?? 1;
  if (domain === "") checkVersion(version);
  const op = findOnnxOp(domain, node.opType, version);
  if (op === undefined) return "an operator that we lack";
  const bindings = node.input.map((name) =>
    name === "" ? undefined : readBinding(scope, node, name),
  );
  const hidden = bindings.find((bound) => bound?.kind === "hidden");
  const inputs = bindings.map((bound) => (bound?.kind === "value" ? bound.value : undefined));
  const first = inputs[0];
  const type = hidden?.kind === "hidden" ? hidden.hidden.type : first?.dtype;
  if (type !== undefined && !(op.types as readonly string[]).includes(type)) {
    const message = `${keyOf(domain, node.opType)} of ${type} is not claimed`;
    if (walk.unclaimed === "opaque") return message;
    fail("onnx/unclaimed", message, {
      where: nameOf(node),
      got: inputs.map((x) => (x ? `${x.dtype} ${showShape(x.shape)}` : "-")).join(", "),
      wanted: op.types.join(", "),
      hint: 'read it with `unclaimed: "opaque"`: ONNX Runtime runs it as it is',
    });
  }
  if (hidden !== undefined) return `an input of ${type}`;
  try {
    bindResults(scope, node, op, callOf(walk, node, domain, version, inputs), inputs);
    return undefined;
  } catch (error) {
    const open = isError(error, "onnx/refused") || isError(error, "onnx/dynamic");
    if (open && walk.unclaimed === "opaque") return error.message;
    if (!isError(error) || error.where === nameOf(node)) throw error;
    return fail(error.code, `${node.opType}: ${error.message}`, {
      where: nameOf(node),
      got: error.got,
      wanted: error.wanted,
      hint: error.hint,
      cause: error,
    });
  }
}

function checkVersion(version: number): void {
  check(version <= newest, "onnx/opset", "the model is newer than what we read", {
    got: `operator set ${version}`,
    wanted: `up to ${newest}`,
  });
}

function callOf(
  walk: Walk,
  node: NodeProto,
  domain: string,
  opset: number,
  inputs: readonly (Value | undefined)[],
): Call {
  const name = nameOf(node);
  return {
    domain,
    op: node.opType,
    name,
    opset,
    inputs,
    attributes: new Map(node.attribute.map((attribute) => [attribute.name, attribute])),
    outputs: node.output.length,
    constant: walk.constant,
    refuse: (what) =>
      fail("onnx/refused", `${keyOf(domain, node.opType)}: ${what}`, {
        where: name,
        hint: 'read it with `unclaimed: "opaque"`: ONNX Runtime runs it as it is',
      }),
  };
}

function bindResults(
  scope: Scope,
  node: NodeProto,
  op: OnnxOp,
  call: Call,
  inputs: readonly (Value | undefined)[],
): void {
  const made = op.build(call);
  const results = Array.isArray(made) ? made : [made as Value];
  const foldable = inputs.every((x) => x === undefined || known(x) !== undefined);
  node.output.forEach((name, i) => {
    if (name === "") return;
    const value: Value = results[i] ?? call.refuse(`its output ${i} (${name}) is not made`);
    const folded = foldable ? fold(value) : value;
    if (folded !== value) for (const x of inputs) if (x !== undefined) bake(x);
    scope.bind(name, folded);
  });
}

/** Shapes and masks are worked out at once; floats stay, so that gradients reach what made them. */
function fold(value: Value): Value {
  const whole = value.dtype.startsWith("int") || value.dtype === "bool" || value.dtype === "uint8";
  if (!whole || value.op === "constant" || sizeOf(value.shape) > 2 ** 22) return value;
  const tensor = known(value);
  return tensor === undefined ? value : constant(tensor);
}

/** Functions of the model, and branches whose condition is known, are read in place. */
async function lookInside(
  walk: Walk,
  scope: Scope,
  node: NodeProto,
  opsets: Opsets,
  prefix: string,
): Promise<boolean> {
  const inside = `${prefix}${nameOf(node)}/`;
  const body = walk.functions.get(`${node.domain}:${node.opType}:${node.overload}`);
  if (body !== undefined) {
    await callFunction(walk, scope, node, body, inside);
    return true;
  }
  if (node.domain !== "" || node.opType !== "If") return false;
  const condition = readBinding(scope, node, node.input[0]!);
  const held = condition.kind === "value" ? known(condition.value) : undefined;
  if (held === undefined) return false;
  const name = Number(held.data[0]) === 0 ? "else_branch" : "then_branch";
  const branch = node.attribute.find((attribute) => attribute.name === name)?.g;
  if (branch === undefined) return false;
  const within = newScope(walk.names, inside, scope);
  for (const proto of branch.initializer) within.bind(proto.name, walk.constant(proto));
  await walkGraph(walk, within, branch, opsets, inside);
  giveBack(
    scope,
    within,
    node,
    branch.output.map((port) => port.name),
  );
  return true;
}

async function callFunction(
  walk: Walk,
  scope: Scope,
  node: NodeProto,
  body: FunctionProto,
  inside: string,
): Promise<void> {
  check(inside.split("/").length < 64, "onnx/recursion", "functions of the model call themselves", {
    where: inside.slice(0, 200),
  });
  const within = newScope(walk.names, inside);
  body.input.forEach((name, i) => {
    const from = node.input[i];
    if (from === undefined || from === "") return;
    const bound = readBinding(scope, node, from);
    if (bound.kind === "value") within.bind(name, bound.value);
    else within.hide(name, bound.hidden);
  });
  const given = new Map([...body.attributeProto, ...node.attribute].map((a) => [a.name, a]));
  const nodes = body.node.map((inner) =>
    changed(inner, {
      // An input that the call leaves out is left out inside, too.
      input: inner.input.map((name) =>
        body.input.includes(name) && within.get(name) === undefined ? "" : name,
      ),
      attribute: inner.attribute.flatMap((attribute) => {
        if (attribute.refAttrName === "") return [attribute];
        const found = given.get(attribute.refAttrName);
        return found === undefined ? [] : [changed(found, { name: attribute.name })];
      }),
    }),
  );
  const opsets = Object.fromEntries(
    body.opsetImport.map(({ domain, version }) => [domain, Number(version)]),
  );
  const graph = { node: nodes, valueInfo: body.valueInfo, output: [] };
  await walkGraph(walk, within, graph, opsets, inside);
  giveBack(scope, within, node, body.output);
}

function giveBack(scope: Scope, within: Scope, node: NodeProto, names: readonly string[]): void {
  node.output.forEach((name, i) => {
    if (name === "") return;
    const bound = within.get(names[i] ?? "");
    if (bound === undefined)
      fail("onnx/order", `nothing makes the output ${name} of ${node.opType}`, { where: name });
    if (bound.kind === "value") scope.bind(name, bound.value);
    else scope.hide(name, bound.hidden);
  });
}

async function leaveUntouched(
  walk: Walk,
  scope: Scope,
  node: NodeProto,
  opsets: Opsets,
  shapeOf: (name: string) => Found | undefined,
  reason: string,
): Promise<void> {
  checkReadAlike(node, opsets);
  const hidden = gather(scope, node);
  const used = [...new Set(hidden.nodes.map(({ domain }) => domain))];
  const versions = Object.fromEntries(used.map((domain) => [domain, opsets[domain] ?? 1]));
  // Whether ONNX Runtime knows the operator is found out before anything is built on it.
  const standard = (node.domain === "" || node.domain === "ai.onnx") && changes.has(node.opType);
  for (const name of node.output.filter((output) => output !== "")) {
    let found = shapeOf(name);
    if (found === undefined || !standard) {
      walk.backend ??= ortBackend({ threads: 1 });
      found = await probe(hidden, name, versions, walk.backend);
    }
    if (found !== undefined && isOurs(found.type))
      scope.bind(name, opaqueValue(hidden, name, found, versions));
    else scope.hide(name, { ...hidden, type: found?.type ?? "unknown" });
  }
  walk.untouched.push({ node: nameOf(node), op: keyOf(node.domain, node.opType), reason });
}

/** The node with all hidden nodes that it needs. */
function gather(scope: Scope, node: NodeProto): Omit<Hidden, "type"> {
  const nodes = new Set<NodeProto>();
  const initializers = new Map<string, TensorProto>();
  const inputs = new Map<string, Value>();
  for (const name of new Set([...node.input, ...capturedNames(node)])) {
    if (name === "") continue;
    const bound = readBinding(scope, node, name);
    if (bound.kind === "value") inputs.set(name, bound.value);
    else {
      for (const before of bound.hidden.nodes) nodes.add(before);
      for (const [key, proto] of bound.hidden.initializers) initializers.set(key, proto);
      for (const [key, value] of bound.hidden.inputs) inputs.set(key, value);
    }
  }
  nodes.add(node);
  return { nodes: [...nodes], initializers, inputs };
}

/** The newest operator set that our own lowering is written in. */
const written = 20;

const changes = new Map(
  readSince
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([op, ...versions]) => [op!, versions.map(Number)]),
);

/** A node of an old operator set is written back in a newer one: it must mean the same there. */
function checkReadAlike(node: NodeProto, opsets: Opsets): void {
  if (node.domain !== "" && node.domain !== "ai.onnx") return;
  const from = opsets[""] ?? 1;
  const to = Math.max(from, written);
  const since = (version: number) =>
    changes
      .get(node.opType)
      ?.filter((v) => v <= version)
      .at(-1);
  check(
    since(from) === since(to),
    "onnx/version",
    `${node.opType} means something else since then`,
    {
      where: nameOf(node),
      got: `operator set ${from}`,
      wanted: `operator set ${since(to)} to ${to}`,
      hint: "convert the model with onnx.version_converter",
    },
  );
}
