/** The demo as people run it: the compiled program, its exit status, its output and what it leaves behind. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { redisStreams } from "@halyard/backend-redis-streams";
import { createBus } from "@halyard/core";
import { startRedis } from "@halyard/testkit/brokers";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Balance } from "../../document-team/balance.ts";
import { type LedgerEntry, readLedger } from "../../document-team/ledger.ts";

const program = fileURLToPath(new URL("../../dist/document-team/main.js", import.meta.url));
const deadlineMs = 120_000;

interface Run {
  readonly code: number | null;
  readonly text: string;
  readonly errors: string;
}

async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "halyard-demo-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs the demo with a folder for temporary files of its own, so that what it leaves there is seen. */
function start(folder: string, ...line: readonly string[]) {
  const temporary = join(folder, "tmp");
  const child = spawn(process.execPath, [program, "--output", join(folder, "out"), ...line], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let [text, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    errors += chunk;
  });
  const ended = new Promise<Run>((resolve) => child.once("close", (code) => resolve({ code, text, errors })));
  const said = async (part: string): Promise<void> => {
    while (!text.includes(part) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { child, ended, said };
}

/** Enough work that an analyst can be caught at it: an analysis of 40 KB takes some ten milliseconds. */
async function writeDocuments(folder: string, count: number): Promise<string> {
  const documents = join(folder, "documents");
  await mkdir(documents, { recursive: true });
  await mkdir(join(folder, "tmp"), { recursive: true });
  const sentence = "The reader finds all of the documents, and each of the analysts takes the next one that nobody has taken yet. ";
  for (let number = 0; number < count; number++) {
    const text = `# Document ${number}\n\n${sentence.repeat(400)}\n\n\`\`\`ts\nconst number = ${number};\n\`\`\`\n\n[next](https://host.example/${number + 1})\n`;
    await writeFile(join(documents, `document-${String(number).padStart(3, "0")}.md`), text);
  }
  return documents;
}

/** As a person finds it: by its name in the list of processes. */
function processOf(parent: number | undefined, name: string): number {
  const list = execFileSync("ps", ["-o", "pid=,args=", "--ppid", String(parent)], { encoding: "utf8" });
  return Number.parseInt(list.split("\n").find((line) => line.endsWith(` ${name}`)) ?? "", 10);
}

const booksOf = (folder: string): Balance => JSON.parse(readFileSync(join(folder, "out/ledger.json"), "utf8")) as Balance;

/** The books closed once more, by other means: from the lines alone. */
function missingFromLines(folder: string, deadLetters: number): number {
  const names = readdirSync(join(folder, "out/ledger"));
  const entries = names.flatMap((name) => readLedger(readFileSync(join(folder, "out/ledger", name), "utf8")));
  const idsOf = (event: LedgerEntry["event"]) => new Set(entries.flatMap((entry) => (entry.event === event && "id" in entry ? [entry.id] : [])));
  return [...idsOf("published")].filter((id) => !idsOf("handled").has(id)).length - deadLetters;
}

describe("the demo", () => {
  it.each(["embedded", "amqp", "redis-streams", "nats"])(
    "loses nothing over %s while an analyst is killed at work",
    async (backend) => {
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 100);
      const { code, text, errors } = await start(folder, "--folder", documents, "--backend", backend).ended;

      expect(errors).toBe("");
      expect(text).toMatch(/Killed analyst-\d \(process \d+, SIGKILL\) while it worked on [1-9] documents?/);
      expect(text).toMatch(/Started analyst-4 \(process \d+\) in its place/);
      expect(text).toMatch(/had in hand was taken over by analyst-\d/);
      expect(text).toContain("three damaged copies are added");
      expect(text).toContain('Dead letters of the group "analysts": 3');
      expect(text).toMatch(/Redriven: damaged copies\/.*It is in the report now/);
      expect(text).toMatch(/published \d+, handled \d+, retried \d+, redelivered [1-9]\d*, dead-lettered 3 \(2 left\), lost 0, [\d,]+ messages\/s/);
      expect(text).not.toContain("\u{1b}");
      expect(code).toBe(0);

      const books = booksOf(folder);
      expect(books).toMatchObject({ lost: [], dead: 2 });
      expect(books.processes.find(({ note }) => note === "killed")?.inHand).toBeGreaterThan(0);
      expect(missingFromLines(folder, 2)).toBe(0);

      const [markdown, html] = ["report.md", "report.html"].map((name) => readFileSync(join(folder, "out", name), "utf8"));
      for (let number = 0; number < 100; number++) expect(markdown).toContain(`document-${String(number).padStart(3, "0")}.md`);
      expect(markdown).toMatch(/damaged copies\/\d-document.* \| damaged copy; redriven: /);
      expect(html).toContain("<b>101</b>documents");
      expect(html?.match(/<svg/g)).toHaveLength(7);
      expect(readdirSync(join(folder, "tmp"))).toEqual([]);
    },
    deadlineMs,
  );

  it(
    "goes on when somebody kills an analyst by hand, and loses nothing",
    async () => {
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 100);
      const { child, ended, said } = start(folder, "--folder", documents, "--no-kill");
      await said(" documents (");
      process.kill(processOf(child.pid, "analyst-2"), "SIGKILL");
      const { code, text, errors } = await ended;
      expect(errors).toBe("");
      expect(text).toMatch(/You killed analyst-2 \(process \d+, SIGKILL\)/);
      expect(text).toMatch(/Started analyst-4 \(process \d+\) in its place/);
      expect(code).toBe(0);
      expect(booksOf(folder)).toMatchObject({ lost: [], dead: 2 });
      expect(booksOf(folder).processes.find(({ name }) => name === "analyst-2")?.note).toBe("killed by hand");
      expect(missingFromLines(folder, 2)).toBe(0);
    },
    deadlineMs,
  );

  it(
    "says that the reader was killed by hand, and ends",
    async () => {
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 100);
      const { child, ended, said } = start(folder, "--folder", documents, "--no-kill");
      await said(" documents (");
      process.kill(processOf(child.pid, "reader"), "SIGKILL");
      const { code, errors } = await ended;
      expect(errors).toMatch(/reader \(process \d+\) was killed from outside with SIGKILL, and the demo stops/);
      expect(code).toBe(1);
      expect(readdirSync(join(folder, "tmp"))).toEqual([]);
    },
    deadlineMs,
  );

  it(
    "leaves nothing of its own on a broker that is somebody else's, and runs there twice in a row",
    async () => {
      await using broker = await startRedis({ isOwned: true });
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 10);
      const line = ["--folder", documents, "--backend", "redis-streams", "--url", broker.url];
      for (let run = 0; run < 2; run++) {
        const { code, text } = await start(folder, ...line, "--no-kill").ended;
        expect(code).toBe(0);
        expect(text).toContain(`over the broker at redis://127.0.0.1:${broker.port}.`);
        expect(booksOf(folder)).toMatchObject({ lost: [], dead: 2 });
      }
      const bus = await createBus({ backend: redisStreams(broker.url), namespace: "document-team" });
      onTestFinished(() => bus.close());
      expect(await bus.groups.list()).toEqual([]);
      expect(await bus.deadLetters("analysts").count()).toBe(0);
    },
    deadlineMs,
  );

  it(
    "says that a broker does not answer, without its password",
    async () => {
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 1);
      const { code, text, errors } = await start(folder, "--folder", documents, "--backend", "amqp", "--url", "amqp://user:secret@127.0.0.1:1").ended;
      expect(errors).toContain("127.0.0.1:1");
      expect(text + errors).not.toContain("secret");
      expect(code).toBe(1);
      expect(readdirSync(join(folder, "tmp"))).toEqual([]);
    },
    deadlineMs,
  );

  it(
    "takes the dead letters that a folder has, and leaves the folder as it was",
    async () => {
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 6);
      await writeFile(join(documents, "empty.md"), "");
      await writeFile(join(documents, "latin.txt"), Buffer.from("déjà vu, as it was written long ago", "latin1"));
      const { code, text } = await start(folder, "--folder", documents, "--no-kill", "--flaky", "0", "--workers", "1").ended;
      expect(code).toBe(0);
      expect(text).not.toContain("damaged");
      expect(text).toContain("empty.md: The document is empty: 0 bytes.");
      expect(text).toContain("latin.txt: The document is not UTF-8: the sequence at byte 1 of 35 cannot be decoded.");
      expect(text).toContain("Redriven: latin.txt; its encoding was repaired, in a copy. It is in the report now.");
      expect(booksOf(folder)).toMatchObject({ lost: [], dead: 1, total: { retried: 0, redelivered: 0, deadLettered: 2 } });
      expect(readFileSync(join(documents, "latin.txt"), "latin1")).toContain("déjà vu");
      expect(readdirSync(documents)).toHaveLength(8);
    },
    deadlineMs,
  );

  it(
    "runs inside one process over memory, where it says that nobody is killed",
    async () => {
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 10);
      const { code, text } = await start(folder, "--folder", documents, "--backend", "memory", "--flaky", "100").ended;
      expect(code).toBe(0);
      expect(text).toContain("Nobody is killed: over memory all work in one process");
      // Ten documents, three damaged copies, and the one that is redriven and begins again at the first attempt.
      expect(booksOf(folder)).toMatchObject({ lost: [], total: { retried: 14 } });
    },
    deadlineMs,
  );

  it(
    "ends when not one document can be analysed, and nobody can be caught at work",
    async () => {
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 20);
      const { code, text } = await start(folder, "--folder", documents, "--max-bytes", "10", "--flaky", "0").ended;
      expect(code).toBe(0);
      expect(text).toContain('Dead letters of the group "analysts": 20');
      expect(text).toMatch(/Redriven: document-\d+.md; the limit was raised to \d+ bytes for it. It is in the report now./);
      expect(booksOf(folder)).toMatchObject({ lost: [], dead: 19 });
    },
    deadlineMs,
  );

  it(
    "leaves no process, server or file behind when it is interrupted",
    async () => {
      const folder = await scratchFolder();
      const documents = await writeDocuments(folder, 300);
      const { child, ended, said } = start(folder, "--folder", documents);
      await said("SIGKILL");
      child.kill("SIGINT");
      const { code, errors } = await ended;
      expect(errors).toContain("Interrupted by SIGINT");
      expect(code).toBe(130);
      expect(readdirSync(join(folder, "tmp"))).toEqual([]);
      expect(existsSync(join(folder, "out/ledger.json"))).toBe(false);
    },
    deadlineMs,
  );

  it.each([
    [["--backend", "kafka"], "--backend must be"],
    [["--backend", "nats", "--url", "nats.example"], "--url must begin with nats:// or tls://"],
    [["--folder", "/nowhere/at/all"], "--folder /nowhere/at/all does not exist"],
    [["--folder", program], "is no folder"],
  ])(
    "ends with status 2 and an explanation for %j",
    async (line, text) => {
      const folder = await scratchFolder();
      const { code, errors } = await start(folder, ...line).ended;
      expect(errors).toContain(text);
      expect(errors).toContain("--help");
      expect(code).toBe(2);
    },
    deadlineMs,
  );

  it(
    "ends with status 2 for a folder without documents",
    async () => {
      const folder = await scratchFolder();
      await writeDocuments(folder, 0);
      const { code, errors } = await start(folder, "--folder", join(folder, "documents")).ended;
      expect(errors).toContain("has no documents");
      expect(code).toBe(2);
      expect(readdirSync(join(folder, "tmp"))).toEqual([]);
    },
    deadlineMs,
  );
});
