import type { Handle, RequestEvent, ServerInit } from '@sveltejs/kit'

type Resolve = Parameters<Handle>[0]['resolve']

let covered: (request: Request, event: RequestEvent, resolve: Resolve) => Promise<Response>

/**
 * SvelteKit calls this before the first request. A build loads this file and those of the routes,
 * so the database is opened here and not where they import it.
 */
export const init: ServerInit = async () => {
  const { once } = await import('./once.ts')
  covered = once(async (request: Request, event: RequestEvent, resolve: Resolve) => {
    event.locals.idempotency = once.of(request)
    return resolve(event)
  })
}

export const handle: Handle = async ({ event, resolve }) => {
  const { route, request } = event
  if (route.id !== '/orders' || request.method !== 'POST') return resolve(event)
  return covered(request, event, resolve)
}
