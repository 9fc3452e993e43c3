// How are sparse activations stored so that others can read them? Parquet, sorted by feature.
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { FeatureColumns } from "../dictionaries/sparse.ts";

/** Pairs of a row group: a feature touches one or two of them, and memory holds one at a time. */
const groupPairs = 1 << 20;

/**
 * (feature, token, value), ascending by feature, then token; whole features in each row group, whose statistics
 * say which. Bytes are handed to `append` as they are made.
 */
export async function writeActivations(
  columns: FeatureColumns,
  append: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const writer = new ByteWriter();
  const flush = async (): Promise<void> => {
    const bytes = writer.getBytes();
    if (bytes.length > 0) await append(bytes.slice());
    writer.index = 0;
  };
  const schema = [
    { name: "root", num_children: 3 },
    ...(["feature", "token"] as const).map((name) => ({
      name,
      type: "INT32" as const,
      repetition_type: "REQUIRED" as const,
    })),
    { name: "value", type: "FLOAT" as const, repetition_type: "REQUIRED" as const },
  ];
  const parquet = new ParquetWriter({ writer, schema, codec: "UNCOMPRESSED" });
  const { offsets, d_sae } = columns;
  for (let from = 0, to = 0; from < d_sae; from = to) {
    while (to < d_sae && (to === from || offsets[to + 1]! - offsets[from]! <= groupPairs)) to++;
    const first = offsets[from]!;
    const n = offsets[to]! - first;
    if (n === 0) continue;
    const feature = new Int32Array(n);
    for (let f = from; f < to; f++) feature.fill(f, offsets[f]! - first, offsets[f + 1]! - first);
    const token = Int32Array.from(columns.token.subarray(first, first + n));
    const value = columns.value.subarray(first, first + n);
    const delta = { encoding: "DELTA_BINARY_PACKED" as const };
    await parquet.write({
      rowGroupSize: n,
      columnData: [
        { name: "feature", data: feature, ...delta },
        { name: "token", data: token, ...delta, statistics: false },
        { name: "value", data: value, encoding: "PLAIN", statistics: false },
      ],
    });
    await flush();
  }
  parquet.finish();
  await flush();
}
