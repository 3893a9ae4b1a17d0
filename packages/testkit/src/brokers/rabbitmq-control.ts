/** What tests ask of a running RabbitMQ node beside AMQP: users through the management API, alarms through `rabbitmqctl`. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { HalyardError } from "@halyard/core/spi";
import type { Broker } from "./broker.ts";
import { besideBroker } from "./find-broker.ts";
import type { RabbitmqBroker, RabbitmqUser } from "./rabbitmq.ts";

export interface RabbitmqNode {
  readonly user: string;
  readonly password: string;
  readonly nodeName: string;
  readonly managementUrl: string;
  /** For `rabbitmqctl`; absent for a broker that is not ours. */
  readonly env?: Readonly<Record<string, string>>;
}

const run = promisify(execFile);
const requestMsMax = 10_000;
const controlMsMax = 30_000;
const everything = { configure: ".*", write: ".*", read: ".*" };

/** So little that the node is above it at once, and RabbitMQ's own default. */
const watermarks = { alarm: ["absolute", "1"], normal: ["0.4"] } as const;

/** One request to the management API. Resolves with what it answers, rejects with BACKEND_FAILED for any status but success. */
export async function askManagement(
  { user, password, managementUrl }: Pick<RabbitmqNode, "user" | "password" | "managementUrl">,
  method: "GET" | "PUT",
  path: string,
  body?: object,
): Promise<unknown> {
  const response = await fetch(`${managementUrl}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(requestMsMax),
  });
  const text = await response.text();
  if (!response.ok) throw new HalyardError("BACKEND_FAILED", `The management API answered ${response.status} to ${method} ${path}: ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

export function controlNode({ user, password, nodeName, managementUrl, env }: RabbitmqNode): Omit<RabbitmqBroker, keyof Broker> {
  const put = (path: string, body: object): Promise<unknown> => askManagement({ user, password, managementUrl }, "PUT", path, body);
  const control = async (...args: readonly string[]): Promise<string> => {
    if (env === undefined) throw new HalyardError("UNSUPPORTED", "rabbitmqctl reaches only a broker that was started here.");
    const { stdout } = await run(besideBroker("rabbitmq", "rabbitmqctl"), args, { env: { ...process.env, ...env }, timeout: controlMsMax });
    return stdout;
  };
  return {
    user,
    password,
    nodeName,
    managementUrl,
    control,
    async createUser({ name, password: secret, permissions = everything, tags = [], vhost = "/" }: RabbitmqUser) {
      await put(`users/${encodeURIComponent(name)}`, { password: secret, tags: tags.join(",") });
      if (vhost !== "/") await put(`vhosts/${encodeURIComponent(vhost)}`, {});
      await put(`permissions/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}`, permissions);
    },
    async setMemoryAlarm(isOn) {
      await control("set_vm_memory_high_watermark", ...(isOn ? watermarks.alarm : watermarks.normal));
    },
  };
}
