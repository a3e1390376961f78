import { EventEmitter } from 'node:events'
import { IncomingMessage, type ServerResponse } from 'node:http'
import { OncekeyError, type RequestBody } from '@oncekey/core'
import { internalsOf } from '@oncekey/node'
import { isWhole, type KeptBody, keepListening, keptBytes, stopListening } from './kept-body.ts'

/**
 * The body as far as it is visible when the handler should run. Whether an unread body exists is
 * decided by reading ahead, because HTTP/2 and `inject` do not announce a length.
 */
export function bodyOf(
  raw: IncomingMessage,
  res: ServerResponse,
  kept: KeptBody,
): RequestBody | Promise<RequestBody> {
  if (isWhole(kept)) return kept.size === 0 ? NONE : { kind: 'bytes', bytes: keptBytes(kept) }
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

/**
 * The body for options that need all of its bytes. Throws `request-too-large` if it was over the
 * limit, so that only its hash was kept.
 */
export function wholeBodyOf(
  ...[raw, res, kept]: Parameters<typeof bodyOf>
): RequestBody | Promise<RequestBody> {
  if (kept.hash !== undefined) {
    throw new OncekeyError(
      'request-too-large',
      'Its body is over what is kept of one here: 1 MiB, or the `bodyLimit` of its route or parser.',
    )
  }
  return bodyOf(raw, res, kept)
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
      const told = () => resolve(kept.size > 0 || !stream.readableEnded)
      for (const event of ['data', 'end', 'close']) listen.call(stream, event, told)
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
        if (paused) stream.pause()
        resolve(there)
      })
    }
    stream.once('readable', told)
    stream.once('close', told)
  })
}

const listen = EventEmitter.prototype.on

const NONE: RequestBody = { kind: 'none' }

const UNSEEN: RequestBody = {
  kind: 'unseen',
  hint: 'The parser of its content type had not read it when the handler was to run; say what counts with `fingerprint: (request) => …`.',
}
