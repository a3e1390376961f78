import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { PlainResponse, RunOutcome } from '@oncekey/core'
import { isPromise } from '@oncekey/core/options'
import { isHttp2 } from '../internals/internals.ts'
import { restoreHeaders } from '../response/response-headers.ts'
import { isWithoutBody } from '../response/without-body.ts'
import { writeResponse } from '../response/write-response.ts'
import type { Capture } from './capture.ts'
import { closeSource } from './close-source.ts'
import { deafen, deafMethods } from './deaf-response.ts'
import { emitDrain } from './drain.ts'
import { frameAnew } from './framing.ts'
import { restoreLists } from './header-changes.ts'

/** Ends the run and sends what its outcome says. Bytes leave only here. */
export async function finish(capture: Capture): Promise<void> {
  capture.phase = 'finishing'
  try {
    const outcome = await outcomeOf(capture)
    if (outcome.kind === 'send') pass(capture)
    else if (outcome.kind !== 'failure' || capture.fail === undefined || !stopWriters(capture))
      replace(capture, outcome.response)
    else fail(capture, outcome.error)
  } catch (error) {
    // The response could not be sent, but it is stored, and a retry replays it.
    giveUp(capture, error)
  }
}

function outcomeOf(capture: Capture): Promise<RunOutcome> {
  const { run, res, status, reason, headers } = capture
  if (!capture.ended) return run.passThrough({ status, headers })
  const body = isWithoutBody(res, status) ? NO_BYTES : joined(capture.chunks)
  const isOwn = reason !== '' && reason !== STATUS_CODES[status]
  return run.complete({ status, headers, body, ...(isOwn && { reason }) })
}

/** Sends the handler's response as it was written. */
function pass(capture: Capture): void {
  if (capture.phase === 'over') return
  const { res, native, chunks, whole, broken } = capture
  handBack(capture)
  res.statusCode = capture.status
  if (!isHttp2(res)) res.statusMessage = capture.reason
  restoreLists(capture)
  if (capture.ended) frameAnew(capture)
  uncork(res)
  if (capture.ended && isWithoutBody(res, capture.status)) {
    // A server may be set to throw for a body where there is none to be sent.
    native.end.call(res, undefined, 'utf8', capture.onEnd)
  } else if (whole !== undefined && !capture.beyondAscii) {
    native.end.call(res, whole.chunk, whole.encoding, capture.onEnd)
  } else {
    // The handler's own pieces are written, so that Node frames them as it would have framed the
    // original.
    if (chunks.length === 0 && !capture.ended) native.flushHeaders.call(res)
    for (const chunk of chunks) native.write.call(res, chunk, 'utf8')
    if (broken !== undefined) {
      // Later, because Node sends what was written at the end of the tick.
      setImmediate(cut, capture, broken.error)
    } else if (capture.ended) native.end.call(res, undefined, 'utf8', capture.onEnd)
    else emitDrain(res)
  }
  tellOver(capture)
}

/**
 * Sends another answer instead of the handler's, without any of the handler's headers. If Node
 * cannot send it, the connection is destroyed.
 */
export function replace(capture: Capture, response: PlainResponse): void {
  if (capture.phase === 'over') return
  const { native, internals } = capture
  const res: ServerResponse = capture.res
  handBack(capture)
  // Over HTTP/2 a handler may have saved the stream's methods before the response was held back.
  if (res.headersSent) {
    giveUp(capture, undefined)
    return
  }
  // Bypasses middleware mounted inside, which may be in the middle of the other response.
  res.write = native.write
  res.end = native.end
  restoreHeaders(res, capture.before)
  internals.dropTrailers(res)
  uncork(res)
  if (!isHttp2(res)) res.statusMessage = ''
  if (capture.onEnd !== undefined) res.once('finish', capture.onEnd)
  try {
    writeResponse(res, response)
  } catch (error) {
    giveUp(capture, error)
    return
  }
  deafen(res)
  // A middleware mounted inside may have saved the held methods, which forward to these.
  const { write, end, writeHead, flushHeaders, destroy } = res
  capture.native = { write, end, writeHead, flushHeaders, destroy }
  for (const source of capture.sources ?? []) closeSource(source)
  // A writer may wait since `write` returned `false`, and would for ever.
  emitDrain(res)
  tellOver(capture)
}

