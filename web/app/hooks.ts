// Small hooks that several parts share: the width of an element, a value that waits, the table twin.
import {
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";

/** The element's width in whole pixels, from the layout; figures are redrawn at it. */
export function useWidth<T extends Element>(initial: number): [RefObject<T | null>, number] {
  const ref = useRef<T>(null);
  const [width, setWidth] = useState(initial);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const read = () => {
      const next = Math.round(element.getBoundingClientRect().width);
      if (next > 0) setWidth(next);
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

export function useDelayed<T>(value: T, ms: number): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}

/** A switch that all parts of the app share. */
function shared() {
  let on = false;
  const listeners = new Set<() => void>();
  const subscribe = (tell: () => void) => {
    listeners.add(tell);
    return () => void listeners.delete(tell);
  };
  return {
    toggle: () => {
      on = !on;
      for (const tell of listeners) tell();
    },
    use: () => useSyncExternalStore(subscribe, () => on),
  };
}

/** Alt T: every chart also stands as a table. */
export const { toggle: toggleTables, use: useTables } = shared();

/** m: a mark for every space and line end, not only for the active ones. */
export const { toggle: toggleMarks, use: useMarks } = shared();

export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · micrographia`;
  }, [title]);
}
