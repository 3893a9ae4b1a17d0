/** Something with a certificate that is no Redis: it answers what a test wants, e.g. that somebody else is to be asked. */
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:tls";
import type { BrokerTls } from "@halyard/testkit/brokers";

export interface FalseNode extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** @param answers - by the first word of a command, in Redis' protocol; `+OK` to all others */
export async function falseNode({ clientCertificate: cert, clientKey: key }: BrokerTls, answers: Readonly<Record<string, string>>): Promise<FalseNode> {
  const open = new Set<Socket>();
  const server = createServer({ cert, key }, (socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket));
    socket.on("data", (bytes) => {
      for (const [, word = ""] of bytes.toString("latin1").matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) socket.write(`${answers[word.toUpperCase()] ?? "+OK"}\r\n`);
    });
  });
  server.on("tlsClientError", () => undefined); // whoever does not trust it hangs up
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port, // it listens on TCP
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
