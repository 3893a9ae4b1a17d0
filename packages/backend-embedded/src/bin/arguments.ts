/** The command line of `halyard-server`: one flag for each option of the server. */
import { parseArgs } from "node:util";

export const usage = `Usage: halyard-server [options]

Runs Halyard's embedded server: a message bus for the processes of this machine. What it holds is in memory and ends with it.

Where it listens
  --port <number>             TCP port (default 31134)
  --host <address>            address to bind (default 127.0.0.1; any other needs a token or --tls-ca)
  --socket-path <path>        Unix socket instead of TCP; with --port, beside it
  --no-user-socket            do not also listen on this user's own socket for the port,
                              where embedded() without options looks first

Who may come in
  --token-file <path>         file whose first line is the token (or set HALYARD_TOKEN)
  --tls-cert <path>           certificate, PEM
  --tls-key <path>            its key, PEM
  --tls-ca <path>             clients must show a certificate of this authority, PEM

Bounds
  --connections-max <number>      connections at once (default 1024)
  --subscriptions-max <number>    subscriptions of one connection (default 1024)
  --frame-bytes-max <number>      longest frame (default 17825792)
  --requests-max <number>         open requests of one connection (default 4096)
  --request-bytes-max <number>    bytes of open requests of one connection (default 33554432)
  --hello-timeout-ms <number>     time to say hello (default 10000)
  --messages-max <number>         messages held at once, per namespace (default 1000000)
  --bytes-max <number>            bytes of them (default 536870912)
  --body-bytes-max <number>       largest message body (default 16777216)
  --dedup-ms <number>             how long a repeated id is recognised (default 60000)
  --history-messages-max <number> messages kept for history, 0: none (default 1000)
  --history-bytes-max <number>    bytes of them (default 16777216)

When it ends
  --idle-ms <number>          end when no client was connected for so long and nothing waits (default: never)
  --waiting-idle-ms <number>  the same while something waits; what is dropped is logged (default: ten times --idle-ms)
  SIGTERM and SIGINT end it after open requests have been answered.

  --help                      show this
  --version                   show the version
`;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

const known = {
  port: text,
  host: text,
  "socket-path": text,
  "no-user-socket": flag,
  "token-file": text,
  "tls-cert": text,
  "tls-key": text,
  "tls-ca": text,
  "connections-max": text,
  "subscriptions-max": text,
  "frame-bytes-max": text,
  "requests-max": text,
  "request-bytes-max": text,
  "hello-timeout-ms": text,
  "messages-max": text,
  "bytes-max": text,
  "body-bytes-max": text,
  "dedup-ms": text,
  "history-messages-max": text,
  "history-bytes-max": text,
  "idle-ms": text,
  "waiting-idle-ms": text,
  "from-environment": flag,
  help: flag,
  version: flag,
} as const;

type Arguments = ReturnType<typeof parse>["values"];

/** Throws with a message for people where an argument is unknown or has no value. */
export function readArguments(line: readonly string[]): Arguments {
  return parse(line).values;
}

function parse(line: readonly string[]) {
  return parseArgs({ args: [...line], options: known, allowPositionals: false, strict: true });
}

/** The numbers among the flags given, under the names that the options have. */
export function numbersOf<Option extends string>(values: Arguments, names: Readonly<Record<Option, keyof Arguments>>): Partial<Record<Option, number>> {
  const numbers: Partial<Record<Option, number>> = {};
  for (const option of Object.keys(names) as Option[]) {
    const name = names[option];
    const given = values[name];
    if (typeof given !== "string") continue;
    if (!/^\d{1,15}$/.test(given)) throw new Error(`--${name} must be a whole number, not ${JSON.stringify(given)}.`);
    numbers[option] = Number(given);
  }
  return numbers;
}
