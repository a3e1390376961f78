import type { ServerResponse } from 'node:http'
import type { Run } from '@oncekey/core'
import { followSources } from './attached-sources.ts'
import { CAPTURE, type Capture, type CapturedResponse } from './capture.ts'
import { holdConnection } from './held-connection.ts'
import { heldMethods } from './held-methods.ts'
import { replace } from './settle.ts'

/**
 * Holds back what a handler writes until the run says that it is on record, whatever wrote it:
 * `json`, `send`, `write`, a pipe, `sendFile`, `redirect`.
 *
 * The response's own methods are replaced for this one request, because only they see every byte and
 * every header. To handlers and loggers it looks as if the response had been written: from its first
 * byte `headersSent` is true and headers refuse changes, from `end()` on `writableEnded` is true, and
 * `finish` comes when the bytes have really left.
 */
export function captureResponse(res: ServerResponse, run: Run): void {
  const { write, end, writeHead, flushHeaders, destroy } = res
  const capture: Capture = {
    res: res as CapturedResponse,
    run,
    native: { write, end, writeHead, flushHeaders, destroy },
    before: res.getHeaders(),
    phase: 'open',
    ended: false,
    status: 200,
    reason: '',
    chunks: [],
    size: 0,
    whole: undefined,
    onEnd: undefined,
    sources: undefined,
    releaseConnection: undefined,
  }
  capture.res[CAPTURE] = capture
  res.write = heldMethods.write
  res.end = heldMethods.end
  res.writeHead = heldMethods.writeHead
  res.flushHeaders = heldMethods.flushHeaders
  res.destroy = heldMethods.destroy
  holdConnection(capture)
  followSources(capture)
  run.onInterrupted((answer) => replace(capture, answer.response))
}
