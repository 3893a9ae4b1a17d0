/** One address before several nodes, as a load balancer gives it: each connection goes to a node that accepts it. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { freePort } from "./free-port.ts";

export interface Front {
  readonly port: number;
  close(): Promise<void>;
}

/** @param targets - ports on 127.0.0.1, tried in turn */
export async function startFront(targets: readonly number[]): Promise<Front> {
  const port = await freePort();
  const open = new Set<Socket>();
  let turn = 0;
  const server = createServer((client) => {
    hold(client);
    turn++;
    void forward(client, targets.length);
  });
  const hold = (socket: Socket): void => {
    open.add(socket);
    socket.on("close", () => open.delete(socket)).on("error", () => socket.destroy());
  };
  const forward = async (client: Socket, triesLeft: number): Promise<void> => {
    const target = targets[(turn + triesLeft) % targets.length];
    if (target === undefined || triesLeft === 0 || client.destroyed) return void client.destroy();
    const node = connect({ port: target, host: "127.0.0.1" });
    hold(node);
    try {
      await once(node, "connect");
    } catch {
      return forward(client, triesLeft - 1); // that node is down
    }
    client.on("close", () => node.destroy());
    node.on("close", () => client.destroy());
    client.pipe(node);
    node.pipe(client);
  };
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
