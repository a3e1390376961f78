import { OncekeyError, OptionsError } from '@oncekey/core'
import { signedContent } from './signed-content.ts'
import { parseSecret, type SigningSecret } from './signing-secret.ts'

/** The three headers of the Standard Webhooks specification. */
export interface WebhookHeaders {
  readonly 'webhook-id': string
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

/**
 * Signs one delivery with every secret in force, so that a receiver who knows only the old or only
 * the new secret accepts it during a rotation.
 *
 * `id` is that of the event and the same on every attempt; `timestamp` is the time of the attempt.
 *
 * @example
 * ```ts
 * const body = JSON.stringify(event)
 * const headers = signWebhook({ id: event.id, body, secrets: [secret] })
 * await fetch(url, { method: 'POST', body, headers })
 * ```
 */
export function signWebhook({
  id,
  body,
  secrets,
  timestamp = new Date(),
}: {
  readonly id: string
  /** The body exactly as it is sent. */
  readonly body: string | Uint8Array
  /** `whsec_…` or `whsk_…`; the newest first. */
  readonly secrets: readonly SigningSecret[]
  /** @default now */
  readonly timestamp?: Date
}): WebhookHeaders {
  // The signed text joins id, timestamp and body by dots, so a dot in the id would make it
  // ambiguous.
  if (!/^[\x21-\x2d\x2f-\x7e]{1,255}$/.test(id)) {
    throw new OncekeyError(
      'event-invalid',
      'A webhook id is 1 to 255 printable ASCII characters without spaces and dots.',
    )
  }
  if (secrets.length === 0)
    throw new OptionsError('secrets is empty: give at least one secret to sign with.')
  const seconds = Math.floor(timestamp.getTime() / 1000)
  if (Number.isNaN(seconds))
    throw new OptionsError('timestamp is an invalid Date: pass a valid one, or leave it out.')
  const content = signedContent(id, seconds, body)
  const signatures = secrets.map((secret) => {
    const { version, signature } = parseSecret(secret)
    if (signature === undefined) {
      throw new OptionsError('A public key (`whpk_`) cannot sign: use its private half (`whsk_`).')
    }
    return `${version},${signature(content).toString('base64')}`
  })
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatures.join(' '),
  }
}
