/**
 * What the sources of published packages may not use: time, timers and chance come from the `Clock` and `random` that a bus was created
 * with, so that a whole bus can run in simulated time; and a library does not write to the console of the program it runs in.
 */
import { relative } from "node:path";
import { isSyntaxNode, lineOf, parseSource, type SourceFile, type SyntaxNode, walkSyntax } from "./syntax.ts";
import { listFiles, publishedPackages, type Workspace } from "./workspaces.ts";

const fromClock = "take the time and timers from the Clock that is handed in";
const fromRandom = "take it from the random function that is handed in";

/** Global functions and members, and what to use instead. */
const forbiddenNames: ReadonlyMap<string, string> = new Map([
  ["Date.now", fromClock],
  ["performance.now", fromClock],
  ["process.hrtime", fromClock],
  ["process.hrtime.bigint", fromClock],
  ["AbortSignal.timeout", fromClock],
  ["setTimeout", fromClock],
  ["setInterval", fromClock],
  ["Math.random", fromRandom],
  ["console", "report an event or use the logger that is handed in"],
]);

const forbiddenModules: ReadonlyMap<string, string> = new Map([
  ["timers", fromClock],
  ["node:timers", fromClock],
  ["timers/promises", fromClock],
  ["node:timers/promises", fromClock],
]);

/** Files that the rules do not hold for, and why. */
const exceptions: readonly { readonly path: RegExp; readonly reason: string }[] = [
  { path: /^packages\/core\/src\/clock\.ts$/, reason: "the one place where the real clock and real chance enter" },
  { path: /^packages\/testkit\/src\//, reason: "tests run in real time: deadlines, fault proxy, processes" },
  { path: /^packages\/[^/]+\/src\/(bin|cli)(\.ts$|\/)/, reason: "a program of its own: it owns its console and its process" },
];

/** Every breach of the rules in the published packages below `root`, as `file:line: what, and what to do instead`. */
export function checkSourceRules(root: string): readonly string[] {
  return publishedPackages(root).flatMap((workspace) => checkWorkspace(root, workspace));
}

function checkWorkspace(root: string, workspace: Workspace): readonly string[] {
  return listFiles(`${workspace.directory}/src`, ".ts").flatMap((path) => {
    const name = relative(root, path).replaceAll("\\", "/");
    if (exceptions.some((exception) => exception.path.test(name))) return [];
    const file = parseSource(path);
    return breachesIn(file).map((breach) => `${name}:${lineOf(file, breach.position)}: ${breach.text}`);
  });
}

function breachesIn(file: SourceFile): readonly { readonly position: number; readonly text: string }[] {
  const breaches: { position: number; text: string }[] = [];
  const add = (node: SyntaxNode, what: string, instead: string): void => {
    breaches.push({ position: node.start, text: `${what} is not for this place: ${instead}.` });
  };
  // `Date` in `Date.now` is reached again as a child: it is forbidden by itself only where the map says so.
  const namesOfTypes = typePositions(file.program);
  walkSyntax(file.program, (node) => {
    const name = globalName(node);
    const instead = name === undefined || namesOfTypes.has(node) ? undefined : forbiddenNames.get(name);
    if (name !== undefined && instead !== undefined) add(node, name, instead);
    if (isDateOfNow(node)) add(node, "Date without an argument", fromClock);
    const source = node.type === "ImportDeclaration" ? node.source : undefined;
    const module = isSyntaxNode(source) ? String(source.value) : "";
    const insteadOfModule = forbiddenModules.get(module);
    if (insteadOfModule !== undefined) add(node, module, insteadOfModule);
  });
  return breaches;
}

/** `a` or `a.b.c` as written, without a leading `globalThis.`; undefined for everything else. */
function globalName(node: SyntaxNode): string | undefined {
  if (node.type === "Identifier") return String(node.name);
  if (node.type !== "MemberExpression") return undefined;
  const { object, property } = node;
  const left = isSyntaxNode(object) ? globalName(object) : undefined;
  if (left === undefined || !isSyntaxNode(property)) return undefined;
  const isNamed = node.computed === true ? property.type === "Literal" : true;
  if (!isNamed) return undefined;
  const right = String(property.name ?? property.value);
  return left === "globalThis" ? right : `${left}.${right}`;
}

function isDateOfNow(node: SyntaxNode): boolean {
  if (node.type !== "NewExpression" && node.type !== "CallExpression") return false;
  const callee = node.callee;
  if (!isSyntaxNode(callee) || globalName(callee) !== "Date") return false;
  return node.type === "CallExpression" || (node.arguments as unknown[]).length === 0;
}

/** Identifiers that are no use of a global: names of properties, members, parameters of types, and what `typeof x` in a type says. */
function typePositions(program: SyntaxNode): ReadonlySet<SyntaxNode> {
  const found = new Set<SyntaxNode>();
  walkSyntax(program, (node) => {
    const own = [node.key, node.type === "MemberExpression" && node.computed !== true ? node.property : undefined];
    if (node.type === "ImportSpecifier") own.push(node.imported);
    if (node.type.startsWith("TS")) own.push(node.exprName, node.typeName, node.id);
    for (const part of own) if (isSyntaxNode(part) && (part === node.property || node.computed !== true)) found.add(part);
  });
  return found;
}
