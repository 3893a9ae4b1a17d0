import { parsePattern, type WireMessage } from "@halyard/core/spi";
import { describe, expect, test } from "vitest";
import { fieldsOf, never, testHost, until, wire } from "../support/host.ts";
import { groupOf, testServer, testSession } from "../support/servers.ts";

const many = (count: number, fields: Partial<WireMessage> = {}): WireMessage[] =>
  Array.from({ length: count }, (_, index) => wire({ id: `id-${index}`, ...fields }));

describe("a session over the socket", () => {
  test("carries messages of every size in order, and each arrives as it was sent", async () => {
    const { port } = await testServer();
    const publisher = await testSession(port);
    const group = await groupOf(await testSession(port), "workers", 64);
    const sizes = [0, 1, 255, 4_000, 65_536, 1_000_000];
    const sent = sizes.map((size, index) => wire({ id: `size-${size}`, body: Buffer.alloc(size, index), headers: { "x-text": "  ü\n🎈 " } }));
    expect(await publisher.publish(sent, { signal: never })).toBeUndefined();
    const received: WireMessage[] = [];
    while (received.length < sizes.length) {
      const deliveries = await group.receive(10, never);
      received.push(...deliveries.map((delivery) => delivery.message));
      expect(await group.settle(deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } })))).toBeUndefined();
    }
    expect(received.map(fieldsOf)).toEqual(sent.map(fieldsOf));
  });

  test("gives statuses for what was not simply accepted, with positions where they are asked for", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    await session.publish([wire({ id: "seen" })], { signal: never });
    const statuses = await session.publish([wire({ id: "seen" }), wire({ id: "new" })], { signal: never, positions: true });
    expect(statuses).toMatchObject([{ status: "accepted", duplicate: true }, { status: "accepted" }]);
    expect(statuses?.[1]).toHaveProperty("position", expect.any(String));
    const refused = await session.publish([wire()], { signal: never, target: { group: "missing" } });
    expect(refused).toMatchObject([{ status: "refused", error: { code: "NO_SUCH_GROUP" } }]);
  });

  test("keeps a refused message from taking the others of its batch along", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    const statuses = await session.publish([wire({ id: "a" }), wire({ id: "b", headers: { large: "x".repeat(70_000) } }), wire({ id: "c" })], {
      signal: never,
    });
    expect(statuses?.map((status) => status.status)).toEqual(["accepted", "refused", "accepted"]);
  });

  test("splits a batch that is larger than a frame, and keeps its order", async () => {
    const { port } = await testServer({ frameBytesMax: 256 * 1024 });
    const session = await testSession(port);
    const group = await groupOf(await testSession(port), "workers", 64);
    const sent = many(20, { body: Buffer.alloc(60_000) });
    const first = session.publish(sent, { signal: never });
    const second = session.publish([wire({ id: "last" })], { signal: never });
    expect([await first, await second]).toEqual([undefined, undefined]);
    const ids: string[] = [];
    while (ids.length < 21) ids.push(...(await group.receive(64, never)).map((delivery) => delivery.message.id));
    expect(ids).toEqual([...sent.map((message) => message.id), "last"]);
  });

  test("carries moves, releases and stale settlements, each with its own status", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    const group = await groupOf(session, "workers");
    await session.publish(many(4), { signal: never });
    const deliveries: { receipt: unknown; message: WireMessage }[] = [];
    while (deliveries.length < 4) deliveries.push(...(await group.receive(4, never)));
    const [a, b, c, d] = deliveries;
    const statuses = await group.settle([
      { receipt: a?.receipt, outcome: { type: "ack" } },
      { receipt: 999, outcome: { type: "ack" } },
      { receipt: b?.receipt, outcome: { type: "move", to: "dead-letters", message: wire({ ...b?.message, attempt: 2 }), delayMs: 0 } },
      { receipt: c?.receipt, outcome: { type: "move", to: "inbox", message: wire({ ...c?.message, attempt: 5 }), delayMs: 0 } },
      { receipt: d?.receipt, outcome: { type: "release" } },
    ]);
    expect(statuses).toEqual(["done", "stale", "done", "done", "done"]);
    expect(await group.settle([{ receipt: a?.receipt, outcome: { type: "ack" } }])).toEqual(["stale"]);
    expect(await session.deadLetters.count("workers", never)).toBe(1);
    const again: [string, number][] = [];
    while (again.length < 2)
      again.push(...(await group.receive(4, never)).map((delivery): [string, number] => [delivery.message.id, delivery.message.attempt]));
    expect(new Map(again)).toEqual(
      new Map([
        ["id-2", 5],
        ["id-3", 1],
      ]),
    );
  });

  test("walks dead letters page by page, and a visitor that throws changes nothing and frees the walk", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    const group = await groupOf(session, "workers");
    await session.publish(many(5, { body: Buffer.alloc(50_000) }), { signal: never, target: { deadLetters: "workers" } });
    const walk = session.deadLetters.walk("workers", { pageMax: 10, signal: never }, () => Promise.reject(new Error("visitor")));
    await expect(walk).rejects.toThrow("visitor");
    expect(await session.deadLetters.count("workers", never)).toBe(5);
    const pages: number[] = [];
    await session.deadLetters.walk("workers", { pageMax: 2, signal: never }, async (page) => {
      pages.push(page.length);
      return page.map((message) => (message.id === "id-0" ? "keep" : message.id === "id-1" ? "remove" : { redrive: wire({ ...message, attempt: 9 }) }));
    });
    expect(pages).toEqual([2, 2, 1]);
    expect(await session.deadLetters.count("workers", never)).toBe(1);
    const redriven: string[] = [];
    while (redriven.length < 3) redriven.push(...(await group.receive(5, never)).map((delivery) => `${delivery.message.id}/${delivery.message.attempt}`));
    expect(redriven.sort()).toEqual(["id-2/9", "id-3/9", "id-4/9"]);
  });

  test("lets one walk a group at a time, and an aborted walk makes room for the next", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    await session.admin.defineGroup("workers", { add: [parsePattern("#")], drop: [] }, never);
    await session.publish(many(3), { signal: never, target: { deadLetters: "workers" } });
    const controller = new AbortController();
    let isSeen = false;
    const first = session.deadLetters.walk("workers", { pageMax: 1, signal: controller.signal }, () => {
      isSeen = true;
      return new Promise(() => undefined);
    });
    await until("the first page is shown", () => isSeen);
    await expect(session.deadLetters.walk("workers", { pageMax: 1, signal: never }, async () => "stop")).rejects.toMatchObject({ code: "BUSY" });
    controller.abort();
    await expect(first).rejects.toMatchObject({ code: "ABORTED" });
    await session.deadLetters.walk("workers", { pageMax: 1, signal: never }, async () => "stop");
  });

  test("reads history in pages, by position and by id", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    await session.publish(many(30, { body: Buffer.alloc(9_000) }), { signal: never });
    const patterns = [parsePattern("#")];
    const first = await session.history?.read({ patterns, from: "start", limit: 20, signal: never });
    const after = first?.messages.at(-1)?.position ?? "";
    const second = await session.history?.read({ patterns, from: { after }, limit: 20, signal: never });
    expect([first?.messages.length, second?.messages.length, second?.end]).toEqual([20, 10, true]);
    const found = await session.history?.byId?.(["id-7", "missing"], never);
    expect(found?.map((entry) => entry?.message.id)).toEqual(["id-7", undefined]);
  });

  test("reports the gap of a live subscription that did not keep up", async () => {
    const { port } = await testServer();
    const host = testHost("slow");
    const slow = await testSession(port, {}, host);
    const live = await slow.subscribe({ patterns: [parsePattern("#")], inFlightMax: 10 }, never);
    await (await testSession(port)).publish(many(500), { signal: never });
    await until("the gap is reported", () => host.events.length > 0);
    let [received, missed] = [0, 0];
    await until("what came and what is missing are all", async () => {
      const deliveries = await live.receive(10, never);
      await live.settle(deliveries.map(({ receipt }) => ({ receipt, outcome: { type: "ack" } })));
      received += deliveries.length;
      missed = host.events.reduce((sum, event) => sum + (event.type === "gap" && event.subscription === live ? (event.count ?? 0) : 0), 0);
      return received + missed === 500;
    });
    expect(missed).toBeGreaterThan(400);
  });

  test("gives back what a closed subscription held, and settles nothing for it any more", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    const group = await groupOf(session, "workers", 2);
    await session.publish(many(2), { signal: never });
    const [delivery] = await group.receive(1, never);
    await group.close();
    await group.close();
    expect(await group.receive(1, never)).toEqual([]);
    expect(await group.settle([{ receipt: delivery?.receipt, outcome: { type: "ack" } }])).toEqual(["stale"]);
    expect(await session.admin.group("workers", never)).toMatchObject({ waiting: 2, inFlight: 0, members: 0 });
  });

  test("tells a member that its group was removed", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    const group = await groupOf(session, "workers");
    const receiving = group.receive(1, never);
    await session.admin.removeGroup("workers", never);
    await expect(receiving).rejects.toMatchObject({ code: "GROUP_REMOVED" });
  });

  test("waits for one delivery, hands out none after an abort, and keeps what came meanwhile", async () => {
    const { port } = await testServer();
    const session = await testSession(port);
    const group = await groupOf(session, "workers");
    const controller = new AbortController();
    const aborted = group.receive(1, controller.signal);
    controller.abort();
    expect(await aborted).toEqual([]);
    await session.publish(many(1), { signal: never });
    expect(await group.receive(1, never)).toHaveLength(1);
  });

  test("ends with everything open rejected as lost when the server goes, and says why", async () => {
    const server = await testServer();
    const session = await testSession(server.port);
    const group = await groupOf(session, "workers");
    const receiving = group.receive(1, never);
    receiving.catch(() => undefined);
    await server.close();
    expect(await session.closed).toMatchObject({ code: "CONNECTION_LOST", retryable: true });
    await expect(receiving).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    await expect(session.publish([wire()], { signal: never })).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    await expect(group.settle([{ receipt: 1, outcome: { type: "ack" } }])).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    await expect(session.admin.ping(never)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    await session.close();
  });

  test("closes on both sides when asked, twice without harm, and without an error", async () => {
    const server = await testServer();
    const session = await testSession(server.port);
    await Promise.all([session.close(), session.close()]);
    expect(await session.closed).toBeUndefined();
    await until("the server has forgotten it", () => server.stats().connections === 0);
  });

  test("takes the place of an older one of the same client, whose messages come back at once", async () => {
    const server = await testServer();
    const older = await testSession(server.port, {}, testHost("same"));
    const group = await groupOf(older, "workers");
    await older.publish([wire()], { signal: never });
    expect(await group.receive(1, never)).toHaveLength(1);
    const other = await groupOf(await testSession(server.port), "workers");
    const newer = await testSession(server.port, {}, testHost("same"));
    expect(await older.closed).toMatchObject({ code: "CONNECTION_LOST" });
    expect(await other.receive(1, never)).toMatchObject([{ message: { id: "id-1" }, deliveries: 2 }]);
    await newer.admin.ping(never);
    await until("two are left", () => server.stats().clients === 2);
  });

  test("refuses more subscriptions than a connection may have", async () => {
    const { port } = await testServer({ subscriptionsMax: 2 });
    const session = await testSession(port);
    const request = { patterns: [parsePattern("#")], inFlightMax: 1 };
    const first = await session.subscribe(request, never);
    await session.subscribe(request, never);
    await expect(session.subscribe(request, never)).rejects.toMatchObject({ code: "BACKPRESSURE" });
    await first.close();
    await session.subscribe(request, never);
  });
});
