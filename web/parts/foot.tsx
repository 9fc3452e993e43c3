// Which keys matter here, is anything live, and what is this page's twin in the API?
import type { ReactNode } from "react";
import type { KeySpec } from "../app/keys.ts";

export function Kbd({ keys }: { keys: readonly string[] }) {
  return keys.map((key) => <kbd key={key}>{key}</kbd>);
}

export function Foot({
  keys,
  status,
  twin,
  help,
}: {
  keys: readonly KeySpec[];
  status?: ReactNode;
  twin: string;
  help: () => void;
}) {
  return (
    <footer className="foot">
      <span className="keys">
        {keys
          .filter((key) => !key.quiet)
          .map((key) => (
            <span key={key.does}>
              <Kbd keys={key.show} /> {key.does}
            </span>
          ))}
        <button type="button" className="plain" onClick={help}>
          <kbd>?</kbd> all keys
        </button>
      </span>
      {status}
      <a className="twin" href={twin}>
        {twin}
      </a>
    </footer>
  );
}
