import { openWays } from './endpoint-ways.ts'
import type { ResolvedOptions } from './options.ts'
import { openSecret } from './sealed-secret.ts'
import { type Exchange, send } from './send.ts'
import { signWebhook } from './sign-webhook.ts'
import type { StoredSecret } from './statements/claim-deliveries.ts'

export interface Outgoing {
  readonly endpointId: string
  readonly url: string
  readonly messageId: string
  readonly body: Uint8Array
  /** The first is 1. */
  readonly attempt: number
  /** In force, the newest first: a receiver who knows any of them accepts it. */
  readonly secrets: readonly StoredSecret[]
  /** The endpoint's own. */
  readonly headers: StoredSecret | null
  readonly tls: StoredSecret | null
}

/**
 * One attempt: the same id and bytes every time, its own timestamp and signatures. Rejects only where
 * it could not be signed, and then nothing was sent.
 */
export async function signAndSend(
  { endpointId, url, messageId, body, attempt, secrets, ...ways }: Outgoing,
  options: ResolvedOptions,
  signal?: AbortSignal,
): Promise<Exchange> {
  const own = openWays(ways, endpointId, options)
  const headers = {
    'user-agent': 'Oncekey-Webhooks',
    ...own.headers,
    'content-type': 'application/json',
    ...signWebhook({
      id: messageId,
      body,
      secrets: secrets.map((stored) => openSecret(stored, endpointId, options.seal)),
    }),
    'x-event-id': messageId,
    // Not signed: for a receiver's logs, not for its decisions.
    'x-delivery-attempt': String(attempt),
  }
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
