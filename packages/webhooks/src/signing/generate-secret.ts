import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { SigningSecret } from './signing-secret.ts'

/** Makes a new HMAC secret, which is shared with the receiver. Use one per endpoint. */
export function generateSecret(): SigningSecret {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/**
 * Makes a new ed25519 pair. The private half stays with the sender; the public half may be
 * published.
 */
export function generateKeyPair(): {
  readonly secret: SigningSecret
  readonly publicKey: SigningSecret
} {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  return {
    secret: `whsk_${Buffer.concat([seed, point]).toString('base64')}`,
    publicKey: `whpk_${point.toString('base64')}`,
  }
}
