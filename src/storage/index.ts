// Bytes by key, by name.
export { folderStore } from "./folder.ts";
export { type CacheOptions, findSnapshot, type Snapshot } from "./hub/cached.ts";
export { type Pulled, type PullOptions, pullModel } from "./hub/pull.ts";
export { type HubOptions, type HubSettings, hubSettings } from "./hub/settings.ts";
export { memoryStore } from "./memory.ts";
export { getText, putJson, putText, type Store } from "./store.ts";
