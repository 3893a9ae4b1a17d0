/**
 * Asks a RabbitMQ node whether it serves, over AMQP 0-9-1 as far as `connection.open-ok`: then the user is let in and the virtual host is up. The
 * listener alone says less: after a crash a virtual host may still be recovering.
 */
import { type Line, type LineTls, openLine } from "./line.ts";

export interface AmqpAccess {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly vhost: string;
  readonly tls?: LineTls | undefined;
}

const protocolHeader = Buffer.from("AMQP\x00\x00\x09\x01", "latin1");
const frameEnd = 0xce;
const methods = { start: 10, startOk: 11, tune: 30, tuneOk: 31, open: 40, openOk: 41, close: 50 } as const;

/** Resolves with the broker's version. */
export async function probeAmqp({ port, user, password, vhost, tls }: AmqpAccess): Promise<string> {
  const line = await openLine(port, tls);
  try {
    line.write(protocolHeader);
    const start = await readMethod(line, methods.start);
    const noTable = Buffer.alloc(4);
    line.write(frame(methods.startOk, noTable, shortText("PLAIN"), longText(`\0${user}\0${password}`), shortText("en_US")));
    const limits = await readMethod(line, methods.tune);
    line.write(frame(methods.tuneOk, limits.subarray(4, 12)));
    line.write(frame(methods.open, shortText(vhost), shortText(""), Buffer.alloc(1)));
    await readMethod(line, methods.openOk);
    return /versionS....([0-9][0-9A-Za-z.+-]*)/s.exec(start.toString("latin1"))?.[1] ?? "unknown";
  } finally {
    line.close();
  }
}

/** The method's class, number and arguments. Rejects for any other, with the text of a `connection.close`. */
async function readMethod(line: Line, wanted: number): Promise<Buffer> {
  const bytes = await line.read((received) => received.length >= 8 && received.length >= received.readUInt32BE(3) + 8);
  const method = bytes.readUInt16BE(9);
  if (method === wanted) return bytes.subarray(7, -1);
  throw new Error(method === methods.close ? `the broker closed: ${bytes.subarray(14, 14 + bytes.readUInt8(13)).toString()}` : `unexpected method ${method}`);
}

function frame(method: number, ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.from([0, 10, 0, method]);
  const payload = Buffer.concat([head, ...parts]);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(payload.length);
  return Buffer.concat([Buffer.from([1, 0, 0]), size, payload, Buffer.from([frameEnd])]);
}

const shortText = (text: string): Buffer => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);

function longText(text: string): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([size, Buffer.from(text)]);
}
