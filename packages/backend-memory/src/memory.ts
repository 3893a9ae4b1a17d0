import { type Backend, type Capabilities, HalyardError } from "@halyard/core/spi";
import { priorityLevels } from "./hub/queue.ts";
import { HubDriver } from "./hub-driver.ts";
import { type MemoryOptions, type MemorySettings, settingsOf } from "./options.ts";
import { MemorySession } from "./session.ts";

/** What `memory()` returns: a backend that also says how much it holds, over all its namespaces. */
export interface MemoryBackend extends Backend {
  /** Copies that wait, are delayed, in flight or dead, and the bytes of their bodies and headers. For a server that must know whether it may go. */
  held(): { readonly messages: number; readonly bytes: number };
}

/**
 * The backend inside this process: a hub per namespace, kept in the returned object. Buses that are given the same object share messages; each
 * call makes a world of its own. What it holds ends with the process.
 *
 * @example
 * const bus = await createBus({ backend: memory({ fidelity: "reference" }) });
 *
 * @throws INVALID_OPTIONS
 */
export function memory(options: MemoryOptions = {}): MemoryBackend {
  const settings = settingsOf(options);
  const capabilities = capabilitiesOf(settings);
  const drivers = new Map<string, HubDriver>();
  return {
    specVersion: 1,
    name: "memory",
    held() {
      let [messages, bytes] = [0, 0];
      for (const { hub } of drivers.values()) {
        messages += hub.stored.messages;
        bytes += hub.stored.bytes;
      }
      return { messages, bytes };
    },
    async connect(host, signal) {
      if (signal.aborted) throw new HalyardError("ABORTED", "The caller's signal aborted.", { cause: signal.reason });
      const { namespace } = host;
      const driver = drivers.get(namespace) ?? new HubDriver(settings, host);
      drivers.set(namespace, driver);
      return new MemorySession(driver, host, capabilities, () => {
        // A hub that holds nothing is made again when it is wanted; namespaces that come and go leave nothing behind.
        if (!driver.isUsed && driver.hub.isEmpty) drivers.delete(namespace);
      });
    },
  };
}

function capabilitiesOf(settings: MemorySettings): Capabilities {
  const hasHistory = settings.history !== false;
  return {
    durable: false,
    dedupMs: settings.dedupMs,
    orderedTopics: true,
    exclusive: true,
    priorityLevels,
    delayMsMax: Number.MAX_SAFE_INTEGER,
    // Timers come late on a busy process, not later for longer delays.
    delayLateness: { ratio: 0, floorMs: 250 },
    countsDeliveries: true,
    handlerMsMax: undefined,
    startsAt: { earliest: hasHistory, time: hasHistory },
    bodyBytesMax: settings.bodyBytesMax,
    carriesValues: settings.carriesValues,
    persistentByMessage: false,
  };
}
