import { isIP, type LookupFunction, type Socket } from 'node:net'
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
  /** The proxy that every connection goes through. */
  readonly proxy?: EgressProxy | undefined
}

/**
 * Makes an undici agent that dials only addresses that the guard allows. The check is part of the
 * connection's own name lookup, so the address that is dialled, by us or by the proxy, is the one
 * that was checked, and the name cannot get another address in between. If one address of a name is
 * forbidden, the name is refused.
 */
export function guardedAgent(guard: AddressGuard, options: DialOptions): Agent {
  const { resolve, proxy, tls } = options
  const connect = buildConnector({
    ...tls,
    timeout: Math.min(options.connectTimeoutMs, LONGEST_TIMER_MS),
    lookup: guardedLookup(guard, resolve),
  })
  return new Agent({
    // No keep-alive: a kept connection could be used after its address would no longer pass the
    // check.
    pipelining: 0,
    connect(target, callback) {
      // A literal address has no lookup, so it is checked here.
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
          else if (socket.readableLength > 0) callback(spokeFirst(socket), null)
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

/**
 * The error for bytes that come through the tunnel before the request was sent. They cannot be an
 * answer. undici would treat them as one, drop the connection, and open another for the waiting
 * request, over and over.
 */
function spokeFirst(socket: Socket): Error {
  socket.destroy()
  const message = 'The receiver, or the egress proxy, sent bytes before the request.'
  return Object.assign(new Error(message), { code: 'spoke-first' })
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
