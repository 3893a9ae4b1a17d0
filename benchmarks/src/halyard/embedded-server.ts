/** The embedded server in a process of its own, at its defaults, on TCP like the relay that it is compared with. */
import { startEmbeddedServer } from "@halyard/backend-embedded";
import { playPart } from "../part.ts";
import { markNow } from "../questions.ts";

playPart(async () => {
  const server = await startEmbeddedServer({ port: 0 });
  return {
    ready: String(server.address?.port),
    mark: () => markNow(0, 0),
    end: async () => {
      await server.close();
      return markNow(0, 0);
    },
  };
});
