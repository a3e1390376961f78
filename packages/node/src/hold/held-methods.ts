import { ServerResponse } from 'node:http'
import { CAPTURE, type Callback, type Capture, type CapturedResponse } from './capture.ts'
import { writeHeadArguments } from './head.ts'
import { abandon, settle } from './settle.ts'

const { prototype: bare } = ServerResponse

/**
 * What the handler calls in place of the response's own methods; one set of functions for all
 * requests. Once the response is over they hand on to what they replaced: a middleware mounted
 * inside may have kept them.
 */
export const heldMethods: Pick<
  ServerResponse,
  'write' | 'end' | 'writeHead' | 'flushHeaders' | 'destroy'
> = { write, end, writeHead, flushHeaders, destroy } as never

function write(this: CapturedResponse, ...given: unknown[]): boolean {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return capture.native.write.apply(this, given as never)
  // The "write after end" that it is.
  if (capture.ended) return bare.write.apply(this, given as never)

  const { chunk, encoding, callback } = writeArguments(given)
  const bytes = bytesOf(this, chunk, encoding)
  writeImplicitHead(capture)
  collect(capture, bytes)
  if (callback !== undefined) process.nextTick(callback)
  if (capture.phase === 'frozen' && capture.size > capture.run.maxResponseBytes)
    void settle(capture)
  // False until `drain`, only while the verdict is out on something that is not collected whole.
  return capture.phase !== 'settling'
}

function end(this: CapturedResponse, ...given: unknown[]): ServerResponse {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return capture.native.end.apply(this, given as never)
  if (capture.ended) return bare.end.apply(this, given as never)

  const { chunk, encoding, callback } = writeArguments(given)
  const bytes = chunk ? bytesOf(this, chunk, encoding) : undefined
  writeImplicitHead(capture)
  capture.ended = true
  this.finished = true
  capture.onEnd = callback
  if (bytes !== undefined) {
    if (capture.size === 0) capture.whole = { chunk: chunk as string | Uint8Array, encoding }
    collect(capture, bytes)
  }
  if (capture.phase === 'frozen') void settle(capture)
  return this
}

function writeHead(this: CapturedResponse, ...given: unknown[]): ServerResponse {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return capture.native.writeHead.apply(this, given as never)
  // Throws that the headers are sent.
  if (capture.phase !== 'open') return bare.writeHead.apply(this, given as never)

  const { status, reason } = writeHeadArguments(this, given)
  capture.phase = 'frozen'
  capture.status = status
  capture.reason = reason
  this.statusCode = status
  this._header = 'held back'
  return this
}

function flushHeaders(this: CapturedResponse): void {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') capture.native.flushHeaders.call(this)
  else writeImplicitHead(capture)
  if (capture.phase === 'frozen' && capture.run.maxResponseBytes === 0) void settle(capture)
}

/** A stream that broke, or a handler that gave up: there will be no whole response. */
function destroy(this: CapturedResponse, error?: Error): ServerResponse {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return capture.native.destroy.call(this, error) as ServerResponse
  if (capture.ended) this.socket?.destroy()
  else abandon(capture, error)
  return this
}

/** Through the response's own method, as Node does it: it may be a middleware's that was mounted inside. */
function writeImplicitHead({ phase, res }: Capture): void {
  if (phase === 'open') res.writeHead(res.statusCode)
}

function collect(capture: Capture, bytes: Uint8Array): void {
  capture.chunks.push(bytes)
  capture.size += bytes.length
}

function writeArguments([chunk, encoding, callback]: readonly unknown[]): {
  readonly chunk: unknown
  readonly encoding: BufferEncoding
  readonly callback: Callback | undefined
} {
  if (typeof chunk === 'function') {
    return { chunk: undefined, encoding: 'utf8', callback: chunk as Callback }
  }
  if (typeof encoding === 'function') {
    return { chunk, encoding: 'utf8', callback: encoding as Callback }
  }
  return {
    chunk,
    encoding: (encoding as BufferEncoding | null | undefined) ?? 'utf8',
    callback: callback as Callback | undefined,
  }
}

/** A copy, because the caller may use its buffer again once the write's callback was called. */
function bytesOf(res: ServerResponse, chunk: unknown, encoding: BufferEncoding): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding)
  if (chunk instanceof Uint8Array) return Buffer.from(chunk)
  // Throws what Node throws for what is neither.
  bare.write.call(res, chunk, 'utf8')
  throw new TypeError('not a chunk')
}
