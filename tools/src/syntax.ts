/**
 * Reads TypeScript sources as syntax trees, so that the checks see code and never text inside comments and strings.
 * The parser is Oxc: Node cannot read TypeScript by itself, and the compiler's own interface is still marked unstable.
 */
import { readFileSync } from "node:fs";
import { parseSync } from "oxc-parser";

/** A node of an ESTree syntax tree; what else it holds depends on its type. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

/** A parsed source file. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly program: SyntaxNode;
}

/** One `import`, `export … from`, `import()` or `import("…")` type of a source file. */
export interface ModuleImport {
  readonly specifier: string;
  readonly line: number;
  /** Erased by the compiler: nothing is loaded at run time. */
  readonly isTypeOnly: boolean;
}

/** Parses a file. Throws when it is no valid TypeScript. */
export function parseSource(path: string): SourceFile {
  const text = readFileSync(path, "utf8");
  const result = parseSync(path, text);
  const [error] = result.errors;
  if (error) throw new Error(`${path} does not parse: ${error.message}`);
  const program: unknown = result.program;
  if (!isSyntaxNode(program)) throw new Error(`${path} was parsed into something that is no syntax tree; the parser changed.`);
  return { path, text, program };
}

/** Calls `visit` for every node of the tree, parents before children. */
export function walkSyntax(tree: SyntaxNode, visit: (node: SyntaxNode) => void): void {
  const open: SyntaxNode[] = [tree];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    visit(node);
    const children = Object.values(node).flat().filter(isSyntaxNode);
    // The last one pushed is visited next, so the children go in backwards to come out in the order of the text.
    open.push(...children.reverse());
  }
}

/** Whether a value found in a tree is a node of it. */
export function isSyntaxNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "start" in value;
}

/** The line of a position in the file, starting at 1. */
export function lineOf(file: SourceFile, position: number): number {
  return file.text.slice(0, position).split("\n").length;
}

/** Everything the file takes from other modules, in the order of the text. */
export function importsOf(file: SourceFile): readonly ModuleImport[] {
  const imports: ModuleImport[] = [];
  walkSyntax(file.program, (node) => {
    const specifier = moduleSpecifier(node);
    if (specifier !== undefined) imports.push({ specifier, line: lineOf(file, node.start), isTypeOnly: isErased(node) });
  });
  return imports;
}

function moduleSpecifier(node: SyntaxNode): string | undefined {
  if (!/^(ImportDeclaration|ExportNamedDeclaration|ExportAllDeclaration|ImportExpression|TSImportType)$/.test(node.type)) return undefined;
  const source = node.source ?? node.argument;
  if (!isSyntaxNode(source)) return undefined;
  const literal = isSyntaxNode(source.literal) ? source.literal : source;
  return typeof literal.value === "string" ? literal.value : undefined;
}

function isErased(node: SyntaxNode): boolean {
  if (node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type") return true;
  const specifiers = node.specifiers;
  if (!Array.isArray(specifiers) || specifiers.length === 0) return false;
  return specifiers.every((specifier: SyntaxNode) => specifier.importKind === "type" || specifier.exportKind === "type");
}
