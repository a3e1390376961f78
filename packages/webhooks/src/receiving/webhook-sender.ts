import { createHmac, timingSafeEqual } from 'node:crypto'
import { OncekeyError, OptionsError } from '@oncekey/core'

/** A kind of sender: where its deliveries carry their id, and how their signature is checked. */
export interface WebhookSender {
  readonly name: string
  /** The header that carries the id; missing where the body does. */
  readonly idHeader?: string
  /** Reads the id from the body, which is not authenticated yet. `undefined` where there is none. */
  readonly idInBody?: (body: Uint8Array) => string | undefined
  /**
   * Whether the signature covers the id. Then the id alone says which delivery it is; otherwise the
   * body is compared as well, and another body under a used id is refused.
   */
  readonly isIdSigned: boolean
  /** Throws an `OptionsError` that says what a secret of this sender looks like. */
  checkSecret(secret: string): void
  /** Throws `not-authentic` if no secret fits, a header is missing, or the delivery is too old. */
  verify(delivery: SignedDelivery): void
}

/** What a signature is checked by. */
export interface SignedDelivery {
  /** A header's value by its lower-case name; `undefined` where it is missing or came twice. */
  readonly header: (name: string) => string | undefined
  /** As it came, not as it was parsed. */
  readonly body: Uint8Array
  /** All that may be in force. */
  readonly secrets: readonly string[]
  /** How far the sender's clock and ours may be apart, where the sender signs a time. Seconds. */
  readonly toleranceSeconds: number
  readonly now: Date
}

/** The value of a header that a delivery must have. */
export function requiredHeader({ header }: SignedDelivery, name: string): string {
  const value = header(name)
  if (value === undefined || value === '') throw notAuthentic(`${name} is missing`)
  return value
}

/** The seconds that a header names, if they are within the tolerance of now. */
export function recentSeconds(delivery: SignedDelivery, name: string, text: string): string {
  if (!/^\d{1,12}$/.test(text)) throw notAuthentic(`the time in ${name} is not in seconds`)
  const awayMs = Math.abs(delivery.now.getTime() - Number(text) * 1000)
  if (awayMs > delivery.toleranceSeconds * 1000) {
    throw notAuthentic(`the time in ${name} is more than ${delivery.toleranceSeconds} s away`)
  }
  return text
}

/** Whether one of the given signatures is the HMAC-SHA256 of the content under one of the secrets. */
export function expectHmac(
  { secrets }: SignedDelivery,
  content: readonly (string | Uint8Array)[],
  given: readonly string[],
  encoding: 'hex' | 'base64',
): void {
  const signatures = given.slice(0, MOST_SIGNATURES).map((text) => Buffer.from(text, encoding))
  const isGenuine = secrets.some((secret) => {
    const hmac = createHmac('sha256', secret)
    for (const part of content) hmac.update(part)
    const expected = hmac.digest()
    return signatures.some(
      (signature) => signature.length === expected.length && timingSafeEqual(signature, expected),
    )
  })
  if (!isGenuine) throw notAuthentic('no signature fits a secret')
}

/** Any text is a secret of senders that use it as it is. */
export function checkPlainSecret(name: string, secret: string): void {
  if (typeof secret === 'string' && secret !== '') return
  throw new OptionsError(`A secret of ${name} is the text that it shows, not ${String(secret)}.`)
}

/** A member of a JSON body, where that is text. */
export function textMember(body: Uint8Array, name: string): string | undefined {
  try {
    const value = JSON.parse(Buffer.from(body).toString())?.[name]
    return typeof value === 'string' ? value : undefined
  } catch {
    // No JSON: it has no id, and its signature is checked all the same.
    return undefined
  }
}

export function notAuthentic(why: string): OncekeyError {
  return new OncekeyError('not-authentic', `This webhook is not authentic: ${why}.`)
}

/** More than any rotation needs, and few enough that a forger cannot have us compute for long. */
const MOST_SIGNATURES = 20
