import { CAPTURE, type Capture, type CapturedResponse } from './capture.ts'
import { abandon } from './finish.ts'
import { heldMethods } from './held-methods.ts'

/**
 * Gives up a response that a compressor mounted inside was writing when the client hung up. Some
 * compressors stop then (`compression` from 1.8.2 on), so that neither what the handler writes nor
 * its `end()` would get here; others would go on, which cannot be told from outside. A compressor
 * is known by two things: it has replaced `write`, and the head says a coding.
 */
export function followHangUp({ res }: Capture): void {
  res.on('close', closed)
}

function closed(this: CapturedResponse): void {
  const capture = this[CAPTURE]
  if (capture.phase !== 'frozen' || capture.ended || this.write === heldMethods.write) return
  if (capture.headers.some(([name, value]) => name === 'content-encoding' && value !== null)) {
    abandon(capture)
  }
}
