import { Resolver } from 'node:dns/promises'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { sleep } from '@oncekey/core'

/** Resolves a host name to the addresses that are dialled. */
export type ResolveName = (hostname: string) => Promise<readonly string[]>

/**
 * Asks the system's name servers, or the given ones. `dns.lookup` is not used, because it waits in
 * a pool of four threads, where four names with a dead name server would hold up every other name.
 * It also reads `/etc/hosts`, which names internal hosts.
 *
 * What `dns.lookup` does and a `Resolver` does not: a server that says that it cannot answer is not
 * the last that is asked, and after a failure the system is asked anew which servers there are,
 * because they change while a process runs.
 */
export function nameServers(
  servers?: readonly string[] | (() => readonly string[]),
  kinds: () => DialableKinds = dialableKinds,
): ResolveName {
  const given = typeof servers === 'function' ? servers : servers && (() => servers)
  let resolver = newResolver(given?.())
  return async (hostname) => {
    // RFC 6761: localhost is always loopback, and name servers are never asked for it.
    if (isLocalhost(hostname)) return ['127.0.0.1']
    const asked = resolver
    try {
      return await fromAny(asked, hostname, kinds)
    } catch (error) {
      if (isAnswer(error)) throw error
      const anew = newResolver(given?.())
      if (resolver === asked) resolver = anew
      if (String(anew.getServers()) === String(asked.getServers())) throw error
      return await fromAny(anew, hostname, kinds)
    }
  }
}

function newResolver(servers?: readonly string[]): Resolver {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  if (servers !== undefined) resolver.setServers(servers)
  return resolver
}

/** The next server is asked by the resolver itself only if the one before does not reply at all. */
async function fromAny(
  resolver: Resolver,
  hostname: string,
  kinds: () => DialableKinds,
): Promise<string[]> {
  try {
    return await addressesFrom(resolver, hostname, kinds)
  } catch (error) {
    if (!CANNOT_ANSWER.has(codeOf(error))) throw error
    for (const server of resolver.getServers().slice(1)) {
      try {
        return await addressesFrom(newResolver([server]), hostname, kinds)
      } catch (another) {
        if (isAnswer(another)) throw another
      }
    }
    throw error
  }
}

async function addressesFrom(
  resolver: Resolver,
  hostname: string,
  kinds: () => DialableKinds,
): Promise<string[]> {
  const ipv4 = resolver.resolve4(hostname)
  const ipv6 = resolver.resolve6(hostname)
  const found = await Promise.allSettled([
    Promise.race([ipv4, graceAfter(ipv6, () => kinds().ipv6)]),
    Promise.race([ipv6, graceAfter(ipv4, () => kinds().ipv4)]),
  ])
  const addresses = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
  if (addresses.length > 0) return addresses
  const failures = found.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  // That there is no address of one kind says nothing where the other kind was not answered.
  const failure = failures.find((each) => !isAnswer(each)) ?? failures[0]
  if (failure !== undefined) throw failure
  return []
}

/** Whether a server has answered, which the next one would do in the same way. */
export function isAnswer(error: unknown): boolean {
  return codeOf(error) === 'ENOTFOUND' || codeOf(error) === 'ENODATA'
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code)
}

/** A server replied, but not to the question. */
const CANNOT_ANSWER = new Set(['ESERVFAIL', 'EREFUSED', 'ENOTIMP', 'EFORMERR', 'EBADRESP'])

/**
 * Resolves with no addresses shortly after the other question (IPv4 or IPv6) was answered with
 * some, because some name servers answer one of the two and drop the other. An answer that comes
 * later is not used. If this host can dial none of the other's addresses, it waits on: the answer
 * to one question may be seconds later than that to the other.
 */
async function graceAfter(other: Promise<string[]>, isDialable: () => boolean): Promise<string[]> {
  const isAnswered = await other.then(isDialable, () => false)
  if (!isAnswered) return new Promise(() => {})
  await sleep(RESOLUTION_DELAY_MS)
  return []
}

/** From RFC 8305 section 8. */
const RESOLUTION_DELAY_MS = 50

export function isLocalhost(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/i.test(hostname)
}

/** Which kinds of addresses this host can dial. */
export interface DialableKinds {
  readonly ipv4: boolean
  readonly ipv6: boolean
}

/**
 * Those of which it has an address itself, besides loopback and link-local ones. If there are none
 * to be seen, both.
 */
export function dialableKinds(list: typeof networkInterfaces = networkInterfaces): DialableKinds {
  const own = interfacesOf(list).filter(
    ({ internal, address }) => !internal && !/^(?:fe[89ab].:|169\.254\.)/i.test(address),
  )
  const has = (family: string) => own.length === 0 || own.some((each) => each.family === family)
  return { ipv4: has('IPv4'), ipv6: has('IPv6') }
}

/** Some systems refuse to list them. */
function interfacesOf(list: typeof networkInterfaces): NetworkInterfaceInfo[] {
  try {
    return Object.values(list()).flatMap((each) => each ?? [])
  } catch {
    return []
  }
}
