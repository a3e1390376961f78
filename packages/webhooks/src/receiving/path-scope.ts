import { hash } from 'node:crypto'
import { OptionsError } from '@oncekey/core'

/** Where a request of any adapter says to which URL it came: Node's and Fastify's, Hono's, fetch's. */
interface AnyRequest {
  readonly originalUrl?: string
  readonly req?: { readonly url?: string }
  readonly url?: string
}

/**
 * The path that a request came to, as the scope of its key: two routes of one app are told apart,
 * whatever ids their senders give. The query does not count.
 */
export function pathScope(request: unknown): string {
  const { originalUrl, req, url } = (request ?? {}) as AnyRequest
  const target = originalUrl ?? req?.url ?? url
  if (typeof target !== 'string') {
    throw new OptionsError(
      'receiveWebhook: this adapter does not say to which URL a request came; add `scope` behind it.',
    )
  }
  const { pathname } = new URL(target, 'http://receiver')
  return pathname.length <= LONGEST ? pathname : `sha256:${hash('sha256', pathname)}`
}

/** A scope has 255 bytes at most, and a path is ASCII. */
const LONGEST = 255
