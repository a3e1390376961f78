import { Resolver } from 'node:dns/promises'

/** How a host name becomes the addresses that are dialled. */
export type ResolveName = (hostname: string) => Promise<readonly string[]>

/**
 * Asks the name servers, as the system is configured to. Not `dns.lookup`: that waits in a pool of
 * four threads, so that four names with a dead name server would hold up every other. It also reads
 * `/etc/hosts`, which names what is inside.
 */
export function nameServers(): ResolveName {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  return async (hostname) => {
    // RFC 6761: never asked about, and always this.
    if (isLocalhost(hostname)) return ['127.0.0.1']
    const found = await Promise.allSettled([
      resolver.resolve4(hostname),
      resolver.resolve6(hostname),
    ])
    const addresses = found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))
    const [v4] = found
    if (addresses.length === 0 && v4.status === 'rejected') throw v4.reason
    return addresses
  }
}

export function isLocalhost(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/i.test(hostname)
}
