import type { Html } from './html.ts'
import { STYLESHEET } from './stylesheet.ts'

/**
 * Responds with a page. Its headers tell browsers and proxies not to store it, and forbid loading
 * from or sending to other sites.
 */
export function answer(status: number, page: Html): Response {
  return new Response(page.markup, {
    status,
    headers: { ...GUARDED, 'content-type': 'text/html; charset=utf-8' },
  })
}

/** Responds with JSON: dates in ISO 8601, bytes in base64. */
export function jsonAnswer(status: number, data: unknown): Response {
  return new Response(JSON.stringify(data, bytesAsText), {
    status,
    headers: { ...GUARDED, 'content-type': 'application/json' },
  })
}

/**
 * Responds with a redirect. It is relative, so that it is right behind a proxy that serves the
 * dashboard under another path.
 */
export function redirect(status: 303 | 308, to: string): Response {
  return new Response(null, { status, headers: { ...GUARDED, location: to } })
}

export function stylesheet(): Response {
  return new Response(STYLESHEET, {
    headers: {
      ...GUARDED,
      'content-type': 'text/css; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    },
  })
}

function bytesAsText(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

const GUARDED = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // Nothing for other sites. With `no-referrer` a browser would send `Origin: null` with a form.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
} as const
