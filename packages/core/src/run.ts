import { type Answer, problemAnswer, reportFailure, storeFailure } from './answer.ts'
import { deferred } from './deferred.ts'
import { type EndMessage, tell, warnOnce } from './diagnostics.ts'
import { dispositionOf } from './disposition.ts'
import type { Begun } from './engine.ts'
import { OncekeyError, OptionsError } from './errors.ts'
import type { OutboxEvent } from './event.ts'
import { type HandlerContext, handlerContext } from './handler-context.ts'
import { isReplayed } from './header-rules.ts'
import { keepLease } from './lease.ts'
import type { ResolvedOptions } from './options.ts'
import type { Question } from './question.ts'
import { seal } from './seal.ts'
import type { Attempt } from './store.ts'
import type { PlainResponse, StoredResponse } from './stored-response.ts'

/** What an adapter does with the response it captured: let it go as it is, or answer this instead. */
export type Verdict = { readonly kind: 'send' } | Answer

/** One handler running under one attempt. It ends exactly once: the first end counts, later ones get its verdict. */
export interface Run<Tx = unknown> {
  readonly context: HandlerContext<Tx>
  /** Past this many bytes an adapter stops collecting and calls `passThrough`; 0 on a route that streams. */
  readonly maxResponseBytes: number
  /** Resolves if the engine ends the run before a response came: answer this, and nothing the handler sends. */
  readonly interrupted: Promise<Answer>
  /** The handler answered. Resolves after the commit; only then may the first byte leave. Never rejects. */
  complete(response: PlainResponse): Promise<Verdict>
  /** The response is not collected; `send`: it is on record without its body and may stream through. Never rejects. */
  passThrough(head: Pick<PlainResponse, 'status' | 'headers'>): Promise<Verdict>
  /** The handler will never answer: it threw, or its stream broke. Never rejects. */
  abandon(): Promise<Verdict>
}

