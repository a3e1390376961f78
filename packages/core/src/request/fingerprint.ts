import { createHmac, hash } from 'node:crypto'
import type { Fingerprint } from '../contracts/fingerprint.ts'
import { OncekeyError } from '../errors/errors.ts'
import { canonicalJson, largeJson } from './canonical-json.ts'
import type { SealKeys } from './seal.ts'
import { unambiguousText } from './unambiguous-text.ts'
import { isHeavy, valueDigest } from './value-digest.ts'

/** The body of a request as an adapter could see it. */
export type RequestBody =
  | { readonly kind: 'none' }
  /** The bytes that came over the wire. Adapters offer them where they can. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** The value from a body parser, before anything validates or changes it. */
  | { readonly kind: 'parsed'; readonly value: unknown }
  /** The return value of the app's `fingerprint` function, in place of the body. */
  | {
      readonly kind: 'chosen'
      readonly value: unknown
      /** Whether nobody has read the body that came. Missing where the function reads it itself. */
      readonly isUnread?: () => boolean | Promise<boolean>
    }
  /** The request has a body that the adapter cannot see. The hint says how to change that. */
  | { readonly kind: 'unseen'; readonly hint: string }

/** The parts of a request that its fingerprint covers. */
export interface FingerprintInput {
  readonly method: string
  /** Path and query as the client sent them, not as a router rewrote them. */
  readonly target: string
  /**
   * The whole `Content-Type` header. Its parameters count, except a boundary, which is random, and
   * `charset=utf-8`.
   */
  readonly contentType: string | undefined
  /**
   * Other facts by which the handler was chosen, such as `accept-version=2` where a router uses it.
   */
  readonly parts?: readonly string[] | undefined
  readonly body: RequestBody
}

/**
 * Makes a fingerprint: SHA-256 over length-prefixed parts. With `hmac` it is an HMAC of them, so
 * that a guessable body cannot be confirmed from a stolen table.
 *
 * A JSON body counts in its canonical form (RFC 8785): the order of its keys does not matter, and
 * of duplicate keys the last value counts, as in parsers. Where that form would lose something (an
 * integer over 2^53) or cost too much (depth, size), the bytes count, under another tag. Throws
 * `fingerprint-required` or `body-unseen` where there is nothing to compare.
 */
export function fingerprint(
  input: FingerprintInput,
  hmac?: { readonly keyId: string; readonly key: Uint8Array },
): Fingerprint {
  const { tag, parts } = partsOf(input)
  return hmac === undefined ? plain(tag, parts) : keyed(tag, parts, hmac.keyId, hmac.key)
}

/** The fingerprints of a request, as a claim carries them. */
export interface Fingerprints {
  /** The fingerprint for a new record first, then those under the other keys of the seal. */
  readonly accepted: readonly [Fingerprint, ...Fingerprint[]]
  /**
   * The fingerprints of an older algorithm, where they differ. They are tried only when a record
   * does not match, because an older release may have written it.
   */
  readonly older: (() => readonly Fingerprint[]) | undefined
}

/**
 * All fingerprints under which the record of this request may be stored. With a seal, these are one
 * HMAC for each seal key, so that no retry is refused after a rotation of keys, and the plain hash,
 * so that none is refused after sealing began. A new record gets the plain one while no key is
 * current.
 */
export function acceptedFingerprints(
  input: FingerprintInput,
  seal: SealKeys | undefined,
): Fingerprints {
  const parts = partsOf(input)
  const { older } = parts
  return {
    accepted: underEveryKey(parts, seal),
    older: older && (() => underEveryKey(older(), seal)),
  }
}

function underEveryKey(
  { tag, parts }: Parts,
  seal: SealKeys | undefined,
): readonly [Fingerprint, ...Fingerprint[]] {
  if (seal === undefined) return [plain(tag, parts)]
  const by = (keyId: string) => keyed(tag, parts, keyId, seal.keys[keyId] as Uint8Array)
  const { current } = seal
  const others = Object.keys(seal.keys).filter((keyId) => keyId !== current)
  if (current === null) return [plain(tag, parts), ...others.map(by)]
  return [by(current), ...others.map(by), plain(tag, parts)]
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
  // HMACs use a derived key: the given one encrypts responses with AES, and a key should have one
  // use.
  const hmacKey = createHmac('sha256', key).update('oncekey-fingerprint-1').digest()
  return `${tag}.${keyId}:${createHmac('sha256', hmacKey).update(parts).digest('base64url')}`
}

