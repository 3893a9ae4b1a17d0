/** Asks a Redis server whether it serves: the connection is taken before the data is loaded, so only PONG counts. */
import { type LineTls, openLine } from "./line.ts";

export interface RedisAccess {
  readonly port: number;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: LineTls | undefined;
}

/** Resolves with the server's version. */
export async function probeRedis(access: RedisAccess): Promise<string> {
  const pong = await askRedis(access, ["PING"]);
  if (pong !== "PONG") throw new Error(`PING was answered with ${pong}`);
  const info = await askRedis(access, ["INFO", "server"]);
  return /redis_version:(\S+)/.exec(info)?.[1] ?? "unknown";
}

/** One command over a connection of its own; simple, bulk and error answers only. Rejects with what an error says. */
export async function askRedis({ port, username = "default", password, tls }: RedisAccess, command: readonly string[]): Promise<string> {
  const line = await openLine(port, tls);
  try {
    if (password !== undefined) {
      line.write(encode(["AUTH", username, password]));
      answerOf(await line.read(isWhole));
    }
    line.write(encode(command));
    return answerOf(await line.read(isWhole));
  } finally {
    line.close();
  }
}

const encode = (words: readonly string[]): string => `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;

function isWhole(bytes: Buffer): boolean {
  const text = bytes.toString("latin1");
  const end = text.indexOf("\r\n");
  if (end < 0) return false;
  if (!text.startsWith("$")) return true;
  const length = Number(text.slice(1, end));
  return length < 0 || text.length >= end + 2 + length + 2;
}

function answerOf(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  const end = text.indexOf("\r\n");
  if (text.startsWith("-")) throw new Error(text.slice(1, end));
  return text.startsWith("$") ? text.slice(end + 2, -2) : text.slice(1, end);
}
