import { hash } from 'node:crypto'
import { OptionsError } from '@oncekey/core'

/** The properties that contain the URL in a request of Node and Fastify, Hono, or fetch. */
interface AnyRequest {
  readonly originalUrl?: string
  readonly req?: { readonly url?: string }
  readonly url?: string
}

/**
 * Returns the path that a request came to, as the scope of its key, so that the same id at two
 * routes of one app means two webhooks. The query is left out. The path is normalised, because an
 * attacker who repeats a signed delivery can choose its spelling: some routers treat `/Hooks`,
 * `/hooks/`, `//hooks`, `/h%6Foks` and `/hooks;a` as `/hooks`. What a route's parameter stands for
 * cannot be seen here: each value is a path of its own.
 */
export function pathScope(request: unknown): string {
  const { originalUrl, req, url } = (request ?? {}) as AnyRequest
  const target = originalUrl ?? req?.url ?? url
  if (typeof target !== 'string') {
    throw new OptionsError(
      'receiveWebhook: the requests of this adapter carry no URL. Write `{ ...receiveWebhook(…), scope: … }`.',
    )
  }
  const path = spelledAlike(target)
  return path.length <= LONGEST ? path : `sha256:${hash('sha256', path)}`
}

function spelledAlike(target: string): string {
  // Exactly one slash at the beginning, because `URL` would read a host after two.
  const path = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '').replace(/^[/\\]*/, '/')
  const { pathname } = new URL(path, 'http://receiver')
  const [plain = ''] = decoded(pathname).split(';', 1)
  return encodeURI(
    plain
      .toLowerCase()
      .replace(/\/{2,}/g, '/')
      .replace(/(?<=.)\/$/, ''),
  )
}

function decoded(pathname: string): string {
  try {
    return decodeURIComponent(pathname)
  } catch {
    return pathname
  }
}

/** A scope has at most 255 bytes, and an encoded path is ASCII. */
const LONGEST = 255
