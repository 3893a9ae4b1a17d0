import { expect, test } from "vitest";
import { HalyardError } from "../src/errors.ts";
import { toLetter } from "../src/letter.ts";
import { ownHeaders } from "../src/message.ts";
import type { DeadLetters, Verdict } from "../src/spi/control.ts";
import type { WireMessage } from "../src/spi/message.ts";
import { wire } from "./fake-backend.ts";
import { type FakeBus, fakeBus } from "./fake-bus.ts";

/** Letters of one group, walked in pages as a backend would: what the visitor says is done after each page. */
class FakeLetters implements DeadLetters {
  letters: WireMessage[];
  readonly redriven: WireMessage[] = [];
  pageMax = 2;

  constructor(letters: readonly WireMessage[]) {
    this.letters = [...letters];
  }

  async count(): Promise<number> {
    return this.letters.length;
  }

  async purge(): Promise<number> {
    return this.letters.splice(0).length;
  }

  async walk(
    _: string,
    options: { pageMax: number; signal: AbortSignal },
    visit: (page: readonly WireMessage[]) => Promise<readonly Verdict[] | "stop">,
  ): Promise<void> {
    const size = Math.min(options.pageMax, this.pageMax);
    const all = [...this.letters];
    for (let from = 0; from < all.length; from += size) {
      const page = all.slice(from, from + size);
      const verdicts = await visit(page);
      if (verdicts === "stop") return;
      if (verdicts.length !== page.length) throw new Error(`${verdicts.length} verdicts for ${page.length} letters`);
      for (const [index, verdict] of verdicts.entries()) {
        if (verdict === "keep") continue;
        this.letters = this.letters.filter((letter) => letter !== page[index]);
        if (verdict !== "remove") this.redriven.push(verdict.redrive);
      }
    }
  }
}

const letter = (id: string, n = 0): WireMessage =>
  toLetter(wire({ id, body: Buffer.from(JSON.stringify({ n })), attempt: 3, timeMs: 1_000 + n }), {
    reason: "attempts",
    error: new Error("no"),
    group: "g",
    attempts: 3,
    deliveries: 3,
    firstFailedAtMs: 1,
    nowMs: 2,
  });

async function withLetters(...ids: string[]): Promise<FakeBus & { readonly letters: FakeLetters }> {
  const fake = await fakeBus();
  const letters = new FakeLetters(ids.map((id, n) => letter(id, n)));
  fake.backend.session.deadLetters = letters;
  return { ...fake, letters };
}

const idsOf = (letters: readonly { readonly id: string }[]): string[] => letters.map(({ id }) => id);

test("a list is oldest first, one entry an id with its copies, and changes nothing", async () => {
  const { bus, letters } = await withLetters("a", "b", "a", "c", "a");
  const listed = await bus.deadLetters("g").list();
  expect(listed.map(({ id, copies }) => [id, copies])).toEqual([
    ["a", 3],
    ["b", 1],
    ["c", 1],
  ]);
  expect(idsOf(await bus.deadLetters("g").list({ limit: 2 }))).toEqual(["a", "b"]);
  expect(letters.letters).toHaveLength(5);
});

test("get finds one with its copies, or nothing", async () => {
  const { bus } = await withLetters("a", "b", "a");
  expect(await bus.deadLetters("g").get("a")).toMatchObject({ id: "a", copies: 2, message: { payload: { n: 0 } }, reason: "attempts" });
  expect(await bus.deadLetters("g").get("z")).toBeUndefined();
  await expect(bus.deadLetters("g").get("not an id")).rejects.toMatchObject({ code: "INVALID_ID" });
});

test("redrive puts each message back once, whatever its copies, at attempt 1, marked so that nothing takes it for a duplicate", async () => {
  const { bus, letters } = await withLetters("a", "b", "a", "c", "a");
  expect(await bus.deadLetters("g").redrive(["a", "c"])).toBe(2);
  expect(idsOf(letters.redriven)).toEqual(["a", "c"]);
  expect(idsOf(letters.letters)).toEqual(["b"]);
  expect(letters.redriven[0]).toMatchObject({ attempt: 1, headers: { [ownHeaders.redriven]: "1" } });
  expect(letters.redriven[0]?.headers[ownHeaders.deadReason]).toBeUndefined();
  expect(await bus.deadLetters("g").redrive("all")).toBe(1);
  expect(letters.letters).toEqual([]);
  expect(await bus.deadLetters("g").redrive([])).toBe(0);
});

