import { createHmac, hash } from 'node:crypto'
import { canonicalJson, unambiguousText } from './canonical-json.ts'
import { OncekeyError } from './errors.ts'
import type { SealKeys } from './seal.ts'

/**
 * What the client asked for, as `tag:digest`. The tag names the algorithm and is stored with the
 * digest, so that a deploy which changes the algorithm does not turn retries into 422s: a claim
 * carries the fingerprints of every algorithm still accepted.
 */
export type Fingerprint = string

/** The body of a request as an adapter could see it. */
export type RequestBody =
  | { readonly kind: 'none' }
  /** As it came over the wire: what adapters offer where they can. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** After a body parser, before anything that validates or changes it. */
  | { readonly kind: 'parsed'; readonly value: unknown }
  /** What the app's own `fingerprint` function made of the request, in the body's place. */
  | { readonly kind: 'chosen'; readonly value: unknown }
  /** There is one, and the adapter cannot see it; the hint says how to change that. */
  | { readonly kind: 'unseen'; readonly hint: string }

/** What a fingerprint is made of. */
export interface FingerprintInput {
  readonly method: string
  /** Path and query as the client sent them, not as a router rewrote them. */
  readonly target: string
  /** The whole header; its parameters (a multipart boundary, a charset) are left out. */
  readonly contentType: string | undefined
  readonly body: RequestBody
}

/**
 * SHA-256 over length-prefixed parts, or an HMAC of them with `hmac`, so that a guessable body
 * cannot be confirmed from a stolen table.
 *
 * A JSON body counts in its canonical form (RFC 8785): the order of its keys does not matter, and of
 * a key that comes twice the last value counts, as it does for parsers. Where that form would lose
 * something (an integer over 2^53) or cost too much (depth, size), the bytes count, under another
 * tag. Throws `fingerprint-required` or `body-unseen` where there is nothing to go by.
 */
export function fingerprint(
  input: FingerprintInput,
  hmac?: { readonly keyId: string; readonly key: Uint8Array },
): Fingerprint {
  const { tag, parts } = partsOf(input)
  return hmac === undefined ? plain(tag, parts) : keyed(tag, parts, hmac.keyId, hmac.key)
}

/**
 * Every fingerprint under which the record of this request may be stored, the one that new records
 * get first. Sealed: an HMAC per seal key, so that rotating keys refuses no retry, and the plain one,
 * so that beginning to seal does not either.
 */
export function acceptedFingerprints(
  input: FingerprintInput,
  seal: SealKeys | undefined,
): readonly [Fingerprint, ...Fingerprint[]] {
  const { tag, parts } = partsOf(input)
  if (seal === undefined) return [plain(tag, parts)]
  const by = (keyId: string) => keyed(tag, parts, keyId, seal.keys[keyId] as Uint8Array)
  const older = Object.keys(seal.keys).filter((keyId) => keyId !== seal.current)
  return [by(seal.current), ...older.map(by), plain(tag, parts)]
}

function plain(tag: string, parts: string | Uint8Array): Fingerprint {
  return `${tag}:${hash('sha256', parts, 'base64url')}`
}

function keyed(
  tag: string,
  parts: string | Uint8Array,
  keyId: string,
  key: Uint8Array,
): Fingerprint {
  // A key of its own, derived: the one given seals responses with AES, and a key has one use.
  const hmacKey = createHmac('sha256', key).update('oncekey-fingerprint-1').digest()
  return `${tag}.${keyId}:${createHmac('sha256', hmacKey).update(parts).digest('base64url')}`
}

function partsOf(input: FingerprintInput): { tag: string; parts: string | Uint8Array } {
  const mediaType = mediaTypeOf(input.contentType)
  const { tag, part } = bodyPart(input.body, mediaType)
  const head =
    lengthPrefixed(input.method) + lengthPrefixed(input.target) + lengthPrefixed(mediaType)
  return { tag, parts: typeof part === 'string' ? head + part : concat(head, part) }
}

function mediaTypeOf(contentType: string | undefined): string {
  // What nearly all send, and how they write it.
  if (contentType === 'application/json') return contentType
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

type BodyPart = {
  readonly tag: 'json1' | 'text1' | 'bytes1'
  readonly part: string | Uint8Array
}

function bodyPart(body: RequestBody, mediaType: string): BodyPart {
  switch (body.kind) {
    case 'none':
      return { tag: 'bytes1', part: '' }
    case 'chosen':
      return parsedPart(body)
    case 'unseen':
      refuseMultipart(mediaType)
      throw new OncekeyError(
        'body-unseen',
        `The request has a body that cannot be seen, so a retry could not be told from another request. ${body.hint}`,
      )
    case 'bytes': {
      refuseMultipart(mediaType)
      const json = isJson(mediaType) ? canonicalJson(body.bytes) : undefined
      return json === undefined ? { tag: 'bytes1', part: body.bytes } : { tag: 'json1', part: json }
    }
    case 'parsed':
      refuseMultipart(mediaType)
      return parsedPart(body)
  }
}

function refuseMultipart(mediaType: string): void {
  if (!mediaType.startsWith('multipart/')) return
  throw new OncekeyError(
    'fingerprint-required',
    `A ${mediaType} body looks different on every retry (its boundary is random). Say what counts: \`fingerprint: (req) => ({ …the fields and file hashes })\`.`,
  )
}

function parsedPart(body: { readonly value: unknown }): BodyPart {
  if (body.value instanceof Uint8Array) return { tag: 'bytes1', part: body.value }
  const json = canonicalJson(body)
  if (json !== undefined) return { tag: 'json1', part: json }
  return { tag: 'text1', part: unambiguousText(body.value) }
}

function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || mediaType.endsWith('+json')
}

function lengthPrefixed(part: string): string {
  return `${part.length}:${part}`
}

function concat(head: string, body: Uint8Array): Uint8Array {
  const prefix = new TextEncoder().encode(head)
  const whole = new Uint8Array(prefix.length + body.length)
  whole.set(prefix)
  whole.set(body, prefix.length)
  return whole
}
