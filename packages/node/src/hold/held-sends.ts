import { interceptSends, isFinish } from '../internals/internals.ts'
import type { Capture } from './capture.ts'
import { collect, endBy, finishIfTooLarge } from './held-methods.ts'

/**
 * Catches what is written with Node's own methods, which somebody saved before the response was
 * held, and which therefore bypass the held methods. They still call `res.writeHead`, which is held
 * and sets up no framing, so they pass on bare bytes, to the place that is intercepted here.
 */
export function catchKeptMethods(capture: Capture): void {
  capture.releaseSends = interceptSends(capture.res, (data, encoding, callback) => {
    if (data.length > 0) {
      collect(
        capture,
        typeof data === 'string' ? Buffer.from(data, encodingOf(encoding)) : Buffer.from(data),
      )
      if (typeof callback === 'function' && !isFinish(callback)) {
        process.nextTick(callback as () => void)
      }
    }
    // `finish` is emitted when the bytes leave.
    process.nextTick(seeWhetherItEnded, capture)
    return capture.phase !== 'finishing'
  })
}

function seeWhetherItEnded(capture: Capture): void {
  if (capture.ended) return
  if (capture.res.finished && capture.phase === 'frozen') endBy(capture)
  else finishIfTooLarge(capture)
}

function encodingOf(given: unknown): BufferEncoding {
  return typeof given === 'string' ? (given as BufferEncoding) : 'utf8'
}