/**
 * Stops whoever still writes to the response, which the framework's error handler would share with
 * them. Returns `false` if that is not certain: if a stream cannot be stopped, or if the handler
 * has not ended its response and pipes nothing to it, so that it writes itself.
 */
function stopWriters({ ended, sources = NO_SOURCES }: Capture): boolean {
  if (!ended && sources.size === 0) return false
  return ![...sources].map(closeSource).includes(false)
}

/**
 * Lets the framework's error handler respond, with the headers as they were before the handler. If
 * it returns a promise that rejects, the connection ends: nobody else awaits that promise, and the
 * rejection would end the process.
 */
function fail(capture: Capture, error: unknown): void {
  if (capture.phase === 'over') return
  const { native, internals, fail } = capture
  const res: ServerResponse = capture.res
  handBack(capture)
  res.write = native.write
  res.end = native.end
  // What a compressor mounted inside has yet to write is not for this response.
  capture.native = deafMethods
  restoreHeaders(res, capture.before)
  internals.dropTrailers(res)
  if (!isHttp2(res)) res.statusMessage = ''
  res.statusCode = 200
  let answered: unknown
  try {
    answered = fail?.(error)
  } catch (failed) {
    capture.native = native
    throw failed
  }
  if (isPromise(answered)) {
    answered.then(undefined, (failed) => {
      if (!res.writableEnded) native.destroy?.call(res, failed)
    })
  }
  tellOver(capture)
}

/**
 * Uncorks the response. Node 22 and 24 send what is written to a corked response after the final
 * chunk.
 */
function uncork(res: ServerResponse): void {
  while (res.writableCorked > 0) res.uncork()
}

/**
 * Ends a response that will never be complete. The run is undone first, so that the client can
 * retry as soon as it notices.
 */
export function abandon(capture: Capture, error?: Error): void {
  const { run } = capture
  if (capture.phase === 'over') return
  if (capture.phase === 'finishing') {
    // A stream on its way to the record: if it is recorded, what came of it is sent, and no more.
    if (!capture.ended) capture.broken ??= { error }
    return
  }
  capture.phase = 'finishing'
  void run.abandon().then((outcome) => {
    try {
      if (outcome.kind !== 'send') replace(capture, outcome.response)
      else giveUp(capture, error)
    } catch (error) {
      giveUp(capture, error)
    }
  })
}

/** No response can be sent any more, so the connection is destroyed. */
export function giveUp(capture: Capture, error: unknown): void {
  if (capture.phase !== 'over') handBack(capture)
  cut(capture, error)
  tellOver(capture)
}

function cut({ res, native }: Capture, error: unknown): void {
  // A pipelined request has no socket yet. Node 24 would let the client wait once its turn comes.
  if (res.socket === null) res.once('socket', (turn: Socket) => turn.destroy())
  native.destroy?.call(res, error as Error)
}

/** Restores the original methods; later writes are sent directly. */
export function handBack(capture: Capture): void {
  const { native, internals } = capture
  const res: ServerResponse = capture.res
  capture.phase = 'over'
  internals.unmark(res)
  capture.releaseSends?.()
  // `write` and `end` stay in place, because a middleware mounted inside may have wrapped them.
  res.writeHead = native.writeHead
  res.flushHeaders = native.flushHeaders
  res.destroy = native.destroy
}

/**
 * Called when the response is being sent or never will be: frees the connection, and tells whoever
 * waits for the end.
 */
export function tellOver(capture: Capture): void {
  capture.releaseConnection?.()
  capture.onOver?.()
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
}

const NO_BYTES = new Uint8Array()
const NO_SOURCES = new Set<Readable>()