test("a new payload is for one letter, is encoded as the bus encodes, and leaves the rest of the message as it was", async () => {
  const { bus, letters } = await withLetters("a", "b");
  await expect(bus.deadLetters("g").redrive("all", { payload: 1 })).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  await expect(bus.deadLetters("g").redrive(["a", "b"], { payload: 1 })).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  expect(await bus.deadLetters("g").redrive("a", { payload: { repaired: true } })).toBe(1);
  expect(letters.redriven).toMatchObject([{ id: "a", topic: "a.b", timeMs: 1_000, contentType: "application/json" }]);
  expect(JSON.parse(Buffer.from(letters.redriven[0]?.body ?? []).toString())).toEqual({ repaired: true });
});

test("remove takes all copies of an id, and an id is never taken for a word", async () => {
  const { bus, letters } = await withLetters("a", "all", "a", "b");
  expect(await bus.deadLetters("g").remove("a")).toBe(1);
  expect(idsOf(letters.letters)).toEqual(["all", "b"]);
  expect(await bus.deadLetters("g").remove("all")).toBe(1);
  expect(idsOf(letters.letters)).toEqual(["b"]);
  expect(await bus.deadLetters("g").remove(["z"])).toBe(0);
});

test("handle decides about each message once; its copies share their fate", async () => {
  const { bus, letters } = await withLetters("keep", "remove", "redrive", "repair", "redrive", "remove", "keep");
  const asked: string[] = [];
  const totals = await bus.deadLetters("g").handle(async ({ id }) => {
    asked.push(id);
    if (id === "repair") return { redrive: { payload: "new" } };
    return id as "keep" | "remove" | "redrive";
  });
  expect(asked).toEqual(["keep", "remove", "redrive", "repair"]);
  expect(totals).toEqual({ kept: 1, removed: 1, redriven: 2 });
  expect(idsOf(letters.redriven)).toEqual(["redrive", "repair"]);
  expect(idsOf(letters.letters)).toEqual(["keep", "keep"]);
});

test("a decision that throws ends the walk and leaves the letters of its page where they are", async () => {
  const { bus, letters } = await withLetters("a", "b", "c", "d");
  const walk = bus.deadLetters("g").handle(({ id }) => {
    if (id === "d") throw new Error("cannot say");
    return "remove";
  });
  await expect(walk).rejects.toThrow("cannot say");
  expect(idsOf(letters.letters)).toEqual(["c", "d"]);
});

test("an answer that is no decision is refused, and nothing happens to the letter", async () => {
  const { bus, letters } = await withLetters("a");
  await expect(bus.deadLetters("g").handle(() => undefined as never)).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  await expect(bus.deadLetters("g").handle(() => "delete" as never)).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  expect(idsOf(letters.letters)).toEqual(["a"]);
});

test("counting and purging are the backend's; group names are checked; errors come through", async () => {
  const { bus, letters } = await withLetters("a", "b");
  expect(await bus.deadLetters("g").count()).toBe(2);
  expect(await bus.deadLetters("g").purge()).toBe(2);
  expect(() => bus.deadLetters("no group")).toThrowError(expect.objectContaining({ code: "INVALID_GROUP" }));
  letters.walk = () => Promise.reject(new HalyardError("BUSY", "Somebody walks."));
  await expect(bus.deadLetters("g").list()).rejects.toMatchObject({ code: "BUSY" });
});

test("a walk may take long where the visitor does, but no step of the broker's may", async () => {
  const { bus, letters, clock } = await withLetters("a", "b", "c");
  const slow = bus.deadLetters("g").handle(async () => {
    await new Promise<void>((resolve) => clock.after(3_600_000, resolve));
    return "keep" as const;
  });
  await clock.advance(3 * 3_600_000);
  expect(await slow).toMatchObject({ kept: 3 });
  let given: AbortSignal | undefined;
  letters.walk = async (_, { signal }, visit) => {
    given = signal;
    await visit([letter("a")]);
    await new Promise(() => undefined); // a broker that does not answer any more
  };
  const stalled = expect(bus.deadLetters("g").list()).rejects.toMatchObject({ code: "TIMEOUT" });
  await clock.advance(60_000);
  await stalled;
  expect([given?.aborted, clock.timers]).toEqual([true, 0]);
});

test("a letter that comes back while the walk that redrove it goes on is kept, its older copies are not", async () => {
  const { bus, letters } = await withLetters("a", "b", "a");
  const again = { ...letter("a"), headers: { ...letter("a").headers, [ownHeaders.redriven]: "1" } };
  letters.letters.push(again);
  expect(await bus.deadLetters("g").redrive("all")).toBe(2);
  expect(letters.letters).toEqual([again]);
  expect(letters.redriven.map(({ id }) => id)).toEqual(["a", "b"]);
});
