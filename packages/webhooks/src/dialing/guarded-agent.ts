import { isIP, type Socket } from 'node:net'
import { LONGEST_TIMER_MS } from '@oncekey/core'
import { Agent, buildConnector } from 'undici'
import type { AddressGuard } from './address-guard.ts'
import { dialAddresses, inTurns } from './dial-addresses.ts'
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
 * Makes an undici agent that dials only addresses that the guard allows. The name is looked up and
 * its addresses are checked for each connection, and then these are dialled, by us or by the proxy:
 * the name cannot get another address in between. If one address of a name is forbidden, the name
 * is refused.
 */
export function guardedAgent(guard: AddressGuard, options: DialOptions): Agent {
  const { resolve, proxy, tls } = options
  const connectTimeoutMs = Math.min(options.connectTimeoutMs, LONGEST_TIMER_MS)
  const overTls = buildConnector({ ...tls, timeout: connectTimeoutMs })
  return new Agent({
    // No keep-alive: a kept connection could be used after its address would no longer pass the
    // check.
    pipelining: 0,
    connect(target, callback) {
      const hostname = target.hostname.replace(/^\[|\]$/g, '')
      const port = Number(target.port || (target.protocol === 'https:' ? 443 : 80))
      connected(hostname, port).then(
        (socket) => {
          if (target.protocol === 'https:') shakeHands(target, hostname, socket, callback)
          else if (socket.readableLength > 0) callback(spokeFirst(socket), null)
          else callback(null, socket)
        },
        (error) => callback(error, null),
      )
    },
  })

  function shakeHands(
    target: buildConnector.Options,
    hostname: string,
    httpSocket: Socket,
    callback: buildConnector.Callback,
  ): void {
    try {
      overTls({ ...target, ...nameOf(hostname), httpSocket }, callback)
    } catch (error) {
      // Certificates that Node does not take: it says so before it begins.
      httpSocket.destroy()
      callback(error as Error, null)
    }
  }

  async function connected(hostname: string, port: number): Promise<Socket> {
    if (isIP(hostname)) guard(hostname)
    if (proxy?.resolves) return openTunnel(proxy, [hostname], port)
    const addresses = isIP(hostname) ? [hostname] : await addressesOf(hostname)
    return proxy === undefined
      ? dialAddresses(addresses, port, connectTimeoutMs)
      : openTunnel(proxy, addresses, port)
  }

  async function addressesOf(hostname: string): Promise<string[]> {
    const addresses = await resolve(hostname)
    if (addresses.length === 0) {
      throw Object.assign(new Error(`"${hostname}" has no address.`), { code: 'ENOTFOUND' })
    }
    addresses.forEach(guard)
    return inTurns(addresses)
  }
}

/**
 * What the handshake names (SNI). A name may be written with a dot at its end, which has no place
 * there (RFC 6066 section 3), and of which some servers hang up.
 */
function nameOf(hostname: string): { readonly servername?: string } {
  return isIP(hostname) ? {} : { servername: hostname.replace(/\.$/, '') }
}

/**
 * The error for bytes that are there before the request was sent. They cannot be an answer. undici
 * would treat them as one, drop the connection, and open another for the waiting request, over and
 * over.
 */
function spokeFirst(socket: Socket): Error {
  socket.destroy()
  const message = 'The receiver, or the egress proxy, sent bytes before the request.'
  return Object.assign(new Error(message), { code: 'spoke-first' })
}
