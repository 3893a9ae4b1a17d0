import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { textOf } from "../../document-team/analyse.ts";
import { damageCopies, repaired } from "../../document-team/damage.ts";
import { findDocuments, kindOf } from "../../document-team/documents.ts";

async function folderWith(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "halyard-documents-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

describe("finding documents", () => {
  it("goes through all folders, in the order of the names, and knows documents by their ending", async () => {
    const folder = await folderWith({ "b.MD": "b", "a/x.rst": "x", "a/deep/y.txt": "y", "code.ts": "no", "a/.git/z.md": "no", "c.markdown": "" });
    const { documents, unreadable } = await findDocuments(folder);
    expect(documents.map(({ name, kind, bytes }) => [name, kind, bytes])).toEqual([
      ["a/deep/y.txt", "text", 1],
      ["a/x.rst", "restructured", 1],
      ["b.MD", "markdown", 1],
      ["c.markdown", "markdown", 0],
    ]);
    expect(unreadable).toEqual([]);
    expect(kindOf("README")).toBeUndefined();
  });

  it("does not follow links, so that a circle of them ends", async () => {
    const folder = await folderWith({ "a/x.md": "x" });
    await symlink("..", join(folder, "a/up"));
    await symlink("x.md", join(folder, "a/y.md"));
    expect((await findDocuments(folder)).documents.map(({ name }) => name)).toEqual(["a/x.md"]);
  });

  it("tells about folders that it cannot enter", async () => {
    const { documents, unreadable } = await findDocuments("/nowhere/at/all");
    expect(documents).toEqual([]);
    expect(unreadable).toEqual(["/nowhere/at/all"]);
  });
});

describe("damaged copies", () => {
  const payloadOf = (path: string) => ({ path, name: "copy", kind: "markdown" as const, bytes: 1, bytesMax: 100, isDamaged: true });
  const codeOf = (bytes: Buffer): unknown => {
    try {
      return textOf(bytes);
    } catch (error) {
      return (error as { readonly code: string }).code;
    }
  };

  it("are three, each unreadable in its way, and leave the originals alone", async () => {
    const folder = await folderWith({ "in/a.md": "# Ä title", "in/empty.md": "" });
    const { documents } = await findDocuments(join(folder, "in"));
    const done = await damageCopies(documents, join(folder, "out"), 100);
    expect(done).toHaveLength(3);
    const [encoded, emptied, grown] = await Promise.all([1, 2, 3].map((number) => readFile(join(folder, "out", `${number}-a.md`))));
    expect(codeOf(encoded as Buffer)).toBe("NOT_UTF8");
    expect(codeOf(emptied as Buffer)).toBe("EMPTY");
    expect((grown as Buffer).length).toBeGreaterThan(100);
    expect(textOf(grown as Buffer)).toMatch(/^(?:# Ä title)+$/);
    expect(await readFile(join(folder, "in/a.md"), "utf8")).toBe("# Ä title");
  });

  it("cannot be made of nothing", async () => {
    const folder = await folderWith({ "empty.md": "" });
    expect(await damageCopies((await findDocuments(folder)).documents, join(folder, "out"), 100)).toEqual([]);
  });

  it("are repaired by a raised limit or another encoding, in a copy; an empty one cannot be", async () => {
    const folder = await folderWith({ "large.md": "x".repeat(150), "latin.md": Buffer.from("déjà vu", "latin1"), "empty.md": "" });
    const scratch = join(folder, "repaired");
    expect(await repaired(payloadOf(join(folder, "large.md")), "TOO_LARGE", scratch)).toMatchObject({
      bytesMax: 150,
      repair: "the limit was raised to 150 bytes for it",
    });
    const latin = await repaired(payloadOf(join(folder, "latin.md")), "NOT_UTF8", scratch);
    expect(await readFile(latin?.path ?? "", "utf8")).toBe("déjà vu");
    expect(await readFile(join(folder, "latin.md"), "latin1")).toBe("déjà vu");
    expect(await repaired(payloadOf(join(folder, "empty.md")), "EMPTY", scratch)).toBeUndefined();
    expect(await repaired(payloadOf(join(folder, "gone.md")), "NOT_ACCESSIBLE", scratch)).toBeUndefined();
  });
});
