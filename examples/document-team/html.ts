/** Any text as HTML text or attribute value. Control characters that HTML forbids become a visible sign; names of files may hold them. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cs}]/gu, (character) => (character === "\n" || character === "\t" ? " " : "\u{fffd}"))
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
