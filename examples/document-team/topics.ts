/** What the team says to each other: topics with their payloads, and the group that each message is for. The whole conversation of the demo is on this page. */
import { type Bus, defineTopics, type TypedContext, type } from "@halyard/core";
import type { Analysis } from "./analyse.ts";
import type { DocumentKind } from "./documents.ts";

/** To the reader: find the documents of this folder. */
export interface FolderGiven {
  readonly folder: string;
  /** Put before the names of its documents in the report. */
  readonly label: string;
  /** The documents are copies that the demo damaged. */
  readonly isDamaged: boolean;
  /** Larger documents are not analysed. */
  readonly bytesMax: number;
}

/** To the coordinator: this is all that is in the folder. */
export interface FolderRead {
  readonly folder: string;
  readonly documents: number;
  /** Folders that could not be entered. */
  readonly unreadable: readonly string[];
}

/** To the analysts: analyse this document. The message carries where it is; who works on it reads it. */
export interface DocumentFound {
  readonly path: string;
  readonly name: string;
  readonly kind: DocumentKind;
  readonly bytes: number;
  readonly bytesMax: number;
  readonly isDamaged: boolean;
  /** What was done before it was redriven. */
  readonly repair?: string;
}

/**
 * To the reporter: this is what a document is like. Nothing in it depends on who analysed it and at which attempt: analysed twice, after a kill, it is the
 * same message with the same id, which a broker may then drop. Under one id another body would be refused. Who and how stands in the headers.
 */
export interface DocumentAnalysed extends Omit<DocumentFound, "path" | "bytesMax"> {
  /** Id of the `document.found` message; the same however often the document is analysed. */
  readonly documentId: string;
  readonly analysis: Analysis;
}

/** What the reporter has of it, headers included. */
export interface Result extends DocumentAnalysed {
  readonly analyst: string;
  /** The broker's hand-overs: above 1 when another analyst had it before. */
  readonly deliveries: number;
  readonly attempt: number;
}

export interface FailedDocument {
  readonly name: string;
  readonly isDamaged: boolean;
  readonly reason: string;
}

/** To the reporter: write down what you have. */
export interface ReportWanted {
  readonly folder: string;
  /** What could not be analysed. */
  readonly failed: readonly FailedDocument[];
  /** What happened on the way, a sentence each. */
  readonly events: readonly string[];
  readonly output: string;
}

/** To the coordinator. */
export interface ReportWritten {
  readonly markdown: string;
  readonly html: string;
  readonly documents: number;
}

export const topics = defineTopics({
  "folder.given": type<FolderGiven>(),
  "folder.read": type<FolderRead>(),
  "document.found.*": type<DocumentFound>(),
  "document.analysed.*": type<DocumentAnalysed>(),
  "report.wanted": type<ReportWanted>(),
  "report.written": type<ReportWritten>(),
});

export type TeamTopics = typeof topics.map;
export type TeamBus = Bus<TeamTopics>;
export type TeamContext = TypedContext<TeamTopics>;

/** Every topic belongs to one group, so that each message has exactly one addressee: the ledger asks for every one of them. */
export const groups = {
  readers: ["folder.given"],
  analysts: ["document.found.*"],
  reporters: ["document.analysed.*", "report.wanted"],
  coordinators: ["folder.read", "report.written"],
} as const;

export type GroupName = keyof typeof groups;

/** The group that gets the messages of a topic. */
export function groupOf(topic: string): GroupName {
  const found = (Object.keys(groups) as GroupName[]).find((name) => groups[name].some((pattern) => topic.startsWith(pattern.replace("*", ""))));
  if (found === undefined) throw new Error(`No group of the team listens to ${topic}.`);
  return found;
}
