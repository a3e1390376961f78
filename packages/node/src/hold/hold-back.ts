import type { ServerResponse } from 'node:http'
import type { PlainResponse } from '@oncekey/core'
import { internalsOf } from '../internals/internals.ts'
import { followSources } from './attached-sources.ts'
import { CAPTURE, type Capture, type CapturedResponse, type HeldRun } from './capture.ts'
import { abandon, handBack, letGo, replace } from './finish.ts'
import { copiedHeaders } from './header-changes.ts'
import { holdConnection } from './held-connection.ts'
import { heldMethods } from './held-methods.ts'
import { catchKeptMethods } from './held-sends.ts'

/** A response that is being held back: what an adapter may ask of it, and do with it. */
export interface HeldResponse {
  /** Whether anything was written to it: by `writeHead`, `flushHeaders`, `write`, `end` or a pipe. */
  readonly begun: boolean
  /** Resolves once it has left, was replaced or destroyed, or was handed back. */
  readonly over: Promise<void>
  /**
   * Lets go of a response that nothing was written to: from here on its methods are what they were, and
   * the run is the caller's to end. `false`, and nothing happens, where something was written.
   */
  handBack(): boolean
  /** Sends this in its place, and silences whatever the handler still does with it. */
  replace(response: PlainResponse): void
  /** Nobody will finish it: abandons the run, and then destroys the response. */
  abandon(error?: Error): void
}

/**
 * Holds back what is written to a response until the run says that it is on record, whatever writes
 * it: `write`, `end`, a pipe, a framework's `send`, and also methods of Node that somebody had kept
 * from before. Once the response is whole it is given to `run.complete`; past `run.maxResponseBytes`
 * its head goes to `run.passThrough`; a response that nobody will finish goes to `run.abandon`. The verdict
 * of the three is carried out. `fail` is given what an option of the app threw after the handler; the
 * response is then as it was before. Without it a 500 is sent.
 *
 * The response's own methods are replaced for this one request, because only they see every byte and
 * every header. To handlers and loggers it looks as if the response had been written: from its first
 * byte `headersSent` is true and headers refuse changes, from `end()` on `writableEnded` is true, and
 * `finish` comes when the bytes have really left. 1xx responses (`writeEarlyHints`) leave at once.
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
  const held = Object.create(HELD) as Held
  held[CAPTURE] = capture
  return held
}

interface Held extends HeldResponse {
  [CAPTURE]: Capture
}

/** On a prototype, because closures made for each request cost more than what most adapters ask. */
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
    letGo(capture)
    return true
  },

  replace(this: Held, response: PlainResponse): void {
    replace(this[CAPTURE], response)
  },

  abandon(this: Held, error?: Error): void {
    abandon(this[CAPTURE], error)
  },
}
