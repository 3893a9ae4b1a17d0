/** The parts of a session that are objects of their own end with it. */
import { isHalyardError } from "@halyard/core/spi";
import { asError, lost } from "./errors.ts";

/** After the end every call rejects with `CONNECTION_LOST`, and what was running does so as well. */
export function guarded<Target extends object>(target: Target, ended: () => Error | undefined): Target {
  return new Proxy(target, {
    get: (object, name) => {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        const before = ended();
        if (before !== undefined) throw lost(before);
        try {
          return (await Reflect.apply(value, object, args)) as unknown;
        } catch (thrown) {
          if (ended() !== undefined && !isHalyardError(thrown, "CONNECTION_LOST")) throw lost(asError(thrown));
          throw thrown;
        }
      };
    },
  });
}
