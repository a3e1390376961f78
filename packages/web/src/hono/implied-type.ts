import type { Context } from 'hono'

// biome-ignore lint/suspicious/noExplicitAny: what Hono's own middleware takes: the context of any app
type AnyContext = Context<any>

/**
 * The content type that @hono/node-server adds to a Response without one. A handler that writes to
 * Node's response may send none. So that both are replayed as they were sent, the record has the
 * type that the server added, and a record without a type belongs to a response without one. To a
 * Response without a body only version 1 adds the type, and the version cannot be told, so for such
 * a Response the type is left out.
 */
export function impliedType({ env }: AnyContext): string | undefined {
  return nodeResponse(env) === undefined ? undefined : 'text/plain; charset=UTF-8'
}

/** Leaves out the type that the server would add, unless a middleware outside still sets one. */
export function sendWithoutType(c: AnyContext): void {
  const outgoing = nodeResponse(c.env)
  if (outgoing === undefined || c.res.headers.has('content-type')) return
  const { writeHead } = outgoing
  outgoing.writeHead = (...args: unknown[]) => {
    outgoing.writeHead = writeHead
    const fields = args.at(-1)
    if (typeof fields === 'object' && fields !== null && !c.res.headers.has('content-type')) {
      delete (fields as Record<string, unknown>)['content-type']
    }
    return outgoing.writeHead(...args)
  }
}

function nodeResponse(env: { outgoing?: unknown } | undefined): NodeResponse | undefined {
  const { writeHead } = (env?.outgoing ?? {}) as Partial<NodeResponse>
  return typeof writeHead === 'function' ? (env?.outgoing as NodeResponse) : undefined
}

interface NodeResponse {
  writeHead(...args: unknown[]): unknown
}
