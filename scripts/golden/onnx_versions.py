# Since when each ONNX operator is read as it is now: writes src/models/onnx/versions.ts. Run in the repository root.
import onnx.defs as d, collections, json
by=collections.defaultdict(list)
for s in d.get_all_schemas_with_history():
    if s.domain=='': by[s.name].append(s)
def sig(s):
    def default(a):
        v=a.default_value
        return v.SerializeToString().hex() if v.type else ''
    return (tuple(sorted((n,str(a.type),default(a)) for n,a in s.attributes.items())), len(s.inputs), len(s.outputs), s.deprecated)
lines=[]
for name in sorted(by):
    groups=[];last=None
    for s in sorted(by[name],key=lambda s:s.since_version):
        g=sig(s)
        if g!=last: groups.append(s.since_version); last=g
    lines.append(f'{name} {" ".join(map(str,groups))}')
out='''// Since which operator sets each operator is read as it is now: made from ONNX's schemas by
// scripts/golden/onnx_versions.py. Versions that only allow more types are left out.
export const readSince = `
'''+'\n'.join(lines)+'\n`;\n'
open('src/models/onnx/versions.ts','w').write(out)
