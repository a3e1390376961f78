import { PassThrough } from 'node:stream'
import type { CallResponse, Reply } from '@oncekey/conformance'

/** A response that a handler writes itself, as the reply that the adapter makes of it. */
export interface WrittenParts {
  readonly response: CallResponse
  /** Resolves with the first part. */
  readonly begun: Promise<Reply>
}

/**
 * Every part waits until the adapter reads it. If the adapter gives the parts up, `wake` is called
 * to let a handler go on that waits for `drain`.
 */
export function writtenParts(wake: (parts: PassThrough) => void): WrittenParts {
  const parts = new PassThrough({ highWaterMark: 1 })
  let begin = (_: Reply): void => {}
  const begun = new Promise<Reply>((resolve) => {
    begin = resolve
  })
  parts.once('close', () => wake(parts))
  const response: CallResponse = {
    statusCode: 200,
    write(chunk) {
      begin({ status: response.statusCode, body: { kind: 'stream', chunks: parts } })
      return parts.destroyed ? true : parts.write(chunk)
    },
    end: () => parts.end(),
    once: (event, listener) => parts.once(event, listener),
  }
  return { response, begun }
}
