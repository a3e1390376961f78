import { timingSafeEqual, verify } from 'node:crypto'
import { OncekeyError, OptionsError } from '@oncekey/core'
import { signedContent } from './signed-content.ts'
import { type ParsedSecret, parseSendersSecret, type SigningSecret } from './signing-secret.ts'

/** The signed facts of an authentic delivery. */
export interface VerifiedWebhook {
  /** The event's id, the same on every attempt. Use it as the key to process the event once. */
  readonly id: string
  readonly timestamp: Date
}

/**
 * Checks a delivery's signature over the bytes received, in constant time. Throws `not-authentic`
 * if no secret fits, a header is missing, or the timestamp is outside the tolerance. Throws an
 * `OptionsError` that says what to write instead if secrets, body, tolerance or clock are unusable.
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
  /** The body as the bytes that were received, before any parser changed them. */
  readonly body: string | Uint8Array
  /** Every secret that may be in force: `whsec_…`, `whpk_…` or `whsk_…`. */
  readonly secrets: readonly SigningSecret[]
  /** How far the time in a delivery may be from this host's clock. Seconds. @default 300 */
  readonly toleranceSeconds?: number
  /** @default the present time */
  readonly now?: Date
}): VerifiedWebhook {
  checkTolerance(toleranceSeconds)
  if (Number.isNaN(now.getTime()))
    throw new OptionsError('now is an invalid Date: pass a valid one, or leave it out.')
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionsError('secrets is missing: write `secrets: [process.env.WEBHOOK_SECRET]`.')
  }
  const parsed = secrets.map(parseSendersSecret)
  const id = required(header, 'webhook-id')
  // The signed text is `id.timestamp.body`, so a dot in the id would make it ambiguous.
  if (id.includes('.')) throw notAuthentic('webhook-id has a dot in it')
  const seconds = required(header, 'webhook-timestamp')
  const signatures = required(header, 'webhook-signature')
  if (!/^\d{1,12}$/.test(seconds)) throw notAuthentic('webhook-timestamp is not in seconds')
  const timestamp = new Date(Number(seconds) * 1000)
  if (!(Math.abs(now.getTime() - timestamp.getTime()) <= toleranceSeconds * 1000)) {
    throw notAuthentic(`webhook-timestamp is more than ${toleranceSeconds} s away`)
  }
  const content = signedContent(id, seconds, body)
  const candidates = signatures.split(' ').slice(0, MOST_SIGNATURES)
  const isGenuine = candidates.some((candidate) =>
    parsed.some((secret) => fits(secret, candidate, content)),
  )
  if (!isGenuine) throw notAuthentic('no signature fits a secret')
  return { id, timestamp }
}

/**
 * Throws an `OptionsError` unless it is a positive number. With NaN, a delivery of any age would
 * pass.
 */
export function checkTolerance(seconds: number): void {
  if (typeof seconds === 'number' && seconds > 0) return
  throw new OptionsError(
    `toleranceSeconds must be a number of seconds over 0, such as 300, not ${String(seconds)}.`,
  )
}

/** More than a rotation ever needs, and few enough that a forger cannot keep the process busy. */
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
