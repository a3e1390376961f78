import { EventEmitter } from 'node:events'
import { IncomingMessage, type ServerResponse } from 'node:http'
import { OncekeyError, type RequestBody } from '@oncekey/core'
import { internalsOf } from '@oncekey/node'
import {
  comparedBytes,
  isWhole,
  type KeptBody,
  keepListening,
  receivedBytes,
  stopListening,
} from './kept-body.ts'

/**
 * The body for a fingerprint, as far as it is visible when the handler should run: its bytes, or
 * the digest of a large one. Whether an unread body exists is decided by reading ahead, because
 * HTTP/2 and `inject` do not announce a length. Nothing of it is kept any more (`undefined`) once
 * the request was answered.
 */
export function comparedBody(
  raw: IncomingMessage,
  res: ServerResponse,
  kept: KeptBody | undefined,
): RequestBody | Promise<RequestBody> {
  return kept === undefined ? UNSEEN : bodyOf(raw, res, kept, comparedBytes)
}

/**
 * The body for options that need all of its bytes. Throws `request-too-large` if there were more
 * than are kept. Nothing of it is kept any more (`undefined`) once the key was claimed, or the
 * request was answered.
 */
export function receivedBody(
  raw: IncomingMessage,
  res: ServerResponse,
  kept: KeptBody | undefined,
): RequestBody | Promise<RequestBody> {
  if (kept === undefined) return UNSEEN
  if (kept.isOverLimit) {
    throw new OncekeyError(
      'request-too-large',
      'Its body is over what is kept of one here: 1 MiB, or the `bodyLimit` of its route, or of its parser where the route has none.',
    )
  }
  return bodyOf(raw, res, kept, receivedBytes)
}

function bodyOf(
  raw: IncomingMessage,
  res: ServerResponse,
  kept: KeptBody,
  bytesOf: (kept: KeptBody) => Uint8Array,
): RequestBody | Promise<RequestBody> {
  if (isWhole(kept)) return kept.size === 0 ? NONE : { kind: 'bytes', bytes: bytesOf(kept) }
  if (kept.size > 0) return UNSEEN
  switch (announced(raw, kept)) {
    case 'none':
      return NONE
    case 'some':
      return UNSEEN
    default:
      return isThere(kept).then((there) => {
        if (!there) return NONE
        if (kept.stream === raw) internalsOf(res).leaveBody(res)
        return UNSEEN
      })
  }
}

/** What the headers announce; for HTTP/1 this follows RFC 9112 section 6.3. */
function announced(raw: IncomingMessage, { stream }: KeptBody): 'none' | 'some' | undefined {
  if (stream !== raw) return undefined
  const { 'content-length': length, 'transfer-encoding': coding } = raw.headers
  if (coding === undefined && length !== undefined) return Number(length) > 0 ? 'some' : 'none'
  if (raw instanceof IncomingMessage) return coding === undefined ? 'none' : undefined
  const { stream: http2 } = raw as { stream?: { readonly endAfterHeaders?: boolean } }
  return http2?.endAfterHeaders ? 'none' : undefined
}

/** Waits for the first byte or the end, and leaves both for the body's reader. */
function isThere(kept: KeptBody): Promise<boolean> {
  const { stream } = kept
  return new Promise((resolve) => {
    if (stream.readableLength > 0 || stream.destroyed) return resolve(true)
    if (stream.readableFlowing || stream.listenerCount('data') > 1) {
      // Somebody else is reading the body, and our listener keeps what passes.
      const told = () => {
        for (const event of SIGNS) EventEmitter.prototype.removeListener.call(stream, event, told)
        resolve(kept.size > 0 || !stream.readableEnded)
      }
      for (const event of SIGNS) EventEmitter.prototype.on.call(stream, event, told)
      return
    }
    const paused = stream.readableFlowing === false
    // A stream with listeners would flow again once nobody waits for `readable`.
    stopListening(kept)
    const told = () => {
      const there = stream.readableLength > 0 || stream.destroyed
      stream.off('readable', told)
      stream.off('close', told)
      // One tick later, when the stream has noticed that nobody waits.
      process.nextTick(() => {
        keepListening(kept)
        // Where the request has been claimed meanwhile, its handler decides whether it flows.
        if (paused && !kept.isLeft) stream.pause()
        resolve(there)
      })
    }
    stream.once('readable', told)
    stream.once('close', told)
  })
}

/** The events by which a body that flows shows whether there is any of it. */
const SIGNS = ['data', 'end', 'close'] as const

const NONE: RequestBody = { kind: 'none' }

const UNSEEN: RequestBody = {
  kind: 'unseen',
  hint: 'The parser of its content type had not read it when the handler was to run; say what counts with `fingerprint: (request) => …`.',
}
