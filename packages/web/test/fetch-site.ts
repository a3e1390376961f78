import type { Call, Reply, ServedSite, Site } from '@oncekey/conformance'
import { type IdempotencyOptions, idempotency } from '@oncekey/web'

export interface FetchSite {
  fetch(request: Request): Promise<Response>
  readonly drain: ServedSite['drain']
}

/** The site as one `(Request) => Response` function, for whatever serves such a function. */
export function fetchSite(site: Site): FetchSite {
  const { scope, fingerprint } = site
  const once = idempotency({
    ...site.options,
    ...(scope !== undefined && {
      scope:
        typeof scope === 'string'
          ? scope
          : (request: Request) => scope((name) => request.headers.get(name) ?? undefined),
    }),
    ...(fingerprint !== undefined && {
      fingerprint: async (request: Request) => fingerprint(await request.json()),
    }),
  } as IdempotencyOptions<unknown>)

  const handlers = site.routes.map((route) => ({
    route,
    handle: once(async (request) => render(await route.handler(await callOf(request)))),
  }))

  const callOf = async (request: Request): Promise<Call> => {
    const text = await request.text()
    return {
      get context() {
        return once.of(request)
      },
      body: text === '' ? undefined : JSON.parse(text),
    }
  }

  async function fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    const found = handlers.find(
      ({ route }) => route.method === request.method && route.path === pathname,
    )
    if (found === undefined) return new Response(null, { status: 404 })
    const outside = site.outside()
    const answer = await found.handle(request).catch(failure)
    for (const [name, value] of Object.entries(outside)) {
      if (name === 'vary') answer.headers.append(name, value)
      else if (!answer.headers.has(name)) answer.headers.set(name, value)
    }
    return answer
  }

  return { fetch, drain: once.drain }
}

function failure(error: { code?: unknown; message?: unknown }): Response {
  return Response.json({ error: error.code ?? error.message }, { status: 500 })
}

function render({ status = 200, headers = [], body = { kind: 'none' } }: Reply): Response {
  const init = { status, headers: headers.map(([name, value]): [string, string] => [name, value]) }
  switch (body.kind) {
    case 'none':
      return new Response(null, init)
    case 'json':
      return Response.json(body.value, init)
    case 'text':
      return new Response(body.text, init)
    case 'bytes':
      return new Response(new Uint8Array(body.bytes), init)
    case 'stream':
      return new Response(ReadableStream.from(body.chunks), init)
  }
}
