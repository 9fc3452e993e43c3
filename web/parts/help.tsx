// Which keys are there on this page?
import { useEffect, useRef } from "react";
import { type KeySpec, setLetters, useLetters } from "../app/keys.ts";
import { Kbd } from "./foot.tsx";

export function Help({ keys, close }: { keys: readonly KeySpec[]; close: () => void }) {
  const ref = useRef<HTMLDialogElement>(null);
  const letters = useLetters();
  useEffect(() => ref.current?.showModal(), []);
  return (
    <dialog ref={ref} className="help" aria-label="Keys of this page" onClose={close}>
      <h2>Keys of this page</h2>
      <ul>
        {keys.map((key) => (
          <li key={key.does}>
            <span className="ks">
              <Kbd keys={key.show} />
            </span>
            {key.does}
          </li>
        ))}
      </ul>
      <footer>
        <label className="small">
          <input
            type="checkbox"
            checked={letters}
            onChange={(event) => setLetters(event.target.checked)}
          />{" "}
          single letters work outside fields
        </label>
        <button type="button" className="btn" onClick={() => ref.current?.close()}>
          Close
        </button>
      </footer>
    </dialog>
  );
}
