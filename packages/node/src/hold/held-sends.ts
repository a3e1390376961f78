import { interceptSends, isFinish } from '../internals/internals.ts'
import type { Capture } from './capture.ts'
import { collect, endBy, finishIfTooLarge } from './held-methods.ts'

/**
 * Methods of Node that somebody kept from before the response was held write past the ones that hold
 * it. They still ask the response for its `writeHead`, which holds the head back and so leaves them
 * without a framing of their own, and pass the bare bytes on to where this net hangs.
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
    // `finish` comes when the bytes leave.
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
