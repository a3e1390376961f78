import { OptionsError } from '@oncekey/core'

/**
 * The signed bytes: `id.timestamp.body`, with the exact body (Standard Webhooks, "Signature
 * scheme").
 */
export function signedContent(
  id: string,
  timestampSeconds: number | string,
  body: string | Uint8Array,
): Buffer {
  return Buffer.concat([Buffer.from(`${id}.${timestampSeconds}.`), bytesOf(body)])
}

function bytesOf(body: string | Uint8Array): Uint8Array {
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return body
  const what = body === undefined ? 'undefined' : 'what a parser made of it'
  throw new OptionsError(
    `body must be the bytes that came, as text or Uint8Array, not ${what}: read them before a parser does, in Express with express.raw({ type: () => true }).`,
  )
}
