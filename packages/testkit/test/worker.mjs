// What the worker does is named by its first argument.
const [job, ...rest] = process.argv.slice(2);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

if (job === "echo") {
  say({ ready: true, rest, secret: process.env.WORKER_SECRET });
  process.on("message", (message) => process.send({ echoed: message }));
} else if (job === "count") {
  for (let index = 0; index < 1_000; index++) say({ index, text: "ü".repeat(20) });
  process.stdout.write('{"last":true}');
} else if (job === "fail") {
  console.log("plain words");
  console.error("and a complaint");
  process.exitCode = 3;
} else if (job === "stay") {
  say({ pid: process.pid });
  setInterval(() => {}, 1_000);
} else if (job === "parent") {
  // Starts a worker of its own and then dies without any chance to clean up.
  const { workerPool } = await import("@halyard/testkit");
  const child = workerPool().start(process.argv[1], { args: ["stay"] });
  say(await child.waitFor((message) => message.pid !== undefined));
  setInterval(() => {}, 1_000);
}
