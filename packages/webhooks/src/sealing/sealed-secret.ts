import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { OncekeyError, type SealKeys, warnOnce } from '@oncekey/core'
import type { StoredSecret } from '../statements/secrets.ts'

const NONCE = 12
const TAG = 16
// The length is stated because otherwise Node would accept a tag cut down to four bytes.
const GCM = { authTagLength: TAG }

/** The kind of a sealed text. A text sealed as one kind does not open as another. */
export type SealedAs = 'secret' | 'headers' | 'tls'

/**
 * Seals a secret with AES-256-GCM, bound to its endpoint. Without a current key it is stored in
 * plain text.
 */
export function sealSecret(
  secret: string,
  endpointId: string,
  seal: SealKeys | undefined,
  as: SealedAs = 'secret',
): StoredSecret {
  if (seal === undefined || seal.current === null) {
    if (seal === undefined) warnOfUnsealed()
    return { secret, seal: null }
  }
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', keyNamed(seal, seal.current), nonce, GCM)
  cipher.setAAD(boundTo(endpointId, as))
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
  return {
    secret: Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64'),
    seal: seal.current,
  }
}

function warnOfUnsealed(): void {
  warnOnce(
    'webhooks-unsealed',
    'A signing secret was stored in plain text: whoever reads the table can sign webhooks. Write ' +
      "`webhooks({ seal: { current: 'k1', keys: { k1: key } } })`, with a key of 32 bytes. This warning appears once.",
  )
}

/**
 * Opens a stored secret. Throws `seal-key-missing` if the key that sealed it is not listed, and
 * `seal-broken` if it does not open.
 */
export function openSecret(
  stored: StoredSecret,
  endpointId: string,
  seal: SealKeys | undefined,
  as: SealedAs = 'secret',
): string {
  if (stored.seal === null) return stored.secret
  const key = keyNamed(seal, stored.seal)
  const bytes = Buffer.from(stored.secret, 'base64')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE), GCM)
    decipher.setAAD(boundTo(endpointId, as))
    decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG))
    return decipher.update(bytes.subarray(NONCE + TAG), undefined, 'utf8') + decipher.final('utf8')
  } catch (cause) {
    throw new OncekeyError(
      'seal-broken',
      `A secret of the endpoint ${endpointId} does not open with the key it names: it was changed, or copied from another endpoint. Rotate the secret, or restore the row.`,
      { cause },
    )
  }
}

function keyNamed(seal: SealKeys | undefined, id: string): Uint8Array {
  const key = seal?.keys[id]
  if (key !== undefined) return key
  throw new OncekeyError(
    'seal-key-missing',
    `A webhook secret is sealed with the key "${id}", which seal.keys does not list. Keep a retired key listed until the secrets under it have been rotated.`,
  )
}

function boundTo(endpointId: string, as: SealedAs): Uint8Array {
  return Buffer.from(`oncekey-webhook-${as}-1:${endpointId}`)
}
