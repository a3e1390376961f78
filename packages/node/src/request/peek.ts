import type { IncomingMessage, ServerResponse } from 'node:http'
import { OncekeyError, requestAborted } from '@oncekey/core'
import { askForBody, hasEnded, internalsOf, isGone } from '../internals/internals.ts'
import { putBack } from './put-back.ts'

/**
 * Whether a request has a body. If the headers do not state its length (chunked, HTTP/2), waits for
 * the first bytes or the end. Consumes nothing.
 */
export function hasBody(req: IncomingMessage, res: ServerResponse): boolean | Promise<boolean> {
  const length = req.headers['content-length']
  if (length !== undefined) return Number(length) > 0
  const mayBeUnannounced = req.httpVersionMajor >= 2
  if (req.headers['transfer-encoding'] === undefined && !mayBeUnannounced) return false
  // If somebody has read the stream, an empty body can no longer be told from one that was read.
  if (req.readableLength > 0 || req.readableDidRead) return true
  if (hasEnded(req)) return false
  return untilReadable(req, res, () =>
    req.readableLength > 0 ? true : hasEnded(req) ? false : undefined,
  )
}

/**
 * Reads a body to its end and puts it back for later readers. Rejects with `request-too-large` past
 * `maxBytes`, and when the client aborts.
 */
export async function readBody(
  req: IncomingMessage,
  res: ServerResponse,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0

  function takeIn(): Uint8Array | undefined {
    while (req.readableLength > 0) {
      const chunk: unknown = req.read()
      if (!(chunk instanceof Uint8Array)) break
      chunks.push(chunk)
      size += chunk.length
      if (size > maxBytes) {
        if (!hasEnded(req)) internalsOf(res).leaveBody(res)
        throw tooLarge(maxBytes)
      }
    }
    if (!hasEnded(req)) return undefined
    const bytes = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
    // Put back in this tick: the end has been reached, so the stream emits `end` in the next tick,
    // unless it has data to read.
    if (bytes.length > 0) putBack(req, bytes)
    return bytes
  }

  if (Number(req.headers['content-length']) > maxBytes) throw tooLarge(maxBytes)
  const bytes = takeIn() ?? (await untilReadable(req, res, takeIn))
  // A copy, because the next reader may reuse the memory.
  return Buffer.from(bytes)
}

/** Calls `look` whenever there is new data, until it returns an answer. */
async function untilReadable<Answer>(
  req: IncomingMessage,
  res: ServerResponse,
  look: () => Answer | undefined,
): Promise<Answer> {
  askForBody(req, res)
  // The end may have come in the same packet as the head, which Node is still parsing: it is known
  // once Node is done. A listener that waits for `readable` by then would make the stream emit the
  // `end` of an empty body, before a parser or the handler listens for it.
  await undefined
  return look() ?? (await nextReadable(req, res, look))
}

function nextReadable<Answer>(
  req: IncomingMessage,
  res: ServerResponse,
  look: () => Answer | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stopWaiting = (): void => {
      req.off('readable', onReadable)
      req.off('error', onBroken)
      req.off('close', onBroken)
      req.off('aborted', onBroken)
    }
    const over = (): void => {
      stopWaiting()
      if (!hasEnded(req)) internalsOf(res).leaveBody(res)
    }
    const onReadable = (): void => {
      try {
        const answer = look()
        if (answer === undefined) return
        over()
        // One tick later, when the stream has noticed that it has no more listeners.
        process.nextTick(resolve, answer)
      } catch (error) {
        stopWaiting()
        reject(error)
      }
    }
    const onBroken = (): void => {
      over()
      reject(requestAborted())
    }
    req.on('readable', onReadable)
    req.on('error', onBroken)
    req.on('close', onBroken)
    req.on('aborted', onBroken)
    if (isGone(res)) onBroken()
  })
}

function tooLarge(maxBytes: number): OncekeyError {
  return new OncekeyError('request-too-large', `Its body is over ${maxBytes} bytes.`)
}
