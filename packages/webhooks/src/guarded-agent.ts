import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import type { AddressGuard } from './address-guard.ts'

/** How a name becomes addresses: `dns.lookup`, with all of them. */
export type Resolve = (
  hostname: string,
  callback: (error: Error | null, addresses: LookupAddress[]) => void,
) => void

/**
 * An undici agent that dials guarded addresses only. The address that is checked is the one that is
 * dialled: the check sits in the connection's own look-up, so a name cannot change in between, and a
 * name of which one address is forbidden is refused altogether.
 */
export function guardedAgent(
  guard: AddressGuard,
  options: { readonly connectTimeoutMs: number; readonly resolve?: Resolve },
): Agent {
  const connect = buildConnector({
    timeout: options.connectTimeoutMs,
    lookup: guardedLookup(guard, options.resolve ?? resolveAll),
  })
  return new Agent({
    // A connection that is kept would outlive what was checked.
    pipelining: 0,
    connect(target, callback) {
      // For a literal address there is no look-up.
      const hostname = target.hostname.replace(/^\[|\]$/g, '')
      try {
        if (isIP(hostname)) guard(hostname)
      } catch (error) {
        callback(error as Error, null)
        return
      }
      connect(target, callback)
    },
  })
}

function guardedLookup(guard: AddressGuard, resolve: Resolve): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname, (error, addresses) => {
      const failure = error ?? firstForbidden(guard, addresses)
      if (failure) return callback(failure, '', 0)
      const [first] = addresses
      if (all) callback(null, addresses)
      else callback(null, first?.address ?? '', first?.family)
    })
  }
}

function firstForbidden(guard: AddressGuard, addresses: readonly LookupAddress[]): Error | null {
  try {
    for (const { address } of addresses) guard(address)
    return null
  } catch (error) {
    return error as Error
  }
}

function resolveAll(hostname: string, callback: Parameters<Resolve>[1]): void {
  dnsLookup(hostname, { all: true, verbatim: true }, callback)
}
