/** What ioredis opens: it calls `tls.connect` and `net.createConnection` of the modules themselves, so both can be watched. */
import net from "node:net";
import tls from "node:tls";
import { vi } from "vitest";

export interface WatchedSockets extends Disposable {
  /** Ports of connections that were made with a certificate that was verified, each as often as it was. */
  verified(): readonly number[];
  /** Connections that were made without TLS, or with a certificate nobody could verify. */
  unverified(): readonly string[];
}

export function watchSockets(): WatchedSockets {
  const good: number[] = [];
  const bad: string[] = [];
  const inClear = vi.spyOn(net, "createConnection");
  const connect = tls.connect;
  const encrypted = vi.spyOn(tls, "connect").mockImplementation((...given: unknown[]) => {
    const socket: tls.TLSSocket = Reflect.apply(connect, tls, given);
    socket.once("secureConnect", () => {
      if (socket.authorized) good.push(socket.remotePort ?? 0);
      else bad.push(`unverified ${socket.remotePort}`);
    });
    return socket;
  });
  return {
    verified: () => good,
    unverified: () => [...bad, ...inClear.mock.calls.map(([to]) => `in clear ${JSON.stringify(to)}`)],
    [Symbol.dispose]() {
      inClear.mockRestore();
      encrypted.mockRestore();
    },
  };
}
