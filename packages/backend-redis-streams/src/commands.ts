/**
 * The command connection of a session: everything but blocking reads and subscriptions goes through here, pipelined, in order. A command without an
 * answer in time, and every error after which this server cannot be talked to, ends the session.
 */
import type { HalyardError } from "@halyard/core/spi";
import type { Redis } from "ioredis";
import { endsSession, fromRedis, isNoScript } from "./errors.ts";
import type { Script } from "./scripts/index.ts";

export type Argument = string | number | Buffer;

export class Commands {
  readonly root: string;
  readonly #client: Redis;
  readonly #onEnd: (error: HalyardError) => void;

  /** `root`: the key that every script is given. */
  constructor(client: Redis, root: string, onEnd: (error: HalyardError) => void) {
    this.#client = client;
    this.root = root;
    this.#onEnd = onEnd;
  }

  /** Runs a script; its strings come as text. Rejects with what `fromRedis` makes. */
  run(script: Script, args: readonly Argument[]): Promise<unknown> {
    return this.#run((name, code) => this.#client.call(name, [code, "1", this.root, ...args]), script);
  }

  /** As `run`; strings come as bytes. `onMissing` is called where the server did not have the script, before it is sent in full. */
  runBytes(script: Script, args: readonly Argument[], onMissing?: () => void): Promise<unknown> {
    return this.#run((name, code) => this.#client.callBuffer(name, [code, "1", this.root, ...args]), script, onMissing);
  }

  /** One plain command. */
  async call(name: string, ...args: readonly Argument[]): Promise<unknown> {
    try {
      return await this.#client.call(name, [...args]);
    } catch (error) {
      throw this.#translated(error);
    }
  }

  async callBytes(name: string, ...args: readonly Argument[]): Promise<unknown> {
    try {
      return await this.#client.callBuffer(name, [...args]);
    } catch (error) {
      throw this.#translated(error);
    }
  }

  async #run(send: (name: string, code: string) => Promise<unknown>, script: Script, onMissing?: () => void): Promise<unknown> {
    try {
      return await send("EVALSHA", script.sha);
    } catch (error) {
      if (!isNoScript(error)) throw this.#translated(error);
    }
    // Somebody flushed the scripts.
    onMissing?.();
    try {
      return await send("EVAL", script.lua);
    } catch (error) {
      throw this.#translated(error);
    }
  }

  #translated(error: unknown): HalyardError {
    const translated = fromRedis(error);
    if (endsSession(translated)) this.#onEnd(translated);
    return translated;
  }
}
