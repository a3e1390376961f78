import { createHmac, timingSafeEqual } from 'node:crypto'
import { OncekeyError, OptionsError } from '@oncekey/core'

/** Describes a sender: where its deliveries carry their id and how their signature is checked. */
export interface WebhookSender {
  readonly name: string
  /** The header that carries the id; missing if the body carries it. */
  readonly idHeader?: string
  /**
   * Reads the id from the body, whose signature has not been checked yet. Returns `undefined` if
   * the body has no id.
   */
  readonly idInBody?: (body: Uint8Array) => string | undefined
  /**
   * Whether the signature covers the id. If so, the id alone identifies the delivery. If not, the
   * body is compared as well, and another body under a used id is refused.
   */
  readonly isIdSigned: boolean
  /**
   * Throws an `OptionsError` that says what a secret of this sender looks like, if this is not one.
   */
  checkSecret(secret: string): void
  /**
   * Throws `not-authentic` if no secret fits, a header is missing, or the delivery is too old. A
   * returned `false` is reported as misuse.
   */
  verify(delivery: SignedDelivery): void | Promise<void>
}

/** The parts of a delivery that a signature covers. */
export interface SignedDelivery {
  /** A header's value by its lower-case name; `undefined` if it is missing or came twice. */
  readonly header: (name: string) => string | undefined
  /** The bytes that were received, not the result of a parser. */
  readonly body: Uint8Array
  /** Every secret that may be in force. */
  readonly secrets: readonly string[]
  /** How far the signed time may be from this host's clock, if the sender signs a time. Seconds. */
  readonly toleranceSeconds: number
  readonly now: Date
}

/** Returns a header's value. Throws `not-authentic` if it is missing or empty. */
export function requiredHeader({ header }: SignedDelivery, name: string): string {
  const value = header(name)
  if (value === undefined || value === '') throw notAuthentic(`${name} is missing`)
  return value
}

/** Returns the seconds in a header. Throws `not-authentic` if they are outside the tolerance. */
export function recentSeconds(delivery: SignedDelivery, name: string, text: string): string {
  if (!/^\d{1,12}$/.test(text)) throw notAuthentic(`the time in ${name} is not in seconds`)
  const awayMs = Math.abs(delivery.now.getTime() - Number(text) * 1000)
  if (!(awayMs <= delivery.toleranceSeconds * 1000)) {
    throw notAuthentic(`the time in ${name} is more than ${delivery.toleranceSeconds} s away`)
  }
  return text
}

/**
 * Throws `not-authentic` unless a given signature is the HMAC-SHA256 of the content under a secret.
 */
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

/**
 * Checks a secret of a sender that uses the secret's text as the key. A blank or a line break at an
 * end comes from the file or the variable that it was read from, and no signature would fit.
 */
export function checkPlainSecret(name: string, secret: string): void {
  if (typeof secret === 'string' && secret !== '') {
    if (secret === secret.trim()) return
    throw new OptionsError(
      `A secret of ${name} begins or ends with a blank or a line break: write \`.trim()\` where it is read.`,
    )
  }
  throw new OptionsError(
    `A secret of ${name} must be the text that ${name} shows, not ${String(secret)}.`,
  )
}

/** Returns a member of a JSON body if it is text. */
export function textMember(body: Uint8Array, name: string): string | undefined {
  try {
    const value = JSON.parse(Buffer.from(body).toString())?.[name]
    return typeof value === 'string' ? value : undefined
  } catch {
    // The body is not JSON, so it has no id. Its signature is still checked.
    return undefined
  }
}

export function notAuthentic(why: string): OncekeyError {
  return new OncekeyError('not-authentic', `This webhook is not authentic: ${why}.`)
}

/** More than a rotation ever needs, and few enough that a forger cannot keep the process busy. */
const MOST_SIGNATURES = 20
