/** What tests ask of a running RabbitMQ node beside AMQP: users through the management API, alarms through `rabbitmqctl`. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { HalyardError } from "@halyard/core/spi";
import { besideBroker } from "./find-broker.ts";
import type { RabbitmqBroker, RabbitmqUser } from "./rabbitmq.ts";

export interface RabbitmqNode {
  readonly user: string;
  readonly password: string;
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

export function controlNode({ user, password, managementUrl, env }: RabbitmqNode): Omit<RabbitmqBroker, keyof import("./broker.ts").Broker> {
  const put = async (path: string, body: object): Promise<void> => {
    const response = await fetch(`${managementUrl}/api/${path}`, {
      method: "PUT",
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(requestMsMax),
    });
    if (!response.ok) throw new HalyardError("BACKEND_FAILED", `The management API answered ${response.status} to PUT ${path}: ${await response.text()}`);
  };
  const control = async (...args: readonly string[]): Promise<string> => {
    if (env === undefined) throw new HalyardError("UNSUPPORTED", "rabbitmqctl reaches only a broker that was started here.");
    const { stdout } = await run(besideBroker("rabbitmq", "rabbitmqctl"), args, { env: { ...process.env, ...env }, timeout: controlMsMax });
    return stdout;
  };
  return {
    user,
    password,
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
