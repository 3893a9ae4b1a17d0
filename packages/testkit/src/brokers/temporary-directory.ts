/** Where a broker keeps its data while it lives. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Fresh, only for this user, named so that whoever finds one knows whose it was. */
export const temporaryDirectory = (name: string): Promise<string> => mkdtemp(join(tmpdir(), `halyard-${name}-`));
