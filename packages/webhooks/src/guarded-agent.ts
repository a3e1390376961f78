import { isIP, type LookupFunction } from 'node:net'
import { LONGEST_TIMER_MS } from '@oncekey/core'
import { Agent, buildConnector } from 'undici'
import type { AddressGuard } from './address-guard.ts'
import { type EgressProxy, openTunnel } from './egress-proxy.ts'
import type { EndpointTls } from './endpoint-tls.ts'
import type { ResolveName } from './resolve-name.ts'

export interface DialOptions {
  readonly connectTimeoutMs: number
  readonly resolve: ResolveName
  /** An endpoint's own CA or client certificate. */
  readonly tls?: EndpointTls
  /** What every connection goes through. */
  readonly proxy?: EgressProxy | undefined
}

/**
 * An undici agent that dials guarded addresses only. The address that is checked is the one that is
 * dialled, by us or by the proxy: the check sits in the connection's own look-up, so a name cannot change
 * in between, and a name of which one address is forbidden is refused altogether.
 */
export function guardedAgent(guard: AddressGuard, options: DialOptions): Agent {
  const { resolve, proxy, tls } = options
  const connect = buildConnector({
    ...tls,
    timeout: Math.min(options.connectTimeoutMs, LONGEST_TIMER_MS),
    lookup: guardedLookup(guard, resolve),
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
      if (proxy === undefined) {
        connect(target, callback)
        return
      }
      const port = Number(target.port || (target.protocol === 'https:' ? 443 : 80))
      throughProxy(proxy, hostname, port).then(
        (socket) => {
          if (target.protocol === 'https:') connect({ ...target, httpSocket: socket }, callback)
          else callback(null, socket)
        },
        (error) => callback(error, null),
      )
    },
  })

  async function throughProxy(by: EgressProxy, hostname: string, port: number) {
    if (isIP(hostname) || by.resolves) return openTunnel(by, [hostname], port)
    const addresses = await guardedAddresses(hostname, guard, resolve)
    return openTunnel(
      by,
      addresses.map(({ address }) => address),
      port,
    )
  }
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
