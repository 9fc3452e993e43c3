// Light or dark: the system's, until the reader says otherwise.
const key = "micrographia.theme";

export function restoreTheme(): void {
  const kept = localStorage.getItem(key);
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
}

export function toggleTheme(): void {
  const root = document.documentElement;
  const next = getComputedStyle(root).colorScheme === "dark" ? "light" : "dark";
  root.dataset.theme = next;
  localStorage.setItem(key, next);
}

/** Paper is light: the theme steps aside while the page is printed. */
export function printLight(): void {
  const root = document.documentElement;
  let kept: string | undefined;
  addEventListener("beforeprint", () => {
    kept = root.dataset.theme;
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    if (kept === undefined) delete root.dataset.theme;
    else root.dataset.theme = kept;
  });
}
