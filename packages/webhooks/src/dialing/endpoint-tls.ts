import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { OptionsError } from '@oncekey/core'

/**
 * The CA by which an endpoint's server is trusted, and the client certificate that is presented to
 * it, all in PEM.
 */
export interface EndpointTls {
  /** The server's certificate must be signed by one of these. @default the roots of Node */
  readonly ca?: string
  /** Our client certificate, with the intermediates up to its root. */
  readonly cert?: string
  /** The private key of `cert`, without a passphrase. */
  readonly key?: string
}

/** Throws an `OptionsError` for certificates with which no handshake could succeed. */
export function checkEndpointTls({ ca, cert, key }: EndpointTls): EndpointTls {
  if ((cert === undefined) !== (key === undefined)) {
    throw new OptionsError('tls: a client certificate needs both `cert` and `key`.')
  }
  const given = Object.entries({ ca, cert, key }).filter(([, value]) => value !== undefined)
  if (given.length === 0) throw new OptionsError('tls: give `ca`, or `cert` and `key`.')
  for (const [name, value] of given) {
    if (typeof value === 'string' && value.includes('-----BEGIN') && value.length <= MOST) continue
    throw new OptionsError(`tls.${name} must be PEM of at most ${MOST} characters.`)
  }
  const tls: EndpointTls = Object.fromEntries(given)
  try {
    // OpenSSL skips a block of `ca` that it cannot read. If it can read none, it trusts no server.
    for (const block of (ca ?? '').split(/(?=-----BEGIN )/)) {
      if (block.trim() !== '') new X509Certificate(block)
    }
    createSecureContext(tls)
  } catch (error) {
    throw new OptionsError(`tls: these certificates cannot be used: ${(error as Error).message}.`)
  }
  return tls
}

const MOST = 65_536
