import type { ServerResponse } from 'node:http'
import type { PlainResponse } from '@oncekey/core'
import { internalsOf } from '../internals/internals.ts'
import { copiedHeaders } from '../response/response-headers.ts'
import { followSources } from './attached-sources.ts'
import { CAPTURE, type Capture, type CapturedResponse, type HeldRun } from './capture.ts'
import { abandon, giveUp, handBack, replace, tellOver } from './finish.ts'
import { followHangUp } from './hang-up.ts'
import { holdConnection } from './held-connection.ts'
import { heldMethods } from './held-methods.ts'
import { catchKeptMethods } from './held-sends.ts'

/** A response that is held back, and what an adapter can do with it. */
export interface HeldResponse {
  /** Whether `writeHead`, `flushHeaders`, `write`, `end` or a pipe has written anything. */
  readonly begun: boolean
  /** Resolves once the response was sent, replaced, destroyed or handed back. */
  readonly over: Promise<void>
  /**
   * Releases a response that nothing was written to: its methods are restored, and the caller ends
   * the run. Returns `false` and does nothing if something was written.
   */
  handBack(): boolean
  /** Sends another answer and ignores what the handler does with the response afterwards. */
  replace(response: PlainResponse): void
  /** For a response that nobody will finish: abandons the run, then destroys the response. */
  abandon(error?: Error): void
}

/**
 * Holds back everything written to a response until the run says that it is on record, whether it
 * is written by `write`, `end`, a pipe, a framework's `send`, or Node methods that somebody saved
 * earlier. A complete response goes to `run.complete`. Past `run.maxResponseBytes` its head goes to
 * `run.passThrough`. A response that nobody will finish goes to `run.abandon`. After that, what the
 * run's outcome says is sent. `fail` receives what an option of the app threw after the handler;
 * the response is reset first. Without `fail` a 500 is sent.
 *
 * The response's own methods are replaced for this one request, because only they see every byte
 * and header. Handlers and loggers see the usual states: `headersSent` is true and headers are
 * immutable from the first byte, `writableEnded` is true from `end()`, and `finish` is emitted when
 * the bytes have really left. 1xx responses (`writeEarlyHints`) leave at once.
 *
 * @example
 * ```ts
 * const held = holdBack(res, run)
 * run.onInterrupted(({ response }) => held.replace(response))
 * await handler(req, res)
 * ```
 */
export function holdBack(
  res: ServerResponse,
  run: HeldRun,
  fail?: (error: unknown) => void,
): HeldResponse {
  const { write, end, writeHead, flushHeaders, destroy } = res
  const capture: Capture = {
    res: res as CapturedResponse,
    run,
    internals: internalsOf(res),
    native: { write, end, writeHead, flushHeaders, destroy },
    before: copiedHeaders(res),
    phase: 'open',
    begun: false,
    ended: false,
    status: 200,
    reason: '',
    headers: [],
    beyondAscii: false,
    lists: [],
    chunks: [],
    size: 0,
    whole: undefined,
    onEnd: undefined,
    broken: undefined,
    sources: undefined,
    releaseConnection: undefined,
    releaseSends: undefined,
    onOver: undefined,
    fail,
  }
  capture.res[CAPTURE] = capture
  res.write = heldMethods.write
  res.end = heldMethods.end
  res.writeHead = heldMethods.writeHead
  res.flushHeaders = heldMethods.flushHeaders
  res.destroy = heldMethods.destroy
  catchKeptMethods(capture)
  holdConnection(capture)
  followSources(capture)
  followHangUp(capture)
  const held = Object.create(HELD) as Held
  held[CAPTURE] = capture
  return held
}

interface Held extends HeldResponse {
  [CAPTURE]: Capture
}

/**
 * Methods on a shared prototype, because creating closures per request costs more than the few
 * methods that most adapters use.
 */
const HELD = {
  get begun(): boolean {
    return (this as unknown as Held)[CAPTURE].begun
  },

  get over(): Promise<void> {
    const capture = (this as unknown as Held)[CAPTURE]
    if (capture.phase === 'over') return Promise.resolve()
    return new Promise((resolve) => {
      const { onOver } = capture
      capture.onOver = () => {
        onOver?.()
        resolve()
      }
    })
  },

  handBack(this: Held): boolean {
    const capture = this[CAPTURE]
    if (capture.begun || capture.phase !== 'open') return false
    handBack(capture)
    const { native } = capture
    const res: ServerResponse = capture.res
    res.write = native.write
    res.end = native.end
    tellOver(capture)
    return true
  },

  replace(this: Held, response: PlainResponse): void {
    const capture = this[CAPTURE]
    try {
      replace(capture, response)
    } catch (error) {
      giveUp(capture, error)
    }
  },

  abandon(this: Held, error?: Error): void {
    abandon(this[CAPTURE], error)
  },
}
