import type { ResolvedOptions } from '../options/options.ts'
import { openSecret } from '../sealing/sealed-secret.ts'
import { openWays } from '../sealing/sealed-ways.ts'
import { signWebhook } from '../signing/sign-webhook.ts'
import type { StoredSecret } from '../statements/secrets.ts'
import { type Exchange, send } from './send.ts'

export interface Outgoing {
  readonly endpointId: string
  readonly url: string
  readonly messageId: string
  readonly body: Uint8Array
  /** The number of the attempt; the first is 1. */
  readonly attempt: number
  /**
   * The secrets in force, the newest first. A receiver that knows any of them accepts the delivery.
   */
  readonly secrets: readonly StoredSecret[]
  /** The endpoint's own headers and certificates. */
  readonly headers: StoredSecret | null
  readonly tls: StoredSecret | null
  /** The time of the attempt, by the database's clock. */
  readonly at: Date
}

/**
 * Sends one attempt. Every attempt has the same id and bytes, but its own timestamp and signatures.
 * Rejects only if the delivery cannot be signed; then nothing was sent.
 */
export async function signAndSend(
  { endpointId, url, messageId, body, attempt, secrets, at, ...ways }: Outgoing,
  options: ResolvedOptions,
  signal?: AbortSignal,
): Promise<Exchange> {
  const own = openWays(ways, endpointId, options)
  const signed = { endpointId, messageId, body, attempt, secrets, at }
  const headers = requestHeaders(signed, own.headers, options)
  const dispatcher = own.tls === undefined ? options.dispatcher : options.dispatcherWith(own.tls)
  try {
    return await send(url, headers, body, {
      dispatcher,
      timeoutMs: options.timeoutMs,
      maxBodyBytes: options.maxResponseBytes,
      ...(signal !== undefined && { signal }),
    })
  } finally {
    if (dispatcher !== options.dispatcher) await dispatcher.destroy()
  }
}

/** The headers of one attempt. */
export function requestHeaders(
  of: Pick<Outgoing, 'endpointId' | 'messageId' | 'body' | 'attempt' | 'secrets' | 'at'>,
  own: Readonly<Record<string, string>>,
  { seal }: Pick<ResolvedOptions, 'seal'>,
): Record<string, string> {
  const { endpointId, messageId, body, attempt, secrets, at } = of
  return {
    'user-agent': 'Oncekey-Webhooks',
    ...own,
    'content-type': 'application/json',
    ...signWebhook({
      id: messageId,
      body,
      secrets: secrets.map((stored) => openSecret(stored, endpointId, seal)),
      timestamp: at,
    }),
    'x-event-id': messageId,
    // The signature does not cover this header, so a receiver may log it but must not base
    // decisions on it.
    'x-delivery-attempt': String(attempt),
  }
}
