/**
 * Connecting with the client library, and closing what it leaves open. Its 3.4.0 forgets the socket of a connection that does not come about in time: each
 * attempt at a server that accepts connections and says nothing (paused, or behind a line that broke) would cost one until the process ends, and hold it up.
 * The library shows nobody its sockets, Node does: those that are made in the course of this call are ours.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Socket } from "node:net";

/** https://nodejs.org/api/diagnostics_channel.html#net */
const channel = "net.client.socket";

export interface Dialing<Connection> {
  readonly connection: Promise<Connection>;
  /** Closes what was opened, unless there is a connection. */
  giveUp(): void;
}

export function dial<Connection>(connect: () => Promise<Connection>): Dialing<Connection> {
  const sockets = new Set<Socket>();
  const course = new AsyncLocalStorage<true>();
  const note = (message: unknown): void => {
    if (course.getStore() === true && typeof message === "object" && message !== null && "socket" in message && message.socket instanceof Socket)
      sockets.add(message.socket);
  };
  const stop = (): void => {
    unsubscribe(channel, note);
    course.disable();
  };
  const giveUp = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  subscribe(channel, note);
  const connection = course.run(true, connect);
  connection.then(
    () => {
      stop();
      sockets.clear();
    },
    () => {
      stop();
      giveUp();
    },
  );
  return { connection, giveUp };
}
