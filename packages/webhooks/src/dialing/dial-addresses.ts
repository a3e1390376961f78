import { connect, isIPv6, type Socket } from 'node:net'
import { errors } from 'undici'
import { firstConnected } from './first-connected.ts'
import { LOCAL_LIMITS } from './local-limits.ts'

/**
 * Opens a TCP connection to one of a name's addresses. If none is connected after `limitMs`, the
 * error is the one of undici.
 */
export function dialAddresses(
  addresses: readonly string[],
  port: number,
  limitMs: number,
): Promise<Socket> {
  return firstConnected(addresses, {
    delayMs: ATTEMPT_DELAY_MS,
    limitMs,
    connect: (address, signal) => dial(address, port, signal),
    isCommon: (error) => LOCAL_LIMITS.has(String((error as { code?: unknown }).code)),
    late: () => new errors.ConnectTimeoutError(`No connection within ${limitMs} ms.`),
  })
}

/**
 * The addresses in the order in which they are dialled: IPv4 and IPv6 in turns, beginning with the
 * kind of the first, so that a host that has only one of them does not try all of the other before
 * (RFC 8305 section 4). A name may have any number of addresses, and each is a connection.
 */
export function inTurns(addresses: readonly string[]): string[] {
  const first = addresses.filter((address) => isIPv6(address) === isIPv6(addresses[0] ?? ''))
  const others = addresses.filter((address) => !first.includes(address))
  const longest = Math.max(first.length, others.length)
  return Array.from({ length: longest }, (_, at) => [first[at], others[at]])
    .flat()
    .filter((address) => address !== undefined)
    .slice(0, MOST)
}

function dial(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: address,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    })
    const abort = (): void => {
      socket.destroy(signal.reason)
    }
    signal.addEventListener('abort', abort)
    socket.on('error', reject).once('connect', () => {
      // From here on it belongs to whoever gets it.
      signal.removeEventListener('abort', abort)
      resolve(socket)
    })
  })
}

/** From RFC 8305 section 8. */
const ATTEMPT_DELAY_MS = 250
const MOST = 8
const KEEP_ALIVE_MS = 60_000
