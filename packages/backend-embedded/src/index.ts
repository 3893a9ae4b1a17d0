export type { AutoStartedServerOptions, EmbeddedOptions, EmbeddedTls } from "./embedded.ts";
export { embedded } from "./embedded.ts";
export type { EmbeddedServerOptions, ServerTls } from "./server/options.ts";
export type { EmbeddedServer, EmbeddedServerStats } from "./server/server.ts";
export { startEmbeddedServer } from "./server/server.ts";
