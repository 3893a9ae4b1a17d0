/** Where the broker is and who we are: the URL, or the URLs of a cluster's nodes, and options beside them that say more. What contradicts is refused. */
import { agreed, type ClientTls, invalidOption } from "@halyard/core/spi";
import type { AmqpOptions } from "./options.ts";

export interface Place {
  /** Tried in turn at each connecting, beginning with any: one where there is no cluster. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly vhost: string;
  readonly user: string;
  readonly password: string;
  /** `external`: the broker takes the user from our certificate. */
  readonly authMechanism: "plain" | "external";
  readonly tls: ClientTls | undefined;
}

/** Options, and what each URL says in the words of options. */
export interface Said {
  readonly options: AmqpOptions;
  readonly urls: readonly AmqpOptions[];
}

/**
 * What holds for all nodes: some may say it, but nobody otherwise.
 *
 * @throws INVALID_OPTIONS
 */
export function saidByAll<Name extends keyof AmqpOptions>(name: Name, { options, urls }: Said): AmqpOptions[Name] | undefined {
  const [first, ...others] = urls.map((url) => url[name]).filter((value) => value !== undefined);
  if (others.some((other) => other !== first)) throw invalidOption(name, "differs between the urls: say it once");
  return agreed<AmqpOptions[Name]>(name, first, options[name]);
}

/** @throws INVALID_OPTIONS */
export function placeOf(said: Said): Place {
  const tls = tlsOf(said);
  const authMechanism = saidByAll("authMechanism", said) ?? "plain";
  if (authMechanism === "external" && (tls?.cert === undefined || tls.key === undefined) && tls?.pfx === undefined)
    throw invalidOption("authMechanism", '"external" needs the certificate that says who we are: give tls.cert and tls.key, or tls.pfx');
  return {
    nodes: nodesOf(said, tls === undefined ? 5_672 : 5_671),
    vhost: saidByAll("vhost", said) ?? "/",
    user: saidByAll("user", said) ?? "guest",
    password: saidByAll("password", said) ?? "guest",
    authMechanism,
    tls,
  };
}

function nodesOf({ options, urls }: Said, portDefault: number): Place["nodes"] {
  if (options.urls !== undefined && options.host !== undefined) throw invalidOption("host", "cannot be combined with urls, which say all hosts");
  return (urls.length === 0 ? [options] : urls).map(({ host, port }) => ({
    host: agreed("host", host, options.host) ?? "127.0.0.1",
    port: agreed("port", port, options.port) ?? portDefault,
  }));
}

function tlsOf({ options: { tls }, urls }: Said): ClientTls | undefined {
  const isSaid = urls.some((url) => url.tls === true);
  if (isSaid && urls.some((url) => url.tls === undefined)) throw invalidOption("urls", "must all begin with amqps: or all with amqp:");
  if (isSaid && tls === false) throw invalidOption("tls", "is said otherwise by the url, which begins with amqps:");
  if (tls === undefined || typeof tls === "boolean") return isSaid || tls === true ? {} : undefined;
  return tls;
}
