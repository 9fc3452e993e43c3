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

let tables = false;
const listeners = new Set<() => void>();

/** Alt T: every chart also stands as a table. */
export function toggleTables(): void {
  tables = !tables;
  for (const tell of listeners) tell();
}

function subscribe(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

export function useTables(): boolean {
  return useSyncExternalStore(subscribe, () => tables);
}

export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · micrographia`;
  }, [title]);
}
