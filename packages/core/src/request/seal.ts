import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { HeaderChange, StoredResponse } from '../contracts/stored-response.ts'
import { OncekeyError, OptionsError } from '../errors/errors.ts'

/**
 * The keys that stored responses are sealed with. New ones are sealed with `current`; old ones can
 * be opened while their key is listed.
 */
export interface SealKeys {
  /**
   * The id, in `keys`, of the key that new records are sealed with. `null`: new records are not
   * sealed, and those that are sealed are recognised and opened. Sealing begins and ends with it.
   */
  readonly current: string | null
  /** 32 bytes each, by an id of at most 32 characters of `A-Z a-z 0-9 _ -`. */
  readonly keys: Readonly<Record<string, Uint8Array>>
}

/**
 * The keys, or a function that provides them. It is called for every request, so that keys may come
 * from a vault and change.
 */
export type Seal = SealKeys | (() => SealKeys | Promise<SealKeys>)

/**
 * The record that a sealed response belongs to. A response that is moved to another record cannot
 * be opened.
 */
export interface SealedFor {
  readonly namespace: string
  readonly scope: string
  readonly key: string
  readonly fingerprint: string
}

const FORMAT = 'oncekey-seal-1'
const NONCE = 12
const TAG = 16
// Set explicitly, because otherwise a tag that was cut to four bytes would be accepted.
const GCM = { authTagLength: TAG }

/**
 * Seals headers and body with AES-256-GCM; the status stays readable. Layout: nonce, tag,
 * ciphertext. Without a current key, the response of a record whose fingerprint was made with a key
 * is sealed with that key, because a record with such a fingerprint must have a seal.
 */
export function seal(response: StoredResponse, seal: SealKeys, owner: SealedFor): StoredResponse {
  const id = seal.current ?? sealKeyOf(owner.fingerprint)
  if (id === undefined) return response
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', keyNamed(seal, id), nonce, GCM)
  cipher.setAAD(boundTo(owner, response))
  const headers = new TextEncoder().encode(JSON.stringify(response.headers))
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, headers.length)
  const sealed = [
    cipher.update(length),
    cipher.update(headers),
    cipher.update(response.body ?? new Uint8Array()),
    cipher.final(),
  ]
  return {
    status: response.status,
    headers: [],
    body: response.body === null ? null : joined([nonce, cipher.getAuthTag(), ...sealed]),
    seal: id,
  }
}

/**
 * The id of the seal key that a fingerprint was made with: `k1` of `json1.k1:…`. All sealed records
 * have such a fingerprint, unless the first attempt of their key was made before sealing began.
 */
export function sealKeyOf(fingerprint: string): string | undefined {
  const [, id] = fingerprint.slice(0, fingerprint.indexOf(':')).split('.')
  return id
}

/**
 * Opens a response that {@link seal} made. Throws `seal-key-missing` when its key is no longer
 * listed, and `seal-broken` when it was changed or moved. An unsealed response is accepted only
 * from a record that was made before sealing began.
 */
export function unseal(
  response: StoredResponse,
  seal: SealKeys | undefined,
  owner: Omit<SealedFor, 'fingerprint'> & {
    /**
     * The request's fingerprints under every seal key. All are tried, because a record that was
     * taken over after a rotation of keys is known under two of them.
     */
    readonly fingerprints: readonly string[]
    /**
     * Whether the record's fingerprint was made with a seal key, which proves that its response was
     * sealed.
     */
    readonly wasSealed: boolean
  },
): StoredResponse {
  if (response.body === null) return response
  if (response.seal === null) {
    if (owner.wasSealed) throw sealTakenOff()
    return response
  }
  const key = keyNamed(seal, response.seal)
  const owners = owner.fingerprints.map((fingerprint) =>
    boundTo({ ...owner, fingerprint }, response),
  )
  const plain = opened(response.body, key, owners)
  const headersEnd = 4 + new DataView(plain.buffer, plain.byteOffset).getUint32(0)
  const headers = JSON.parse(
    new TextDecoder().decode(plain.subarray(4, headersEnd)),
  ) as HeaderChange[]
  return { status: response.status, headers, body: plain.subarray(headersEnd), seal: null }
}

function opened(sealed: Uint8Array, key: Uint8Array, owners: readonly Uint8Array[]): Uint8Array {
  let cause: unknown
  for (const owner of owners) {
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE), GCM)
      decipher.setAAD(owner)
      decipher.setAuthTag(sealed.subarray(NONCE, NONCE + TAG))
      return joined([decipher.update(sealed.subarray(NONCE + TAG)), decipher.final()])
    } catch (error) {
      cause = error
    }
  }
  throw new OncekeyError(
    'seal-broken',
    'A stored response does not open with the key it names: it was changed, or moved here from another record.',
    { cause },
  )
}

function sealTakenOff(): OncekeyError {
  return new OncekeyError(
    'seal-broken',
    'A stored response is in clear, but its fingerprint was made with a seal key: the seal was removed, and the content may be anything.',
  )
}

/** Checks ids and sizes of seal keys. Throws `OptionsError`. */
export function checkSealKeys(seal: SealKeys): SealKeys {
  const { current, keys } = (seal ?? {}) as Partial<SealKeys>
  const isListed = current === null ? keys !== undefined : Object.hasOwn(keys ?? {}, current ?? '')
  if (!isListed) {
    throw new OptionsError(
      `seal.current is "${current}"; seal.keys has no key of that id: write \`seal: { current: 'k1', keys: { k1: key } }\`.`,
    )
  }
  for (const [id, key] of Object.entries(seal.keys)) {
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(id)) {
      throw new OptionsError(
        `seal.keys: the id "${id}" must be 1 to 32 characters of A-Z a-z 0-9 _ -.`,
      )
    }
    if (!(key instanceof Uint8Array) || key.length !== 32) {
      throw new OptionsError(
        `seal.keys["${id}"] must be 32 bytes; make one with crypto.randomBytes(32).`,
      )
    }
  }
  return seal
}

function keyNamed(seal: SealKeys | undefined, id: string): Uint8Array {
  const key = seal?.keys[id]
  if (key === undefined) {
    throw new OncekeyError(
      'seal-key-missing',
      `A stored response is sealed with the key "${id}", which seal.keys does not list. Keep a retired key listed until its records are purged.`,
    )
  }
  return key
}

function boundTo(owner: SealedFor, response: { readonly status: number }): Uint8Array {
  const parts = [
    FORMAT,
    owner.namespace,
    owner.scope,
    owner.key,
    owner.fingerprint,
    String(response.status),
  ]
  return new TextEncoder().encode(parts.map((part) => `${part.length}:${part}`).join(''))
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
