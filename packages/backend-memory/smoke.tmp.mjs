import { memory } from "@halyard/backend-memory";
import { createBus, nonRetryable } from "@halyard/core";

const mode = process.argv[2] ?? "smoke";
if (mode === "smoke") {
  const bus = await createBus({ backend: memory() });
  for (const e of ["retry", "dead-letter", "handler-failure", "warning", "subscription-stop"])
    bus.on(e, (v) => console.log("event", e, v.id, v.attempt, v.reason ?? v.text ?? ""));
  const sub = await bus.subscribe("task.#", { group: "workers", concurrency: 4, retry: { attemptsMax: 3, delayMs: 20 } }, async (m, c) => {
    console.log("got", m.topic, m.payload, c.attempt);
    if (m.payload.fail) throw new Error("no");
    if (m.payload.fatal) throw nonRetryable(new Error("never"));
    if (m.topic === "task.a") await c.publish("task.b", { from: m.id });
  });
  await bus.subscribe("task.*", (m) => console.log("live", m.topic, m.causationId));
  console.log(await bus.publish("task.a", { n: 1 }, { headers: { a: "ü\n" }, priority: "high" }));
  await bus.publish("task.a.b", { fail: true });
  await bus.publish("task.x", { fatal: true });
  await bus.publish("task.x", { d: true }, { delayMs: 100 });
  await new Promise((r) => setTimeout(r, 400));
  const dead = bus.deadLetters("workers");
  console.log(
    await dead.count(),
    (await dead.list()).map((l) => [l.id, l.reason, l.error?.message, l.attempts]),
  );
  console.log(await dead.redrive("all"));
  await new Promise((r) => setTimeout(r, 400));
  console.log(sub.stats());
  console.log(JSON.stringify(await bus.inspect(), null, 1).slice(0, 1500));
  console.log(await bus.health());
  for await (const h of bus.history("task.#")) console.log(h.position, h.message.topic);
  await bus.close();
} else {
  const bus = await createBus({ backend: memory({ fidelity: mode === "ref" ? "reference" : "wire" }) });
  let count = 0;
  await bus.subscribe(
    "task.#",
    { group: "w", concurrency: 16 },
    process.argv[3] === "async"
      ? async () => {
          count++;
        }
      : () => {
          count++;
        },
  );
  const payload = { id: "t1", text: "x".repeat(200), n: 42, f: 3.14, ok: true };
  const round = async (n) => {
    let left = n;
    const loop = async () => {
      while (left-- > 0) await bus.publish("task.submitted", mode === "ref" ? { ...payload } : payload);
    };
    const t = performance.now();
    const base = count;
    await Promise.all(Array.from({ length: 256 }, loop));
    while (count - base < n) await new Promise((r) => setImmediate(r));
    return (n / (performance.now() - t)) * 1000;
  };
  for (let i = 0; i < 6; i++) {
    const c = process.cpuUsage();
    const r = Math.round(await round(300000));
    const d = process.cpuUsage(c);
    console.log(mode, r, "cpu us/msg", ((d.user + d.system) / 300000).toFixed(2));
  }
  const m = bus.metrics();
  console.log(m.published, m.handled, m.publishLatency, m.handlerLatency);
  await bus.close();
}
