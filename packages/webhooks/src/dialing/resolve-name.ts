import { Resolver } from 'node:dns/promises'
import { sleep } from '@oncekey/core'

/** Resolves a host name to the addresses that are dialled. */
export type ResolveName = (hostname: string) => Promise<readonly string[]>

/**
 * Asks the system's name servers, or the given ones. `dns.lookup` is not used: it runs in a pool of
 * four threads, so four names with a dead name server would hold up every other name. It would also
 * read `/etc/hosts`, which names internal hosts.
 */
export function nameServers(servers?: readonly string[]): ResolveName {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  if (servers !== undefined) resolver.setServers(servers)
  return async (hostname) => {
    // RFC 6761: localhost is always loopback, and name servers are never asked for it.
    if (isLocalhost(hostname)) return ['127.0.0.1']
    const questions = [resolver.resolve4(hostname), resolver.resolve6(hostname)]
    const found = await Promise.allSettled(
      questions.map((question) => Promise.race([question, graceAfter(questions, question)])),
    )
    const addresses = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
    const [v4] = found
    if (addresses.length === 0 && v4?.status === 'rejected') throw v4.reason
    return addresses
  }
}

/**
 * Resolves with no addresses shortly after the other question (IPv4 or IPv6) was answered with
 * some, because some name servers answer one of the two and drop the other. An answer that comes
 * later is not used.
 */
async function graceAfter(
  questions: readonly Promise<string[]>[],
  own: Promise<string[]>,
): Promise<string[]> {
  const others = questions.filter((question) => question !== own)
  await Promise.any(others).catch(() => new Promise(() => {}))
  await sleep(RESOLUTION_DELAY_MS)
  return []
}

/** From RFC 8305 section 8. */
const RESOLUTION_DELAY_MS = 50

export function isLocalhost(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/i.test(hostname)
}
