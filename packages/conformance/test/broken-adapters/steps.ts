import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Reply, Site } from '@oncekey/conformance'
import {
  type Begun,
  closesConnection,
  type Engine,
  type EngineOptions,
  type EngineRequest,
  type HandlerContext,
  type HandlerRun,
  isFraming,
  type PlainResponse,
  type RunOutcome,
} from '@oncekey/core'

/**
 * The steps of an adapter without a framework, all correct. A broken adapter replaces one of them.
 */
export interface Steps {
  options(options: EngineOptions<unknown>): EngineOptions<unknown>
  scope(site: Site): Site['scope']
  covers(engine: Engine<unknown>, method: string): boolean
  /** The body of a request; throws if it was cut off. */
  text(req: IncomingMessage): Promise<string>
  request(request: EngineRequest, exchange: Exchange): EngineRequest
  begin(
    engine: Engine<unknown>,
    request: EngineRequest,
    exchange: Exchange,
  ): Promise<Begun<unknown>>
  context(context: HandlerContext, exchange: Exchange): HandlerContext
  body(parsed: unknown): unknown
  /** Whether the handler's status can be an answer. */
  isFinal(status: number): boolean
  onHangUp(run: HandlerRun, exchange: Exchange): void
  /** Called when nobody will read any more what a handler writes in parts. */
  wake(parts: EventEmitter): void
  onThrow(run: HandlerRun | undefined, error: unknown): RenderedReply | 'no answer'
  /** The handler's reply, before the run is asked about it. */
  reply(reply: RenderedReply, exchange: Exchange): RenderedReply
  /** The bytes that are held of a stream's chunk until the rest of the body is there. */
  piece(bytes: Uint8Array): Uint8Array
  /** What is stored of the response. */
  kept(response: PlainResponse, exchange: Exchange): PlainResponse
  beforeCompletion(reply: RenderedReply, exchange: Exchange): void
  /** Below 0, nothing of a stream is read before the run is asked about it. */
  maxBytes(run: HandlerRun): number
  /** Asks the run what becomes of a response whose stream has not ended. */
  tooLarge(run: HandlerRun, collected: PlainResponse): Promise<RunOutcome>
  verdict(verdict: RunOutcome, exchange: Exchange): RunOutcome
  /** The handler's headers that are sent, without framing. */
  sent(headers: RenderedReply['headers'], exchange: Exchange): RenderedReply['headers']
  /** A problem or a replay before it is written. */
  answer(
    response: PlainResponse,
    kind: 'replay' | 'problem' | 'failure',
    exchange: Exchange,
  ): PlainResponse
  outside(
    headers: Readonly<Record<string, string>>,
    when: 'first' | 'replaced',
  ): Readonly<Record<string, string>>
  write(
    exchange: Exchange,
    response: PlainResponse,
    outside: Readonly<Record<string, string>>,
  ): void
  /** The complete body. */
  end(exchange: Exchange, body: Uint8Array): void
  drain(engine: Engine<unknown>): Engine<unknown>['drain']
}

/** One request and its response. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly text: string
  readonly outside: Readonly<Record<string, string>>
  readonly site: Site
  readonly key: string
}

export interface RenderedReply {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly removed: readonly string[]
  readonly body: Buffer | AsyncIterable<Uint8Array>
}

export const rightSteps: Steps = {
  options: (options) => options,
  scope: (site) => site.scope,
  covers: (engine, method) => engine.covers(method),
  text: textOf,
  request: (request) => request,
  begin: (engine, request) => engine.begin(request),
  context: (context) => context,
  body: (parsed) => parsed,
  isFinal: (status) => status >= 200,
  onHangUp: () => {},
  wake: (parts) => void parts.emit('drain'),
  onThrow: (_, error) => json(500, { error: codeOf(error) }),
  reply: (reply) => reply,
  piece: (bytes) => Buffer.from(bytes),
  kept: (response) => response,
  beforeCompletion: () => {},
  maxBytes: (run) => run.maxResponseBytes,
  tooLarge: (run, { status, headers }) => run.passThrough({ status, headers }),
  verdict: (verdict) => verdict,
  sent: (headers, { req }) => framedAnew(headers, req.method),
  answer: (response) => response,
  outside: (headers) => headers,
  write: writeHead,
  end: endWith,
  drain: (engine) => engine.drain,
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of req) text += chunk
  return text
}

export function rendered(reply: Reply): RenderedReply {
  const { status = 200, headers = [], removed = [], body = { kind: 'none' } } = reply
  const typed = (type: string) =>
    headers.some(([name]) => name === 'content-type')
      ? headers
      : [...headers, ['content-type', type] as const]
  switch (body.kind) {
    case 'none':
      return { status, headers, removed, body: Buffer.alloc(0) }
    case 'json': {
      const bytes = Buffer.from(JSON.stringify(body.value))
      return { status, headers: typed('application/json'), removed, body: bytes }
    }
    case 'text':
      return { status, headers: typed('text/plain'), removed, body: Buffer.from(body.text) }
    case 'bytes':
      return { status, headers, removed, body: Buffer.from(body.bytes) }
    case 'stream':
      return { status, headers, removed, body: body.chunks }
  }
}

export function json(status: number, value: unknown): RenderedReply {
  return rendered({ status, body: { kind: 'json', value } })
}

export function codeOf(error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return code ?? message
}

function writeHead(
  { res }: Exchange,
  { status, headers }: PlainResponse,
  outside: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(outside)) res.setHeader(name, value)
  const names = new Set(headers.map(([name]) => name))
  for (const name of names) {
    const lines = headers.filter(([other]) => other === name)
    const values = lines.map(([, value]) => value)
    if (values[0] === null) res.removeHeader(name)
    else if (lines[0]?.[2] === 'added') res.appendHeader(name, values as string[])
    else res.setHeader(name, values.length === 1 ? (values[0] as string) : (values as string[]))
  }
  res.statusCode = status
}

type Headers = RenderedReply['headers']

function framedAnew(headers: Headers, method: string | undefined): Headers {
  const isHandlers = (name: string) =>
    name === 'content-length' ? method === 'HEAD' : !isFraming(name)
  const closes = headers.some(([name, value]) => name === 'connection' && closesConnection(value))
  const rest = headers.filter(([name]) => isHandlers(name))
  return closes ? [...rest, ['connection', 'close']] : rest
}

/** Written separately from `end`, which would encode the head as text. */
function endWith({ res }: Exchange, body: Uint8Array): void {
  if (res.statusCode !== 204 && res.statusCode !== 304 && !res.hasHeader('content-length')) {
    res.setHeader('content-length', body.length)
  }
  if (body.length > 0) res.write(body)
  res.end()
}
