import type { IncomingMessage, ServerResponse } from 'node:http'
import { OncekeyError } from '@oncekey/core'
import { askForBody, hasEnded, isGone } from '../internals/internals.ts'

/**
 * Whether a request has a body, by what can be read of it. Where its headers announce one without
 * saying how long it is (chunked, HTTP/2), that is known once the first bytes are there, or the end is.
 * Nothing is taken from the request.
 */
export function hasBody(req: IncomingMessage, res: ServerResponse): boolean | Promise<boolean> {
  const length = req.headers['content-length']
  if (length !== undefined) return Number(length) > 0
  const mayBeUnannounced = req.httpVersionMajor >= 2
  if (req.headers['transfer-encoding'] === undefined && !mayBeUnannounced) return false
  // Whoever read it knows; that it was empty cannot be told any more.
  if (req.readableLength > 0 || req.readableDidRead) return true
  if (hasEnded(req)) return false
  return untilReadable(req, res, () =>
    req.readableLength > 0 ? true : hasEnded(req) ? false : undefined,
  )
}

/**
 * Reads a body to its end and puts it back, so that whoever reads the request afterwards finds it as it
 * came. Rejects with `request-too-large` past `maxBytes`, and where the client breaks off.
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
      if (size > maxBytes) throw tooLarge(maxBytes)
    }
    if (!hasEnded(req)) return undefined
    const bytes = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
    // In this same tick: the end has come, and is told to readers in the next unless there is something to read.
    if (bytes.length > 0) req.unshift(bytes)
    return bytes
  }

  if (Number(req.headers['content-length']) > maxBytes) throw tooLarge(maxBytes)
  const bytes = takeIn() ?? (await untilReadable(req, res, takeIn))
  // The next reader may use the memory of what it reads.
  return Buffer.from(bytes)
}

/** Asks `look` each time there is something new, until it has an answer. */
function untilReadable<Answer>(
  req: IncomingMessage,
  res: ServerResponse,
  look: () => Answer | undefined,
): Promise<Answer> {
  askForBody(req, res)
  return new Promise((resolve, reject) => {
    const over = (): void => {
      req.off('readable', onReadable)
      req.off('error', onBroken)
      req.off('close', onBroken)
      req.off('aborted', onBroken)
    }
    const onReadable = (): void => {
      try {
        const answer = look()
        if (answer === undefined) return
        over()
        // After the tick in which the stream notices that nobody listens any more.
        process.nextTick(resolve, answer)
      } catch (error) {
        over()
        reject(error)
      }
    }
    const onBroken = (): void => {
      over()
      reject(brokenOff())
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

/** What body parsers say of it, so that the app's error handling knows it. */
function brokenOff(): Error {
  return Object.assign(new Error('request aborted'), {
    code: 'ECONNABORTED',
    type: 'request.aborted',
    status: 400,
    statusCode: 400,
    expose: true,
  })
}
