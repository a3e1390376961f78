import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { OptionsError } from '@oncekey/core'

/** Whom an endpoint's server is trusted by, and what we show it. In PEM. */
export interface EndpointTls {
  /** Its certificate must be signed by one of these, and by nobody else. @default the roots of Node */
  readonly ca?: string
  /** Ours for it, with what it takes to reach its root. */
  readonly cert?: string
  /** Of `cert`, without a passphrase. */
  readonly key?: string
}

/** Throws an `OptionsError` for what no handshake could use. */
export function checkEndpointTls({ ca, cert, key }: EndpointTls): EndpointTls {
  if ((cert === undefined) !== (key === undefined)) {
    throw new OptionsError('tls: a client certificate is `cert` and `key`, both or neither.')
  }
  const given = Object.entries({ ca, cert, key }).filter(([, value]) => value !== undefined)
  if (given.length === 0) throw new OptionsError('tls: give `ca`, or `cert` and `key`.')
  for (const [name, value] of given) {
    if (typeof value === 'string' && value.includes('-----BEGIN') && value.length <= MOST) continue
    throw new OptionsError(`tls.${name} must be PEM of at most ${MOST} characters.`)
  }
  const tls: EndpointTls = Object.fromEntries(given)
  try {
    // OpenSSL passes over a block of `ca` that it cannot read: then nothing would be trusted.
    for (const block of (ca ?? '').split(/(?=-----BEGIN )/)) {
      if (block.trim() !== '') new X509Certificate(block)
    }
    createSecureContext(tls)
  } catch (error) {
    throw new OptionsError(`tls: it cannot be used: ${(error as Error).message}.`)
  }
  return tls
}

const MOST = 65_536
