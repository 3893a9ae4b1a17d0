import { chmod, mkdir, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { embedded } from "../../src/embedded.ts";
import { type EmbeddedServer, startEmbeddedServer } from "../../src/server/server.ts";
import { never, testHost } from "../support/host.ts";
import { afterwards, temporaryDirectory } from "../support/servers.ts";

async function serveOn(socketPath: string): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ socketPath });
  afterwards(() => server.close());
  return server;
}

async function expectServed(socketPath: string): Promise<void> {
  const session = await embedded({ socketPath, autoStart: false }).connect(testHost(), never);
  await session.admin.ping(never);
  await session.close();
}

describe("a socket path", () => {
  test("is won by exactly one of many that start at once", async () => {
    const path = join(await temporaryDirectory(), "a.sock");
    for (let round = 0; round < 5; round++) {
      const started = await Promise.allSettled(Array.from({ length: 20 }, () => serveOn(path)));
      const winners = started.filter((result) => result.status === "fulfilled");
      expect(winners).toHaveLength(1);
      for (const result of started)
        if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "CONNECT_FAILED", details: { errno: "EADDRINUSE" } });
      await expectServed(path);
      await winners[0]?.value.close();
    }
  });

  test("is taken over from a server that died and left its socket behind", async () => {
    const directory = await temporaryDirectory();
    const path = join(directory, "a.sock");
    await mkdir(`${path}.d`, { mode: 0o700 });
    await symlink("gone.sock", join(`${path}.d`, "claim-7"));
    await symlink(join(`${path}.d`, "gone.sock"), path);
    await serveOn(path);
    await expectServed(path);
    expect(await readdir(`${path}.d`)).toContain("claim-8");
    expect(await readdir(`${path}.d`)).not.toContain("claim-7");
  });

  test("leads to the living server again after somebody removed the link", async () => {
    const path = join(await temporaryDirectory(), "a.sock");
    await serveOn(path);
    const before = await readlink(path);
    await rm(path);
    await expect(serveOn(path)).rejects.toMatchObject({ details: { errno: "EADDRINUSE" } });
    expect(await readlink(path)).toBe(before);
    await expectServed(path);
  });

  test("can be entered by nobody but its owner, and one that could is refused", async () => {
    const path = join(await temporaryDirectory(), "a.sock");
    await mkdir(`${path}.d`, { mode: 0o700 });
    await chmod(`${path}.d`, 0o755);
    await expect(serveOn(path)).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
    await rm(`${path}.d`, { recursive: true });
    await symlink("/tmp", `${path}.d`);
    await expect(serveOn(path)).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
  });

  test("that is a file of somebody's is left alone", async () => {
    const path = join(await temporaryDirectory(), "notes.txt");
    await writeFile(path, "precious");
    await expect(serveOn(path)).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  });

  test("is free again as soon as its server has closed", async () => {
    const path = join(await temporaryDirectory(), "a.sock");
    for (let round = 0; round < 3; round++) {
      const server = await serveOn(path);
      await expectServed(path);
      await server.close();
      await expect(embedded({ socketPath: path, autoStart: false }).connect(testHost(), never)).rejects.toMatchObject({ code: "CONNECT_FAILED" });
    }
  });
});
