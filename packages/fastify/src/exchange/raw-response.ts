import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { holdBack } from '@oncekey/node'
import type { FastifyReply } from 'fastify'
import type { Exchange } from './exchange.ts'

/**
 * Watches what is written past Fastify: through `reply.raw`, after `reply.hijack()`, or by Fastify itself
 * where it goes past its own hooks (an error handler that fails). With the first such call the response
 * is held back as one of `node:http`, and is kept and replayed like any other.
 *
 * Only then, because holding back costs more than all that a reply which Fastify sends needs.
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
}

/**
 * Holds the response back from here on. Headers: what was set outside the handler is Fastify's and
 * Node's together, and what the handler has done so far, on the raw response, is its own.
 */
export function holdRaw(exchange: Exchange, reply: FastifyReply): void {
  const raw = reply.raw as WatchedResponse
  Object.assign(raw, raw[WATCH].native)
  const soFar = raw.getHeaders()
  putHeaders(raw, exchange.before)
  exchange.held = holdBack(raw, exchange.run as NonNullable<Exchange['run']>)
  putHeaders(raw, soFar)
  const { collection } = exchange
  exchange.phase = 'raw'
  if (collection === undefined) return
  // Its first bytes would have left by now, with their head.
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

type Watched = 'write' | 'end' | 'writeHead' | 'flushHeaders' | 'destroy'

type Method = (this: WatchedResponse, ...given: unknown[]) => unknown

function watch(name: Watched): never {
  return function (this: WatchedResponse, ...given: unknown[]): unknown {
    const { exchange, reply, native } = this[WATCH]
    const isUnderWay = exchange.phase === 'open' || exchange.collection !== undefined
    if (isUnderWay) {
      holdRaw(exchange, reply)
      return (this[name] as Method).apply(this, given)
    }
    // Sent, as far as its handler can see, and on its way to the record.
    if (exchange.phase === 'finishing' && name !== 'destroy') return ignore(this, given)
    return (native[name] as Method).apply(this, given)
  } satisfies Method as never
}

/** One set of functions for all requests. */
const watched: Pick<ServerResponse, Watched> = {
  write: watch('write'),
  end: watch('end'),
  writeHead: watch('writeHead'),
  flushHeaders: watch('flushHeaders'),
  destroy: watch('destroy'),
}

/** A pipe is followed from its beginning on: it tells when a client that hung up has taken it along. */
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
