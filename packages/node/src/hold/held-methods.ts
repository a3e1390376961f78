import { ServerResponse } from 'node:http'
import { isHttp2 } from '../internals/internals.ts'
import {
  CAPTURE,
  type Callback,
  type Capture,
  type CapturedResponse,
  type NativeMethods,
} from './capture.ts'
import { abandon, finish } from './finish.ts'
import { writeHeadArguments } from './head.ts'
import { freezeHeaders } from './header-changes.ts'

const { prototype: bare } = ServerResponse

/**
 * The methods a handler calls instead of the response's own, shared by all requests. After the
 * response is over they forward to the methods they replaced, because a middleware mounted inside
 * may have saved them.
 */
export const heldMethods: NativeMethods = {
  write,
  end,
  writeHead,
  flushHeaders,
  destroy,
} as never

function write(this: CapturedResponse, ...given: unknown[]): boolean {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return capture.native.write.apply(this, given as never)
  const { chunk, encoding, callback } = writeArguments(given)
  if (capture.ended) return writeAfterEnd(callback)

  const bytes = bytesOf(this, chunk, encoding)
  writeImplicitHead(capture)
  collect(capture, bytes)
  finishIfTooLarge(capture)
  if (callback !== undefined) process.nextTick(callback)
  // Returns true until the response is over the size limit. Then the run is asked what becomes of
  // the response, and false makes the writer wait for `drain`.
  return capture.phase !== 'finishing'
}

function end(this: CapturedResponse, ...given: unknown[]): ServerResponse {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return capture.native.end.apply(this, given as never)
  const { chunk, encoding, callback } = writeArguments(given)
  if (capture.ended) return endAfterEnd(this, given, chunk, callback)

  const bytes = chunk ? bytesOf(this, chunk, encoding) : undefined
  writeImplicitHead(capture)
  if (bytes !== undefined) {
    if (capture.size === 0) {
      capture.whole = { chunk: typeof chunk === 'string' ? chunk : bytes, encoding }
    }
    collect(capture, bytes)
  }
  endBy(capture, callback)
  return this
}

/** The response is complete. */
export function endBy(capture: Capture, callback?: Callback): void {
  capture.ended = true
  capture.onEnd = callback
  capture.internals.markEnded(capture.res)
  if (capture.phase === 'frozen') void finish(capture)
}

function writeHead(this: CapturedResponse, ...given: unknown[]): ServerResponse {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return capture.native.writeHead.apply(this, given as never)
  if (capture.phase !== 'open') return writeHeadAgain(this, given, capture.begun)

  const { status, reason } = writeHeadArguments(this, given)
  this.statusCode = status
  capture.status = status
  capture.reason = reason
  freezeHeaders(capture)
  capture.phase = 'frozen'
  capture.begun = true
  capture.internals.markHeadSent(this)
  return this
}

function flushHeaders(this: CapturedResponse): void {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') capture.native.flushHeaders.call(this)
  else writeImplicitHead(capture)
  if (capture.phase === 'frozen' && capture.run.maxResponseBytes === 0) void finish(capture)
}

/** A broken stream or a handler that gave up: the response will never be complete. */
function destroy(this: CapturedResponse, error?: Error): ServerResponse {
  const capture = this[CAPTURE]
  if (capture.phase === 'over') return capture.native.destroy.call(this, error) as ServerResponse
  if (capture.ended) this.socket?.destroy()
  else abandon(capture, error)
  return this
}

/**
 * Calls the response's own `writeHead` as Node does, because a middleware mounted inside may have
 * wrapped it.
 */
function writeImplicitHead({ phase, res }: Capture): void {
  if (phase === 'open') res.writeHead(res.statusCode)
}

export function collect(capture: Capture, bytes: Uint8Array): void {
  capture.chunks.push(bytes)
  capture.size += bytes.length
}

/**
 * Finishes a response that is still being written, with its head alone, once its body is larger
 * than the run can keep.
 */
export function finishIfTooLarge(capture: Capture): void {
  if (capture.phase === 'frozen' && capture.size > capture.run.maxResponseBytes) {
    void finish(capture)
  }
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

/** Copies the bytes, because the caller may reuse its buffer. The copy is both stored and sent. */
function bytesOf(res: ServerResponse, chunk: unknown, encoding: BufferEncoding): Uint8Array {
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding)
  if (chunk instanceof Uint8Array) return Buffer.from(chunk)
  // Makes Node throw its own error for an argument that is neither text nor bytes.
  bare.write.call(res, chunk, 'utf8')
  throw new TypeError('not a chunk')
}

/** Throws that the headers are already sent; does nothing if the response was given up before. */
function writeHeadAgain(
  res: ServerResponse,
  given: readonly unknown[],
  begun: boolean,
): ServerResponse {
  if (!isHttp2(res)) return bare.writeHead.apply(res, given as never)
  if (!begun) return res
  throw Object.assign(new Error('Response has already been initiated.'), {
    code: 'ERR_HTTP2_HEADERS_SENT',
  })
}

/**
 * Drops what is written after the end. Node would emit an `error` as well, which ends a process
 * that does not listen for it; but only until the response is closed, which without us is as good
 * as at once. A held response closes when it is on record, so that a heartbeat that is stopped by
 * `close` writes to it once more.
 */
function writeAfterEnd(callback: Callback | undefined): boolean {
  const error = Object.assign(new Error('write after end'), { code: 'ERR_STREAM_WRITE_AFTER_END' })
  if (callback !== undefined) process.nextTick(callback, error)
  return false
}

function endAfterEnd(
  res: ServerResponse,
  given: readonly unknown[],
  chunk: unknown,
  callback: Callback | undefined,
): ServerResponse {
  if (chunk) writeAfterEnd(callback)
  else if (!isHttp2(res)) return bare.end.apply(res, given as never)
  else if (callback !== undefined) process.nextTick(callback)
  return res
}
