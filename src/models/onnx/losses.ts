// Losses over classes, with weights and a target that is ignored.
import * as g from "../../graph/index.ts";
import type { Value } from "../../graph/value.ts";
import { arg, type Call, has, int, type OnnxOp, text } from "./call.ts";
import { entry, floats } from "./entries.ts";

/** −logs at the targets: logs [batch, classes, …], targets [batch, …]. */
function likelihoodLoss(logs: Value, call: Call): Value {
  const targets = g.cast(arg(call, 1), "int64");
  const weights = call.inputs[2];
  const ignored = has(call, "ignore_index") ? int(call, "ignore_index", -1) : undefined;
  const kept = ignored === undefined ? undefined : g.not(g.equal(targets, ignored));
  const safe = kept === undefined ? targets : g.where(kept, targets, 0);
  const picked = g.squeeze(g.takeAlong(logs, g.unsqueeze(safe, 1), { axis: 1 }), 1);
  const ones = g.expand(g.scalar(1, logs.dtype), targets.shape);
  const given = weights === undefined ? ones : g.gather(weights, safe);
  const share = kept === undefined ? given : g.where(kept, given, g.scalar(0, logs.dtype));
  const losses = g.mul(g.neg(picked), share);
  const reduction = text(call, "reduction", "mean");
  if (reduction === "none") return losses;
  const total = g.sum(losses);
  return reduction === "sum" ? total : g.div(total, g.sum(share));
}

export const losses: readonly OnnxOp[] = [
  entry("NegativeLogLikelihoodLoss", floats, (call) => likelihoodLoss(arg(call, 0), call)),
  entry("SoftmaxCrossEntropyLoss", floats, (call) => {
    const logs = g.logSoftmax(arg(call, 0), { axis: 1 });
    return [likelihoodLoss(logs, call), logs];
  }),
];
