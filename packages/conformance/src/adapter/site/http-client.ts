import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'

/** How a request differs from a POST of `{ "amount": 1 }` to the path of the test. */
export interface Asked {
  readonly method?: string
  /** Path and query. */
  readonly path?: string
  /** An array sends one line per element. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent unchanged, instead of `body`. */
  readonly text?: string
  /** Hangs up; the request rejects once the server knows of it. */
  readonly signal?: AbortSignal
  /** Announces a body that is longer by one byte than what is sent, and leaves it open. */
  readonly unfinished?: boolean
}

/** A response as received on the wire. */
export interface Answer {
  readonly status: number
  /** Lower-case names, one pair per line. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly bytes: Buffer
  readonly text: string
  /** The joined values of one header, `undefined` if absent. */
  header(name: string): string | undefined
  json(): Record<string, unknown>
  /** The code of a problem; `undefined` for other responses. */
  readonly code: string | undefined
}

export interface HttpClient {
  ask(asked: Asked): Promise<Answer>
  close(): void
}

/**
 * A client that keeps its connections, as real ones do, so that anything left on one affects the
 * next request.
 */
export function httpClient(url: string, defaultPath: string): HttpClient {
  const agent = new Agent({ keepAlive: true })
  return {
    ask(asked) {
      const answer = ask(url, agent, { path: defaultPath, ...asked })
      // A behaviour that fails meanwhile no longer awaits the answer, so its rejection is handled
      // here.
      answer.catch(() => {})
      return answer
    },
    close: () => agent.destroy(),
  }
}

function ask(url: string, agent: Agent, asked: Asked): Promise<Answer> {
  const { method = 'POST', path, headers, body = { amount: 1 }, text, signal, unfinished } = asked
  const hasBody = !['GET', 'HEAD', 'DELETE'].includes(method)
  const sent = text ?? JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const outgoing: ClientRequest = request(new URL(path ?? '/', url), { method, agent })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => answerOf(incoming).then(resolve, reject))
    signal?.addEventListener('abort', () => hangUp(outgoing))
    for (const [name, value] of Object.entries(headers ?? {})) outgoing.setHeader(name, value)
    if (hasBody && !outgoing.hasHeader('content-type')) {
      outgoing.setHeader('content-type', 'application/json')
    }
    if (!unfinished) return void outgoing.end(hasBody ? sent : undefined)
    outgoing.setHeader('content-length', Buffer.byteLength(sent) + 1)
    outgoing.write(sent)
  })
}

/**
 * Ends our side of the connection, and destroys the request when the server has ended its own: some
 * frameworks answer in another way, or not at all, once they know that nobody reads the answer.
 */
function hangUp(outgoing: ClientRequest): void {
  const { socket } = outgoing
  const gone = (): void => {
    outgoing.destroy(new Error('hung up'))
  }
  if (socket === null || socket.destroyed) {
    gone()
    return
  }
  socket.once('end', gone)
  socket.once('close', gone)
  // Nobody may be reading an answer that has begun, and its end would not be noticed.
  socket.end()
  socket.resume()
}

async function answerOf(incoming: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  const text = bytes.toString()
  const { rawHeaders } = incoming
  const headers = rawHeaders.flatMap((name, i) =>
    i % 2 === 0 ? [[name.toLowerCase(), rawHeaders[i + 1] as string] as const] : [],
  )
  const header = (name: string): string | undefined => {
    const values = headers.filter(([other]) => other === name).map(([, value]) => value)
    return values.length === 0 ? undefined : values.join(', ')
  }
  const json = (): Record<string, unknown> => JSON.parse(text)
  const isProblem = header('content-type')?.startsWith('application/problem+json') === true
  return {
    status: incoming.statusCode ?? 0,
    headers,
    bytes,
    text,
    header,
    json,
    code: isProblem ? (json().code as string) : undefined,
  }
}
