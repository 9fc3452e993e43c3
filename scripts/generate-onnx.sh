#!/bin/sh
# Generates src/formats/onnx/onnx_pb.ts from onnx.proto (ONNX 1.18, Apache-2.0); all tools come from npm.
set -eu
cd "$(dirname "$0")/.."
npx buf generate src/formats/onnx --template \
  '{"version":"v2","plugins":[{"local":"protoc-gen-es","out":"src/formats/onnx","opt":["target=ts","import_extension=ts"]}]}'
# Enums become constant objects: our TypeScript is erasable.
awk '
  /^export enum / { name = $3; inside = 1; print "export const " name " = {"; next }
  inside && /^}/ { inside = 0; print "} as const;"; print "export type " name " = (typeof " name ")[keyof typeof " name "];"; next }
  inside { sub(/ = /, ": "); print; next }
  { print }
' src/formats/onnx/onnx_pb.ts > src/formats/onnx/onnx_pb.tmp
mv src/formats/onnx/onnx_pb.tmp src/formats/onnx/onnx_pb.ts
