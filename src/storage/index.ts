// Bytes by key, by name.
export { folderStore } from "./folder.ts";
export { memoryStore } from "./memory.ts";
export { getText, putJson, putText, type Store } from "./store.ts";
