import { expect, it, vi } from "vitest";

vi.mock("@halyard/testkit/brokers", () => ({
  findBroker: () => undefined,
}));

it("says what to install where a broker is missing, and how to use another", async () => {
  const { startPrivateBroker } = await import("../../document-team/private-broker.ts");
  const start = () => Promise.reject(new Error("There is nothing to start."));
  await expect(startPrivateBroker("RabbitMQ", "rabbitmq", start)).rejects.toMatchObject({
    name: "UsageError",
    message: expect.stringMatching(/rabbitmq-server is not installed here.*apt-get install rabbitmq-server.*--url/),
  });
});
