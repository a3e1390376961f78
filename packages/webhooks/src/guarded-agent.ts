import { isIP, type LookupFunction } from 'node:net'
import { LONGEST_TIMER_MS } from '@oncekey/core'
import { Agent, buildConnector } from 'undici'
import type { AddressGuard } from './address-guard.ts'
import type { ResolveName } from './resolve-name.ts'

/**
 * An undici agent that dials guarded addresses only. The address that is checked is the one that is
 * dialled: the check sits in the connection's own look-up, so a name cannot change in between, and a
 * name of which one address is forbidden is refused altogether.
 */
export function guardedAgent(
  guard: AddressGuard,
  options: { readonly connectTimeoutMs: number; readonly resolve: ResolveName },
): Agent {
  const connect = buildConnector({
    timeout: Math.min(options.connectTimeoutMs, LONGEST_TIMER_MS),
    lookup: guardedLookup(guard, options.resolve),
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

function guardedLookup(guard: AddressGuard, resolve: ResolveName): LookupFunction {
  return (hostname, { all }, callback) => {
    guardedAddresses(hostname, guard, resolve).then(
      (addresses) => {
        const [first] = addresses
        if (all) callback(null, addresses)
        else callback(null, first?.address ?? '', first?.family)
      },
      (error) => callback(error, '', 0),
    )
  }
}

async function guardedAddresses(
  hostname: string,
  guard: AddressGuard,
  resolve: ResolveName,
): Promise<{ address: string; family: number }[]> {
  const addresses = await resolve(hostname)
  if (addresses.length === 0) {
    throw Object.assign(new Error(`"${hostname}" has no address.`), { code: 'ENOTFOUND' })
  }
  addresses.forEach(guard)
  return addresses.map((address) => ({ address, family: isIP(address) }))
}