interface Parts {
  readonly tag: string
  readonly parts: string | Uint8Array
}

interface PartsAndOlder extends Parts {
  readonly older: (() => Parts) | undefined
}

/**
 * Algorithm 1 covers method, target, media type and body. Algorithm 2 adds the parameters of the
 * content type and the parts that an adapter names. It is used only for requests that have any of
 * these, and for bodies whose text algorithm 1 does not have. All others keep algorithm 1, so that
 * an older release that runs beside this one makes the same fingerprint.
 */
function partsOf(input: FingerprintInput): PartsAndOlder {
  const { mediaType, parameters } = contentTypeOf(input.contentType)
  const body = bodyPart(input.body, mediaType)
  const { kind, part, before } = body
  const known =
    lengthPrefixed(input.method) + lengthPrefixed(input.target) + lengthPrefixed(mediaType)
  if (before === undefined && parameters === '' && input.parts === undefined) {
    return { tag: `${kind}1`, parts: joined(known, part), older: undefined }
  }
  const added = [parameters, ...(input.parts ?? [])]
  const head = known + lengthPrefixed(String(added.length)) + added.map(lengthPrefixed).join('')
  const first = (of: BodyPart): Parts => ({ tag: `${of.kind}1`, parts: joined(known, of.part) })
  return {
    tag: `${kind}2`,
    parts: joined(head, part),
    older: before === 'too costly' ? undefined : () => first(before?.() ?? body),
  }
}

function contentTypeOf(header: string | undefined): ContentType {
  // The fast path for the header that nearly all clients send.
  if (header === undefined || header === 'application/json') {
    return { mediaType: header ?? '', parameters: '' }
  }
  const [mediaType = '', ...rest] = header.toLowerCase().split(';')
  if (rest.length === 0) return { mediaType: mediaType.trim(), parameters: '' }
  // Parameter values may be case-sensitive; quotes around them have no meaning.
  const written = header.split(';').slice(1)
  const parameters = written
    .map((parameter) => {
      const [name = '', ...value] = parameter.split('=')
      return `${name.trim().toLowerCase()}=${value
        .join('=')
        .trim()
        .replace(/^"(.*)"$/, '$1')}`
    })
    .filter((parameter) => !/^(=|boundary=.*|charset=utf-?8)$/i.test(parameter))
  return { mediaType: mediaType.trim(), parameters: parameters.sort().join(';') }
}

interface ContentType {
  readonly mediaType: string
  readonly parameters: string
}

interface BodyPart {
  readonly kind: 'json' | 'text' | 'bytes' | 'digest'
  readonly part: string | Uint8Array
  /** The body part of algorithm 1. Missing if it is the same. */
  readonly before?: (() => BodyPart) | 'too costly'
}

function bodyPart(body: RequestBody, mediaType: string): BodyPart {
  switch (body.kind) {
    case 'none':
      return { kind: 'bytes', part: '' }
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
      return json === undefined ? { kind: 'bytes', part: body.bytes } : { kind: 'json', part: json }
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
  if (body.value instanceof Uint8Array) return { kind: 'bytes', part: body.value }
  const json = canonicalJson(body)
  if (json !== undefined) return { kind: 'json', part: json }
  const text = (): BodyPart => ({ kind: 'text', part: unambiguousText(body.value) })
  const large = largeJson(body.value)
  if (large === undefined) {
    if (!isHeavy(body.value)) return text()
    return { kind: 'digest', part: valueDigest(body.value), before: 'too costly' }
  }
  // The text is made at each claim that finds another request's record, which a client can cause.
  return { kind: 'text', part: large, before: large.length > MAX_BEFORE ? 'too costly' : text }
}

/** 512 KB of JSON. The text of a list of so many numbers takes 0.2 s. */
const MAX_BEFORE = 512 * 1024

function isJson(mediaType: string): boolean {
  return mediaType === 'application/json' || mediaType.endsWith('+json')
}

function lengthPrefixed(part: string): string {
  return `${part.length}:${part}`
}

function joined(head: string, body: string | Uint8Array): string | Uint8Array {
  if (typeof body === 'string') return head + body
  const prefix = new TextEncoder().encode(head)
  const whole = new Uint8Array(prefix.length + body.length)
  whole.set(prefix)
  whole.set(body, prefix.length)
  return whole
}
