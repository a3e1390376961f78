import { createHmac, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { OptionsError } from '@oncekey/core'

/**
 * A secret in the form of the Standard Webhooks specification: `whsec_`, `whsk_` or `whpk_`, then
 * base64.
 */
export type SigningSecret = string

/** A parsed secret. `signature` is missing if only a public key is known. */
export interface ParsedSecret {
  /** `v1` is HMAC-SHA256, `v1a` is ed25519. */
  readonly version: 'v1' | 'v1a'
  readonly signature?: (signed: Uint8Array) => Buffer
  /** The ed25519 public key; missing for an HMAC. */
  readonly publicKey?: KeyObject
}

/**
 * Parses a secret that we sign with. Throws an `OptionsError` that says what a secret looks like
 * and never reveals it.
 *
 * `whsec_` is an HMAC key of 24 to 64 bytes; `whsk_` an ed25519 private key, its seed of 32 bytes
 * alone or followed by the public key; `whpk_` an ed25519 public key of 32 bytes.
 */
export function parseSecret(secret: SigningSecret): ParsedSecret {
  return parsed(secret, 64)
}

/**
 * Parses a secret that a sender has issued, whose length the receiver cannot choose: Svix issues
 * HMAC keys of up to 75 bytes, although the specification ends at 64.
 */
export function parseSendersSecret(secret: SigningSecret): ParsedSecret {
  return parsed(secret, 75)
}

function parsed(secret: SigningSecret, mostBytes: number): ParsedSecret {
  const [, prefix, text] = /^(whsec|whsk|whpk)_([\w+/-]+={0,2})$/.exec(secret) ?? []
  if (prefix === undefined || text === undefined) {
    throw new OptionsError(
      /^v1a?,wh/.test(secret)
        ? 'A webhook secret begins with `whsec_`, `whsk_` or `whpk_`: leave out the `v1,` before it.'
        : 'A webhook secret is `whsec_` (HMAC), `whsk_` or `whpk_` (ed25519) and base64, such as generateSecret() makes.',
    )
  }
  const bytes = Buffer.from(text, 'base64')
  if (prefix === 'whsec') return hmacSecret(bytes, mostBytes)
  return prefix === 'whsk' ? privateKey(bytes) : { version: 'v1a', publicKey: publicKey(bytes) }
}

/** The public half of an ed25519 key, in the form to publish; undefined for an HMAC secret. */
export function publicKeyOf(secret: SigningSecret): SigningSecret | undefined {
  const { publicKey } = parseSecret(secret)
  if (publicKey === undefined) return undefined
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  return `whpk_${point.toString('base64')}`
}

function hmacSecret(key: Buffer, most: number): ParsedSecret {
  expectLength('whsec_', key, key.length >= 24 && key.length <= most, `24 to ${most}`)
  return { version: 'v1', signature: (signed) => createHmac('sha256', key).update(signed).digest() }
}

function privateKey(bytes: Buffer): ParsedSecret {
  expectLength('whsk_', bytes, bytes.length === 32 || bytes.length === 64, '32 or 64')
  const der = Buffer.concat([PKCS8, bytes.subarray(0, 32)])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return {
    version: 'v1a',
    signature: (signed) => sign(null, signed, key),
    publicKey: createPublicKey(key),
  }
}

function publicKey(bytes: Buffer): KeyObject {
  expectLength('whpk_', bytes, bytes.length === 32, '32')
  return createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: 'der', type: 'spki' })
}

function expectLength(prefix: string, bytes: Buffer, fits: boolean, expected: string): void {
  if (!fits) {
    throw new OptionsError(
      `A ${prefix} secret has ${expected} bytes after base64; this one has ${bytes.length}.`,
    )
  }
}

// The bytes before the key itself in the DER encodings of an ed25519 key (RFC 8410).
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI = Buffer.from('302a300506032b6570032100', 'hex')
