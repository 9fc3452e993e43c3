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
