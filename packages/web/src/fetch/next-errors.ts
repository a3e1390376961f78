/**
 * The response that Next.js makes of the errors thrown by `redirect()`, `permanentRedirect()`,
 * `notFound()`, `forbidden()` and `unauthorized()` of `next/navigation` in a route handler;
 * `undefined` for any other error. `idempotency()` of `@oncekey/web` calls it by default. It is
 * exported for a custom `answerOf`, and for handlers that are wrapped in another way.
 *
 * @example
 * ```ts
 * import { answerOf } from '@oncekey/web/next'
 *
 * try {
 *   redirect('/orders/1')
 * } catch (error) {
 *   return answerOf(error) ?? Response.json({ error: 'failed' }, { status: 500 })
 * }
 * ```
 */
export function answerOf(error: unknown): Response | undefined {
  const digest = (error as { digest?: unknown } | null | undefined)?.digest
  if (typeof digest !== 'string') return undefined
  const parts = digest.split(';')
  if (parts[0] === 'NEXT_REDIRECT') return redirected(parts)
  if (parts[0] === 'NEXT_HTTP_ERROR_FALLBACK') return refused(Number(parts[1]))
  return digest === 'NEXT_NOT_FOUND' ? refused(404) : undefined
}

/** `NEXT_REDIRECT;<replace or push>;<url>;<status>;`. The URL may contain semicolons. */
function redirected(parts: readonly string[]): Response | undefined {
  const location = parts.slice(2, -2).join(';')
  const status = Number(parts.at(-2))
  if (location === '' || !REDIRECTS.has(status)) return undefined
  return new Response(null, { status, headers: { location } })
}

function refused(status: number): Response | undefined {
  return status >= 400 && status <= 499 ? new Response(null, { status }) : undefined
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
