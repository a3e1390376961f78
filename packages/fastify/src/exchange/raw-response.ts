import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { holdBack } from '@oncekey/node'
import type { FastifyReply } from 'fastify'
import type { Exchange } from './exchange.ts'
import { watchStream } from './watch-stream.ts'

/**
 * Watches for writes that bypass Fastify: through `reply.raw` or its HTTP/2 stream, after
 * `reply.hijack()`, or by Fastify itself where it skips its own hooks (an error handler that
 * fails). The first such call holds the response back as a `node:http` response, which is then
 * stored and replayed like any other.
 *
 * Nothing is held back before that, because it costs more than everything a normal reply needs.
 */
export function watchRaw(exchange: Exchange, reply: FastifyReply): void {
  const { raw } = reply
  const { write, end, writeHead, flushHeaders, destroy } = raw
  const native = { write, end, writeHead, flushHeaders, destroy }
  ;(raw as WatchedResponse)[WATCH] = { exchange, reply, native }
  raw.write = watched.write
  raw.end = watched.end
  raw.writeHead = watched.writeHead
  raw.flushHeaders = watched.flushHeaders
  raw.destroy = watched.destroy
  raw.on('pipe', piped)
  exchange.releaseStream = watchStream(reply, () => {
    if (isUnderWay(exchange)) {
      holdRaw(exchange, reply)
      return 'again'
    }
    return exchange.phase === 'finishing' ? 'ignored' : 'as it is'
  })
}

function isUnderWay({ phase, collection }: Exchange): boolean {
  return phase === 'open' || collection !== undefined
}

/**
 * Holds the response back from here on. To tell the handler's headers from those set outside, it
 * starts with the latter, of Fastify and of Node, and then sets what is on the raw response
 * already: those are the handler's.
 */
export function holdRaw(exchange: Exchange, reply: FastifyReply): void {
  const raw = reply.raw as WatchedResponse
  Object.assign(raw, raw[WATCH].native)
  exchange.releaseStream?.()
  const soFar = raw.getHeaders()
  putHeaders(raw, exchange.before)
  exchange.held = holdBack(raw, exchange.run as NonNullable<Exchange['run']>)
  if (exchange.onOver !== undefined) void exchange.held.over.then(exchange.onOver)
  putHeaders(raw, soFar)
  const { collection } = exchange
  exchange.phase = 'raw'
  if (collection === undefined) return
  // Bare Fastify would have sent the head with its first bytes by now.
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value)
  }
  collection.divert(raw)
}

const WATCH: unique symbol = Symbol('oncekey.watch')

interface WatchedResponse extends ServerResponse {
  [WATCH]: {
    readonly exchange: Exchange
    readonly reply: FastifyReply
    readonly native: Pick<ServerResponse, Watched>
  }
}

/** The exchange that a raw response belongs to; `undefined` if it is not covered. */
export function exchangeOn(raw: ServerResponse): Exchange | undefined {
  return (raw as Partial<WatchedResponse>)[WATCH]?.exchange
}

type Watched = 'write' | 'end' | 'writeHead' | 'flushHeaders' | 'destroy'

type Method = (this: WatchedResponse, ...given: unknown[]) => unknown

function watch(name: Watched): never {
  return function (this: WatchedResponse, ...given: unknown[]): unknown {
    const { exchange, reply, native } = this[WATCH]
    if (isUnderWay(exchange)) {
      holdRaw(exchange, reply)
      return (this[name] as Method).apply(this, given)
    }
    // The handler must see the response as sent, although it is still being stored.
    if (exchange.phase === 'finishing' && name !== 'destroy') return ignore(this, given)
    return (native[name] as Method).apply(this, given)
  } satisfies Method as never
}

/** Shared by all requests. */
const watched: Pick<ServerResponse, Watched> = {
  write: watch('write'),
  end: watch('end'),
  writeHead: watch('writeHead'),
  flushHeaders: watch('flushHeaders'),
  destroy: watch('destroy'),
}

/** Tracks a pipe from its start, to notice when a client that hung up ended it. */
function piped(this: WatchedResponse, source: unknown): void {
  const { exchange, reply } = this[WATCH]
  if (exchange.phase !== 'open') return
  holdRaw(exchange, reply)
  this.emit('pipe', source)
}

function ignore(raw: WatchedResponse, given: readonly unknown[]): unknown {
  const callback = given.findLast((argument) => typeof argument === 'function')
  if (callback !== undefined) process.nextTick(callback as () => void)
  return raw
}

function putHeaders(raw: ServerResponse, wanted: OutgoingHttpHeaders): void {
  for (const name of raw.getHeaderNames()) {
    if (wanted[name] === undefined) raw.removeHeader(name)
  }
  for (const [name, value] of Object.entries(wanted)) {
    if (value !== undefined && raw.getHeader(name) !== value) raw.setHeader(name, value)
  }
}
