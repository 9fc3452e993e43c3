#!/bin/sh
# Generates src/formats/onnx/onnx_pb.ts from onnx.proto (ONNX 1.18, Apache-2.0); all tools come from npm.
# With --check it writes nothing and fails when the committed file is another one.
set -eu
cd "$(dirname "$0")/.."
made=$(mktemp -d ./.onnx-XXXXXX)
trap 'rm -rf "$made"' EXIT
npx buf generate src/formats/onnx --template \
  "{\"version\":\"v2\",\"plugins\":[{\"local\":\"protoc-gen-es\",\"out\":\"$made\",\"opt\":[\"target=ts\",\"import_extension=ts\"]}]}"
# Enums become constant objects: our TypeScript is erasable.
awk '
  /^export enum / { name = $3; inside = 1; print "export const " name " = {"; next }
  inside && /^}/ { inside = 0; print "} as const;"; print "export type " name " = (typeof " name ")[keyof typeof " name "];"; next }
  inside { sub(/ = /, ": "); print; next }
  { print }
' "$made/onnx_pb.ts" > "$made/erasable.ts"
if [ "${1:-}" != "--check" ]; then
  mv "$made/erasable.ts" src/formats/onnx/onnx_pb.ts
elif cmp -s "$made/erasable.ts" src/formats/onnx/onnx_pb.ts; then
  echo "onnx: the committed schema is what onnx.proto gives"
else
  echo "src/formats/onnx/onnx_pb.ts is not what onnx.proto gives: run sh scripts/generate-onnx.sh" >&2
  exit 1
fi
