/** Copies of real documents that cannot be analysed, and what makes unreadable documents readable again. Originals are never touched. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { FoundDocument } from "./documents.ts";
import type { DocumentFound } from "./topics.ts";

/** Above it nothing is repaired: an analysis holds its process for about a second for each two mebibytes, and who is silent too long counts as dead. */
const repairedBytesMax = 8 * 1_048_576;

/** Three copies: one is saved in another encoding, one has lost its content, one has grown above the limit. Returns what was done. */
export async function damageCopies(documents: readonly FoundDocument[], folder: string, bytesMax: number): Promise<readonly string[]> {
  const small = documents.filter(({ bytes }) => bytes > 0).toSorted((a, b) => a.bytes - b.bytes || (a.name < b.name ? -1 : 1));
  if (small.length === 0) return [];
  await mkdir(folder, { recursive: true });
  const damages = [
    // "déjà vu" in Windows-1252 is no UTF-8: whatever the rest of the document is, the copy cannot be decoded.
    { what: "saved as Windows-1252", damage: (bytes: Buffer) => Buffer.concat([bytes, Buffer.from("\nDéjà vu.\n", "latin1")]) },
    { what: "emptied", damage: () => Buffer.alloc(0) },
    {
      what: `repeated until it was above ${bytesMax} bytes`,
      damage: (bytes: Buffer) => Buffer.alloc(Math.ceil((bytesMax + 1) / bytes.length) * bytes.length, bytes),
    },
  ];
  const done: string[] = [];
  for (const [index, { what, damage }] of damages.entries()) {
    const document = small[index % small.length] as FoundDocument; // small is not empty
    const name = `${index + 1}-${basename(document.path)}`;
    await writeFile(join(folder, name), damage(await readFile(document.path)));
    done.push(`${name}, a copy of ${document.name}: ${what}`);
  }
  return done;
}

/** The payload with which a dead letter can be tried again, and what was done for it; `undefined`: there is no cure. */
export async function repaired(payload: DocumentFound, code: string | undefined, folder: string): Promise<DocumentFound | undefined> {
  const { size } = await stat(payload.path).catch(() => ({ size: 0 }));
  if (code === "TOO_LARGE" && size <= repairedBytesMax) return { ...payload, bytesMax: size, repair: `the limit was raised to ${size} bytes for it` };
  if (code !== "NOT_UTF8" || size > repairedBytesMax) return undefined;
  // Every sequence of bytes is Windows-1252, the usual encoding of what is not UTF-8.
  const text = new TextDecoder("windows-1252").decode(await readFile(payload.path));
  await mkdir(folder, { recursive: true });
  const path = join(folder, `repaired-${basename(payload.path)}`);
  await writeFile(path, text);
  return { ...payload, path, bytesMax: Math.max(payload.bytesMax, Buffer.byteLength(text)), repair: "its encoding was repaired, in a copy" };
}
