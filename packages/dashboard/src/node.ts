import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { messageOf, warnOfFailure } from '@oncekey/core'
import type { Dashboard } from './dashboard.ts'

/** A request as Express and Connect pass it to what is mounted at a path. */
interface Mounted extends IncomingMessage {
  readonly baseUrl?: string
  readonly originalUrl?: string
  /** The parsed body, if a body parser ran before the dashboard. */
  readonly body?: unknown
}

/**
 * The dashboard for Express, Connect and plain `node:http`. Under Express it knows the path at
 * which it is mounted; elsewhere set `basePath`. What fails, such as your `authorize`, is passed to
 * `next`. Without `next` the answer is a 500, and a process warning says what failed.
 *
 * @example
 * ```ts
 * app.use('/admin/oncekey', toNode(show)) // Express
 * createServer(toNode(show)) // node:http
 * ```
 */
export function toNode(
  show: Dashboard,
): (req: IncomingMessage, res: ServerResponse, next?: (error: unknown) => void) => void {
  return (req, res, next) => {
    answered(show, req, res).catch((error) => {
      if (next !== undefined) return next(error)
      warnOfFailure('dashboard', `The dashboard could not answer: ${reasonOf(error)}`)
      if (!res.headersSent) res.writeHead(500)
      res.end()
    })
  }
}

async function answered(show: Dashboard, req: Mounted, res: ServerResponse): Promise<void> {
  const { baseUrl } = req
  const request = requestOf(req)
  const response = await show(request, baseUrl === undefined ? {} : { basePath: baseUrl })
  const body = req.method === 'HEAD' ? undefined : Buffer.from(await response.arrayBuffer())
  res.writeHead(response.status, [...response.headers].flat())
  res.end(body)
}

/** With its stack, because nobody else tells of this error. */
function reasonOf(error: unknown): string {
  return (error instanceof Error && error.stack) || messageOf(error)
}

function requestOf(req: Mounted): Request {
  const { method = 'GET', headers, originalUrl, url = '/' } = req
  const host = headers.host ?? 'localhost'
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    // Headers with a colon are HTTP/2's own, such as those for method and path.
    name.startsWith(':') || value === undefined
      ? []
      : [[name, Array.isArray(value) ? value.join(', ') : value] as [string, string]],
  )
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const body = !hasBody ? undefined : (parsedAgain(req) ?? Readable.toWeb(req))
  return new Request(new URL(originalUrl ?? url, `http://${host}`), {
    method,
    headers: pairs,
    ...(body !== undefined && { body: body as ReadableStream, duplex: 'half' }),
  })
}

/**
 * The form as text. If a body parser has already read the request, the text is made again from the
 * parsed body.
 */
function parsedAgain({ body, headers, readableEnded }: Mounted): string | undefined {
  if (!readableEnded || typeof body !== 'object' || body === null) return undefined
  return headers['content-type']?.startsWith('application/json')
    ? JSON.stringify(body)
    : new URLSearchParams(Object.entries(body).flatMap(pairsOf)).toString()
}

/**
 * A field that was given twice is a list, and stays two, so that the act refuses it. A parser that
 * reads `a[b]` as an object gets no other name out of it.
 */
function pairsOf([name, value]: [string, unknown]): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[name, String(value)]]
  if (Array.isArray(value)) return value.flatMap((each) => pairsOf([name, each]))
  return Object.entries(value).flatMap(([key, each]) => pairsOf([`${name}[${key}]`, each]))
}
