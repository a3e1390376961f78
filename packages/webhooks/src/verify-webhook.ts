import { timingSafeEqual, verify } from 'node:crypto'
import { OncekeyError } from '@oncekey/core'
import { signedContent } from './signed-content.ts'
import { type ParsedSecret, parseSecret, type SigningSecret } from './signing-secret.ts'

/** What a genuine delivery says of itself. */
export interface VerifiedWebhook {
  /** The same on every attempt to deliver one event: the key to process it once by. */
  readonly id: string
  readonly timestamp: Date
}

/**
 * Checks a delivery's signature, in constant time, over the bytes that came. Throws `not-authentic`
 * if no secret fits, a header is missing, or the timestamp is further away than the tolerance.
 *
 * @example
 * ```ts
 * const { id } = verifyWebhook({ header: (name) => request.headers.get(name), body, secrets: [secret] })
 * ```
 */
export function verifyWebhook({
  header,
  body,
  secrets,
  toleranceSeconds = 300,
  now = new Date(),
}: {
  /** A header's value by its lower-case name. */
  readonly header: (name: string) => string | null | undefined
  /** As it came, not as it was parsed. */
  readonly body: string | Uint8Array
  /** `whsec_…`, `whpk_…` or `whsk_…`: all that may be in force. */
  readonly secrets: readonly SigningSecret[]
  /** How far the sender's clock and ours may be apart, delivery included. Seconds. @default 300 */
  readonly toleranceSeconds?: number
  /** @default the clock */
  readonly now?: Date
}): VerifiedWebhook {
  const id = required(header, 'webhook-id')
  // Signed is `id.timestamp.body`: with a dot in it, an id could take over a part of what follows.
  if (id.includes('.')) throw notAuthentic('webhook-id has a dot in it')
  const seconds = required(header, 'webhook-timestamp')
  const signatures = required(header, 'webhook-signature')
  if (!/^\d{1,12}$/.test(seconds)) throw notAuthentic('webhook-timestamp is not in seconds')
  const timestamp = new Date(Number(seconds) * 1000)
  if (Math.abs(now.getTime() - timestamp.getTime()) > toleranceSeconds * 1000) {
    throw notAuthentic(`webhook-timestamp is more than ${toleranceSeconds} s away`)
  }
  const content = signedContent(id, seconds, body)
  const candidates = signatures.split(' ').slice(0, MOST_SIGNATURES)
  const parsed = secrets.map(parseSecret)
  const isGenuine = candidates.some((candidate) =>
    parsed.some((secret) => fits(secret, candidate, content)),
  )
  if (!isGenuine) throw notAuthentic('no signature fits a secret')
  return { id, timestamp }
}

/** More than any rotation needs, and few enough that a forger cannot have us compute for long. */
const MOST_SIGNATURES = 20

function required(header: (name: string) => string | null | undefined, name: string): string {
  const value = header(name)
  if (typeof value !== 'string' || value === '') throw notAuthentic(`${name} is missing`)
  return value
}

function fits(secret: ParsedSecret, candidate: string, content: Uint8Array): boolean {
  const comma = candidate.indexOf(',')
  if (candidate.slice(0, comma) !== secret.version) return false
  const given = Buffer.from(candidate.slice(comma + 1), 'base64')
  if (secret.publicKey !== undefined) return verify(null, content, secret.publicKey, given)
  const expected = secret.signature?.(content)
  return expected?.length === given.length && timingSafeEqual(expected, given)
}

function notAuthentic(why: string): OncekeyError {
  return new OncekeyError('not-authentic', `This webhook is not authentic: ${why}.`)
}
