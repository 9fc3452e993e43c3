// How a graph reads: one line a value, in order, for people.
import { reachable, showShape, type Value } from "./value.ts";

/** `%3 = matmul(%1, %2) {transB: true} : float32 [2, 4]`, inputs before what is made of them. */
export function print(outputs: Readonly<Record<string, Value>>): string {
  const order = reachable(Object.values(outputs));
  const names = new Map(order.map((value, i) => [value.id, value.name ?? `%${i}`]));
  const lines = order.map((value) => {
    const inputs = value.inputs.map(({ id }) => names.get(id)).join(", ");
    const attrs = Object.entries(value.attrs)
      .filter(([, attr]) => attr !== undefined && attr !== false)
      .map(([key, attr]) => `${key}: ${showAttr(attr)}`);
    const options = attrs.length === 0 ? "" : ` {${attrs.join(", ")}}`;
    const type = `${value.dtype} ${showShape(value.shape)}`;
    return `${names.get(value.id)} = ${value.op}(${inputs})${options} : ${type}`;
  });
  for (const [name, value] of Object.entries(outputs))
    lines.push(`return ${name} = ${names.get(value.id)}`);
  return lines.join("\n");
}

function showAttr(attr: unknown): string {
  if (typeof attr !== "object" || attr === null) return String(attr);
  if (Array.isArray(attr)) return showShape(attr as number[]);
  if ("data" in attr) {
    const data = Array.from((attr as { data: ArrayLike<number> }).data).slice(0, 4);
    return `${data.join(" ")}${data.length === 4 ? " …" : ""}`;
  }
  return JSON.stringify(attr);
}
