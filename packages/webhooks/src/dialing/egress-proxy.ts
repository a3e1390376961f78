import { isIPv6, type Socket } from 'node:net'
import { LONGEST_TIMER_MS, OncekeyError, OptionsError } from '@oncekey/core'
import { Client } from 'undici'
import { firstConnected } from './first-connected.ts'

export interface EgressProxy {
  readonly url: URL
  /**
   * Whether the proxy is given the name, resolves it itself and is trusted to refuse internal
   * addresses.
   */
  readonly resolves: boolean
  readonly connectTimeoutMs: number
  /** The limit for opening the tunnel, all addresses included. Milliseconds. */
  readonly timeoutMs: number
}

/**
 * Asks the proxy to connect to one of the addresses, and to the next if it has refused one or not
 * answered for a second (CONNECT, RFC 9110 section 9.3.6). Throws `proxy-unavailable` if the proxy
 * itself fails, and `proxy-refused` if the proxy answers but does not reach the endpoint.
 */
export function openTunnel(
  proxy: EgressProxy,
  hosts: readonly string[],
  port: number,
): Promise<Socket> {
  return firstConnected(hosts, {
    delayMs: ATTEMPT_DELAY_MS,
    limitMs: proxy.timeoutMs,
    connect: (host, signal) =>
      tunnelTo(proxy, `${isIPv6(host) ? `[${host}]` : host}:${port}`, signal),
    late: () => unavailable('it did not answer in time'),
    isCommon: (error) => (error as { code?: unknown }).code !== 'proxy-refused',
  })
}

async function tunnelTo(
  proxy: EgressProxy,
  authority: string,
  signal: AbortSignal,
): Promise<Socket> {
  const client = new Client(proxy.url.origin, {
    connect: { timeout: Math.min(proxy.connectTimeoutMs, LONGEST_TIMER_MS) },
    // The signal limits this time instead.
    headersTimeout: 0,
  })
  try {
    const { statusCode, socket } = await client.connect({
      path: authority,
      signal,
      headers: { host: authority, ...credentials(proxy.url) },
    })
    if (statusCode === 200) return socket as Socket
    socket.on('error', () => {}).destroy()
    if (statusCode === 407) throw unavailable('it refused the user name and password')
    throw new OncekeyError(
      'proxy-refused',
      `The egress proxy answered ${statusCode} to CONNECT ${authority}.`,
    )
  } catch (error) {
    await client.destroy()
    if (error instanceof OncekeyError) throw error
    throw unavailable((error as Error).message, error)
  }
}

function credentials({ username, password }: URL): Record<string, string> {
  if (username === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` }
}

function unavailable(why: string, cause?: unknown): OncekeyError {
  return new OncekeyError('proxy-unavailable', `The egress proxy cannot be used: ${why}.`, {
    cause,
  })
}

/** Validates the option `proxy`. Throws an `OptionsError` that says what to write instead. */
export function resolveProxy(
  proxy: string | { readonly url: string; readonly resolves?: boolean } | undefined,
  timeoutMs: number,
): EgressProxy | undefined {
  if (proxy === undefined) return undefined
  const { url: text, resolves = false } = typeof proxy === 'string' ? { url: proxy } : proxy
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new OptionsError("proxy must be a URL such as 'http://proxy.internal:3128'.")
  }
  if (typeof resolves !== 'boolean') throw new OptionsError('proxy.resolves must be true or false.')
  return {
    url,
    resolves,
    // Shorter than the limit of the exchange, so that an unreachable proxy does not count as a
    // failure of the endpoint.
    connectTimeoutMs: Math.max(1, Math.floor(timeoutMs / 2)),
    // Longer than it: a proxy that says nothing may be waiting for the endpoint.
    timeoutMs: timeoutMs + AFTER_EXCHANGE_MS,
  }
}

/** How long a connection may be dialled after its exchange is over. Milliseconds. */
export const AFTER_EXCHANGE_MS = 1_000

/** Longer than for a connection of our own: a proxy tells of refusals by itself. */
const ATTEMPT_DELAY_MS = 1_000
