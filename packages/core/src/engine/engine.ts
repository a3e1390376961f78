import { randomUUID } from 'node:crypto'
import type { Attempt, Claim } from '../contracts/store.ts'
import type { WhenUnknown } from '../contracts/when-unknown.ts'
import { OncekeyError, type ProblemCode } from '../errors/errors.ts'
import { asError, withinTime } from '../options/call-option.ts'
import { isPromise } from '../options/check-option.ts'
import { coversMethod } from '../request/covered-methods.ts'
import { refusePart } from '../request/cut-off.ts'
import type { EngineRequest } from '../request/engine-request.ts'
import { acceptedFingerprints } from '../request/fingerprint.ts'
import { factsOf } from '../request/route.ts'
import { tell } from '../telemetry/channels.ts'
import { isTraceparent } from '../telemetry/trace-context.ts'
import { requestTrace } from '../telemetry/traces.ts'
import type { WatchedRequest } from '../telemetry/watched-request.ts'
import { problemAnswer, replayAnswer, storeFailure } from './answer.ts'
import { type Draining, drainEngines } from './drain.ts'
import type { Begun, HandlerRun } from './handler-run.ts'
import { giveBackLate, isLeaseOver, tooLate } from './late-claim.ts'
import type { EngineOptions, ResolvedOptions } from './options.ts'
import { claimOf, type Question, withOlder } from './question.ts'
import { isUnknown, reconciler } from './reconcile.ts'
import {
  authenticated,
  countedInput,
  inputOf,
  isValidKey,
  keyOf,
  rawBodyOf,
  sealOf,
} from './request-options.ts'
import { resolveOptions } from './resolve-options.ts'
import { runStarter } from './run.ts'
import { underWay } from './under-way.ts'
import { watchDecision, watchKey, watchRequest } from './watch-request.ts'

/**
 * The flow of a request, shared by every adapter. It has two phases: `begin`, and then the run's
 * `complete`, `passThrough` or `abandon`.
 */
export interface Engine<Tx> extends Draining {
  readonly options: ResolvedOptions<Tx>
  /**
   * Whether requests with this method are covered, in whatever case it came: HTTP/2 and `Request`
   * pass `patch` on as it was sent, and routers find the handler of `PATCH` for it. The adapter
   * passes all others on untouched. With `authenticate` more are covered than `methods` lists, so
   * that none but GET, HEAD and OPTIONS gets past the check.
   */
  covers(method: string): boolean
  /**
   * Reads the key, makes the fingerprint and claims the key. Throws only misuse and errors of the
   * app's own functions.
   */
  begin(request: EngineRequest): Promise<Begun<Tx>>
  /** Claims a key for callers that make the question themselves, such as `once`. */
  ask(question: Question): Promise<Begun<Tx>>
  /**
   * Stops claiming keys (503 `draining`) and waits until open claims and attempts have ended, and
   * until the store's server has answered those ends that it was away for, at most `deadlineMs`
   * (default 30_000). Returns how many are still open.
   */
  drain(options?: { readonly deadlineMs?: number }): Promise<number>
}