/** Puts a handler under an attempt: its context, its clock, and its one end. */
export function startRun<Tx>(start: {
  readonly options: ResolvedOptions<Tx>
  readonly attempt: Attempt<Tx>
  readonly question: Question
  /** Asks once more after the key was lost: what is true of it now? */
  readonly askAgain: () => Promise<Begun<Tx>>
  readonly onOver: () => void
}): Run<Tx> {
  const { options, attempt } = start
  const { facts } = start.question
  const events: OutboxEvent[] = []
  const handler = handlerContext({ options, attempt, question: start.question, events })
  const interrupted = deferred<Answer>()
  const timer = setTimeout(timeOut, options.handlerTimeoutMs)
  const lease = keepLease(attempt, options, facts, handler.abort)
  let ending: Promise<Verdict> | undefined

  /** The first end wins: from here on the context is closed and the clocks are stopped. */
  function end(how: () => Promise<Verdict>): Promise<Verdict> {
    if (ending !== undefined) return ending
    handler.close()
    clearTimeout(timer)
    lease?.stop()
    ending = how()
    void ending.then(start.onOver, start.onOver)
    return ending
  }

  function timeOut(): void {
    const seconds = options.handlerTimeoutMs / 1000
    const answer = problemAnswer(
      options,
      'handler-timeout',
      `It was given up after ${seconds} s and undone. Send the same request again.`,
    )
    const ended = end(async () => {
      await undo(undefined)
      return answer
    })
    // After the end is taken: what a listener of the signal answers is late.
    handler.abort(new OncekeyError('handler-timeout', `The handler took longer than ${seconds} s.`))
    void ended.then(() => interrupted.resolve(answer))
  }

  async function settle(response: PlainResponse): Promise<Verdict> {
    const disposition = handler.wish() ?? dispositionOf(response.status, options.disposition)
    if (disposition === 'retry') return undo(response.status)
    const streams = options.response === 'stream'
    if (!streams && response.body.length > options.maxResponseBytes)
      return settleUncollected(response)
    return store(disposition, response.status, () =>
      storedForm(response, streams ? null : response.body),
    )
  }

  async function settleUncollected(
    head: Pick<PlainResponse, 'status' | 'headers'>,
  ): Promise<Verdict> {
    const disposition = handler.wish() ?? dispositionOf(head.status, options.disposition)
    if (disposition === 'retry') return undo(head.status)
    if (options.response === 'buffer' && options.store.capabilities.mode === 'transaction') {
      await undo(head.status)
      return problemAnswer(
        options,
        'response-too-large',
        `It is over ${options.maxResponseBytes} bytes, so the request was undone.`,
      )
    }
    return store(disposition, head.status, () =>
      storedForm({ ...head, body: new Uint8Array() }, null),
    )
  }

  async function store(
    disposition: 'commit' | 'refuse',
    status: number,
    form: () => StoredResponse,
  ): Promise<Verdict> {
    const keep = disposition === 'commit'
    let response: StoredResponse
    try {
      response = form()
    } catch (error) {
      // redact() threw: rather nothing kept than a secret in the clear.
      await undo(status)
      return storeFailure(options, facts, 'complete', error)
    }
    let outcome: 'stored' | 'superseded'
    try {
      outcome = await attempt.complete({
        response,
        events: keep ? events : [],
        writes: keep ? 'keep' : 'undo',
      })
    } catch (error) {
      reportEnd(status, disposition, 'failed')
      return storeFailure(options, facts, 'complete', error)
    }
    reportEnd(status, disposition, outcome)
    if (!keep) reportUndoneEvents(status)
    else if (outcome === 'stored' && events.length > 0) {
      tell('oncekey:appended', () => ({ count: events.length }))
    }
    return outcome === 'stored' ? SEND : whatIsTrueNow()
  }

  /** Everything undone; the handler's own answer, if it has one, is sent and not kept. */
  async function undo(status: number | undefined): Promise<Verdict> {
    const release = handler.released()
    let outcome: 'undone' | 'failed' = 'undone'
    try {
      await (release ? attempt.release() : attempt.abandon())
    } catch (error) {
      outcome = 'failed'
      reportFailure(facts, 'abandon', error)
    }
    reportUndoneEvents(status)
    reportEnd(status, release ? 'release' : 'abandon', outcome)
    return SEND
  }

  /** `superseded`: nothing of this attempt was kept, so the client is told what was. */
  async function whatIsTrueNow(): Promise<Verdict> {
    const lost = problemAnswer(
      options,
      'commit-failed',
      'The request collided with another one and was undone. Send it again with the same key.',
    )
    if (facts.key === undefined) return lost
    // It throws misuse, which was reported; the retry will meet it where the app can be told.
    const begun = await start.askAgain().catch(() => lost)
    if (begun.kind !== 'run') return begun
    begun.run.context.release()
    await begun.run.abandon()
    return lost
  }

  /** The response as the store keeps it: without what must not be replayed, redacted, sealed. */
  function storedForm(response: PlainResponse, body: Uint8Array | null): StoredResponse {
    const headers = response.headers.filter(([name]) =>
      isReplayed(name.toLowerCase(), options.replayHeader),
    )
    const kept = redacted({ ...response, headers })
    const form: StoredResponse = {
      status: kept.status,
      headers: kept.headers,
      body: body === null ? null : kept.body,
      seal: null,
    }
    if (options.seal === undefined || facts.key === undefined) return form
    return seal(form, options.seal, {
      ...facts,
      key: facts.key,
      fingerprint: start.question.fingerprints[0],
    })
  }

  /** Throws where the app's function returned no response: storing it unredacted is the one wrong answer. */
  function redacted(response: PlainResponse): PlainResponse {
    if (options.redact === undefined) return response
    const kept = options.redact(response)
    if (Array.isArray(kept?.headers) && kept.body instanceof Uint8Array) return kept
    throw new OptionsError(
      'redact() must return the response to store: `redact: (response) => ({ ...response, body })`.',
    )
  }

  function reportEnd(
    status: number | undefined,
    disposition: EndMessage['disposition'],
    outcome: EndMessage['outcome'],
  ): void {
    const { number } = attempt
    tell('oncekey:end', () => ({ ...facts, attempt: number, status, disposition, outcome }))
  }

  function reportUndoneEvents(status: number | undefined): void {
    if (events.length === 0) return
    const types = events.map((event) => event.type)
    tell('oncekey:events-undone', () => ({ ...facts, status, types }))
    warnOnce(
      `events-undone:${facts.route}`,
      `${facts.route} emitted ${types.join(', ')} and answered ${status ?? 'nothing'}, which undoes events with the writes. ` +
        'Call keep() or set a disposition if they should stay. Said once per route.',
    )
  }

  return {
    context: handler.context,
    maxResponseBytes: options.response === 'stream' ? 0 : options.maxResponseBytes,
    interrupted: interrupted.promise,
    complete: (response) => end(() => settle(response)),
    passThrough: (head) => end(() => settleUncollected(head)),
    abandon: () => end(() => undo(undefined)),
  }
}

const SEND: Verdict = { kind: 'send' }
