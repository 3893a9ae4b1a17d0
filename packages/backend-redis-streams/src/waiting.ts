/** A promise with its resolver outside; `Promise.withResolvers` is missing in Node 20. */
export interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
}

export function deferred(): Deferred {
  let resolve!: () => void; // assigned by the executor, which runs before the constructor returns
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
