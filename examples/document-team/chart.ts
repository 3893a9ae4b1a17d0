/**
 * Bar charts as inline SVG: no script, nothing loaded from elsewhere. Colours come from the page's variables, so they follow its light and dark theme; the
 * numbers stand beside the bars, so nobody has to read a scale or tell colours apart.
 */
import { escapeHtml } from "./html.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Beside the bar. Default: the value. */
  readonly text?: string;
}

const width = 640;
const rowHeight = 26;
const labelWidth = 190;
const valueWidth = 90;
const labelCharactersMax = 26;
const columnsHeight = 180;

/** One row a bar, for things with names. */
export function rowChart(title: string, bars: readonly Bar[]): string {
  const largest = largestOf(bars);
  const rows = bars.map(({ label, value, text = String(value) }, index) => {
    const y = index * rowHeight;
    const length = (lengthOf(value) / largest) * (width - labelWidth - valueWidth);
    return [
      `<text class="label" x="${labelWidth - 8}" y="${y + 17}" text-anchor="end">${escapeHtml(shortened(label))}<title>${escapeHtml(label)}</title></text>`,
      `<rect class="bar" x="${labelWidth}" y="${y + 4}" width="${rounded(length)}" height="${rowHeight - 8}" rx="2"/>`,
      `<text class="value" x="${rounded(labelWidth + length + 6)}" y="${y + 17}">${escapeHtml(text)}</text>`,
    ].join("");
  });
  return figure(title, Math.max(rowHeight, bars.length * rowHeight), rows, summaryOf(bars));
}

/** One column a bar, for ranges in their order. */
export function columnChart(title: string, bars: readonly Bar[]): string {
  const largest = largestOf(bars);
  const step = width / Math.max(1, bars.length);
  const columns = bars.map(({ label, value, text = String(value) }, index) => {
    const height = (lengthOf(value) / largest) * (columnsHeight - 50);
    const middle = rounded(index * step + step / 2);
    const top = rounded(columnsHeight - 26 - height);
    return [
      `<rect class="bar" x="${rounded(index * step + step * 0.12)}" y="${top}" width="${rounded(step * 0.76)}" height="${rounded(height)}" rx="2"/>`,
      `<text class="value" x="${middle}" y="${rounded(top - 6)}" text-anchor="middle">${escapeHtml(text)}</text>`,
      `<text class="label" x="${middle}" y="${columnsHeight - 8}" text-anchor="middle">${escapeHtml(label)}</text>`,
    ].join("");
  });
  return figure(title, columnsHeight, columns, summaryOf(bars));
}

function figure(title: string, height: number, parts: readonly string[], summary: string): string {
  return [
    `<figure><figcaption>${escapeHtml(title)}</figcaption>`,
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${title}: ${summary}`)}">`,
    ...parts,
    "</svg></figure>",
  ].join("\n");
}

/** For those who hear the page. */
function summaryOf(bars: readonly Bar[]): string {
  return bars.length === 0 ? "nothing" : bars.map(({ label, value, text = String(value) }) => `${label} ${text}`).join(", ");
}

const lengthOf = (value: number): number => (Number.isFinite(value) && value > 0 ? value : 0);

/** Never 0: an empty chart has bars without length. */
const largestOf = (bars: readonly Bar[]): number => Math.max(1e-9, ...bars.map(({ value }) => lengthOf(value)));

const rounded = (value: number): number => Math.round(value * 10) / 10;

/** In whole characters, as people see them. */
function shortened(label: string): string {
  const characters = [...label];
  return characters.length <= labelCharactersMax ? label : `${characters.slice(0, labelCharactersMax - 1).join("")}…`;
}