/** Creates an engine and validates its options. Throws `OptionsError`. */
export function createEngine<Tx>(options: EngineOptions<Tx>): Engine<Tx> {
  const resolved = resolveOptions(options)
  const { store, headerName } = resolved
  // The functions of the app do not depend on the type of the transaction.
  const appOptions = resolved as ResolvedOptions<unknown>
  const active = underWay()
  const startRun = runStarter<Tx>(resolved.handlerTimeoutMs)
  const reconcile = reconciler(resolved)
  let draining = false

  function begin(request: EngineRequest): Promise<Begun<Tx>> {
    const traceparent = traceparentOf(request)
    if (!requestTrace.isWatched) return reach(request, traceparent, undefined)
    const { namespace } = resolved
    return watchRequest({ namespace, traceparent, request }, (watched) =>
      reach(request, watched.context.traceparent, watched),
    )
  }

  async function reach(
    request: EngineRequest,
    traceparent: string | undefined,
    watched: WatchedRequest | undefined,
  ): Promise<Begun<Tx>> {
    let question: Question
    try {
      const scope = isPromise(request.scope)
        ? await withinTime('scope', resolved.handlerTimeoutMs, request.scope)
        : request.scope
      const found = keyOf(appOptions, request)
      const reading = isPromise(found) ? await found : found
      if (reading.kind === 'invalid') {
        const what = resolved.key === undefined ? `The ${headerName} header` : 'The key'
        return refused('key-invalid', `${what} cannot be used: ${reading.reason}.`)
      }
      const key = reading.kind === 'key' ? reading.key : undefined
      const facts = { namespace: resolved.namespace, scope, key }
      if (resolved.authenticate !== undefined) {
        await authenticated(appOptions, request, await rawBodyOf(request))
      }
      if (key === undefined) return withoutKey({ ...UNKEYED, facts, traceparent, request, watched })
      const isValid = isValidKey(appOptions, key)
      if (!(isPromise(isValid) ? await isValid : isValid)) {
        return refused('key-invalid', 'The key does not have the form that this API asks for.')
      }
      const given = inputOf(request)
      const counting = countedInput(appOptions, request, isPromise(given) ? await given : given)
      const counted = isPromise(counting) ? await counting : counting
      const sealing = sealOf(appOptions)
      const seal = isPromise(sealing) ? await sealing : sealing
      refusePart(request)
      const prints = acceptedFingerprints(counted, seal)
      question = {
        facts,
        fingerprints: prints.accepted,
        olderFingerprints: prints.older,
        seal,
        traceparent,
        signal: request.signal,
        request,
        watched,
      }
    } catch (error) {
      return refusalOf(error)
    }
    return await answerTo(question)
  }

  /**
   * Turns an error that is the request's own fault into an answer. Any other error is the app's and
   * is rethrown.
   */
  function refusalOf(error: unknown) {
    if (!(error instanceof OncekeyError)) throw asError(error)
    const { code, message } = error
    if (code === 'request-too-large' || code === 'body-unsupported') return refused(code, message)
    if (error.code !== 'not-authentic') throw error
    return refused(error.code, 'Its signature or credentials do not fit what was sent.')
  }

  function ask(question: Question): Promise<Begun<Tx>> {
    if (!requestTrace.isWatched) return answerTo(question)
    const { traceparent, facts, request } = question
    return watchRequest({ namespace: facts.namespace, traceparent, request }, (watched) =>
      answerTo({ ...question, traceparent: watched.context.traceparent, watched }),
    )
  }

  function answerTo(question: Question): Promise<Begun<Tx>> {
    if (question.watched !== undefined) watchKey(question.watched, question)
    if (draining) return Promise.resolve(refused('draining', ELSEWHERE))
    const { whenUnknown } = resolved
    return typeof whenUnknown === 'function'
      ? askOrReconcile(whenUnknown, question)
      : decide(claimOf(question, resolved, whenUnknown), question)
  }

  async function askOrReconcile(find: Find, question: Question): Promise<Begun<Tx>> {
    active.begin()
    try {
      const claim = claimOf(question, resolved, 'hold')
      const held = await decide(claim, question)
      if (!isUnknown(held)) return held
      const asAgain = (policy: 'retake' | 'hold', retakes?: string) =>
        decide(claimOf(question, resolved, policy, retakes), question)
      return await reconcile(find, claim, held, asAgain, question)
    } catch (error) {
      throw asError(error)
    } finally {
      active.end()
    }
  }

  /** Sends one atomic claim to the store and turns its decision into a run or an answer. */
  async function decide(
    claim: Claim,
    question: Question,
    ofRun: Question = question,
    isAgain = false,
  ): Promise<Begun<Tx>> {
    active.begin()
    const { watched } = question
    const askedAt = watched === undefined ? 0 : performance.now()
    try {
      let decision = await store.begin(claim)
      if (decision.kind === 'mismatch' && question.olderFingerprints !== undefined) {
        decision = await store.begin(withOlder(claim, question.olderFingerprints()))
      }
      if (watched !== undefined) watchDecision(watched, decision.kind, askedAt)
      tell('oncekey:decision', () => ({ ...factsOf(question), decision: decision.kind }))
      switch (decision.kind) {
        case 'run':
          if (isLeaseOver(resolved, decision.attempt)) {
            await giveBackLate(decision.attempt, question, ofRun === question)
            if (isAgain) throw tooLate()
            return await decide({ ...claim, token: randomUUID() }, question, ofRun, true)
          }
          return { kind: 'run', run: start(decision.attempt, ofRun) }
        case 'replay':
          return await replayAnswer(resolved, claim, decision, question)
        case 'mismatch':
          return refused(
            'key-reused',
            'This key was used with another request: another body, path or method. Use a new key for a new request.',
          )
        case 'in-progress':
          return refused(
            'in-progress',
            'The first request with this key is still running. Send the same request again later.',
            decision.retryAfterMs,
          )
        case 'unknown':
          return {
            ...refused(
              'outcome-unknown',
              `The first request with this key was last seen on ${decision.since.toISOString()}. An operator has to find out what it did.`,
            ),
            since: decision.since,
            attempt: decision.attempt,
          }
        case 'result-gone':
          return refused(
            'result-gone',
            'The request was answered once, with a success or a refusal, and the answer is not kept. It does not run again: read the current state.',
          )
      }
    } catch (error) {
      return storeFailure(resolved, question, 'begin', error)
    } finally {
      active.end()
    }
  }

  async function withoutKey(question: Question): Promise<Begun<Tx>> {
    if (resolved.required) {
      return refused(
        'key-missing',
        `Send ${headerName}: a value of your own, new for every operation and the same on every retry of it.`,
      )
    }
    if (draining) return refused('draining', ELSEWHERE)
    active.begin()
    const { watched } = question
    const askedAt = watched === undefined ? 0 : performance.now()
    try {
      const { leaseMs, handlerTimeoutMs } = resolved
      const attempt = await store.open({ leaseMs, handlerTimeoutMs })
      if (watched !== undefined) watchDecision(watched, 'run', askedAt)
      return { kind: 'run', run: start(attempt, question) }
    } catch (error) {
      return storeFailure(resolved, question, 'begin', error)
    } finally {
      active.end()
    }
  }

  function start(attempt: Attempt<Tx>, question: Question): HandlerRun<Tx> {
    active.begin()
    return startRun({ options: resolved, attempt, question, askAgain, onOver: active.end })
  }

  /** For a run that lost its attempt. It keeps its request and trace if another run begins here. */
  function askAgain(question: Question): Promise<Begun<Tx>> {
    const ofRun = { ...question, watched: undefined }
    return decide(claimOf(question, resolved, 'hold'), question, ofRun)
  }

  function refused(code: ProblemCode, detail: string, retryAfterMs?: number) {
    return problemAnswer(resolved, code, detail, retryAfterMs === undefined ? {} : { retryAfterMs })
  }

  const engine: Engine<Tx> = {
    options: resolved,
    covers: (method) => coversMethod(appOptions, method),
    begin,
    ask,
    drain: (options) => drainEngines([engine], options),
    async drainRequests(withinMs) {
      draining = true
      await active.none(withinMs)
    },
    get openRequests() {
      return active.count
    },
  }
  return engine
}

type Find = Extract<WhenUnknown, (...args: never[]) => unknown>

/** The parts of a question that a request without a key does not have. */
const UNKEYED = {
  fingerprints: [''],
  olderFingerprints: undefined,
  seal: undefined,
  signal: undefined,
} as const

const ELSEWHERE = 'Send the same request again; another server will take it.'

/** The request's W3C `traceparent`, which links an event back to the request that caused it. */
function traceparentOf(request: EngineRequest): string | undefined {
  const [value] = request.header('traceparent')
  return value !== undefined && isTraceparent(value) ? value : undefined
}
