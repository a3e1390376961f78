import { type Answer, problemAnswer, replayAnswer, storeFailure } from './answer.ts'
import { tell } from './diagnostics.ts'
import { isPromise, withinTime } from './engine/option-function.ts'
import { OncekeyError, type ProblemCode } from './errors.ts'
import { acceptedFingerprints, type FingerprintInput } from './fingerprint.ts'
import {
  type EngineOptions,
  milliseconds,
  type ResolvedOptions,
  resolveOptions,
} from './options.ts'
import { claimOf, type Question } from './question.ts'
import { reconciler } from './reconcile.ts'
import {
  authenticated,
  countedInput,
  inputOf,
  isValidKey,
  keyOf,
  sealOf,
} from './request/option-answers.ts'
import { factsOf } from './request/route.ts'
import { type Run, runStarter } from './run.ts'
import type { Attempt, Claim } from './store.ts'
import { isTraceparent } from './telemetry/trace-context.ts'
import { underWay } from './under-way.ts'
import type { WhenUnknown } from './when-unknown.ts'

/** A request as an adapter describes it, before any router rewrote it. */
export interface EngineRequest {
  readonly method: string
  /** Path and query as the client sent them. */
  readonly target: string
  /** Every line of a header, by its lower-case name. */
  header(name: string): readonly string[]
  /** Who the key belongs to; a promise where the app's function takes its time. */
  readonly scope: string | Promise<string>
  /** The framework's request: what the app's functions among the options are called with. */
  readonly native?: unknown
  /** The route's pattern, `/orders/:id`, once the router knows it: asked for when there is something to say. */
  route?(): string | undefined
  /** What the key stands for; asked for only when a key came. May throw what is wrong with the body. */
  fingerprintInput(): FingerprintInput | Promise<FingerprintInput>
  /** Aborted when the client is gone: ends waiting, never a handler. */
  readonly signal?: AbortSignal | undefined
}

/** What a request comes to: a handler to run, or an answer without one. */
export type Begun<Tx> = { readonly kind: 'run'; readonly run: Run<Tx> } | Answer

/**
 * The one flow that every adapter stands on, in two phases: `begin`, and then the run's `complete`
 * or `abandon`.
 */
export interface Engine<Tx> {
  readonly options: ResolvedOptions<Tx>
  /** Whether requests of this method are covered; others the adapter passes on untouched. */
  covers(method: string): boolean
  /** Key, fingerprint, claim. Throws only what the app's own code has to change, or threw. */
  begin(request: EngineRequest): Promise<Begun<Tx>>
  /** The claim alone, for callers that bring their own key. */
  ask(question: Question): Promise<Begun<Tx>>
  /**
   * Stops claiming (503 `draining`) and waits until what was under way has ended, at most
   * `deadlineMs` (default 30_000). Returns how many claims and attempts are still under way.
   */
  drain(options?: { readonly deadlineMs?: number }): Promise<number>
}

/** Builds an engine; options are validated here. */
export function createEngine<Tx>(options: EngineOptions<Tx>): Engine<Tx> {
  const resolved = resolveOptions(options)
  const { store, headerName } = resolved
  // What a transaction is does not matter to the functions of the app.
  const answers = resolved as ResolvedOptions<unknown>
  const active = underWay()
  const startRun = runStarter<Tx>(resolved.handlerTimeoutMs)
  const reconcile = reconciler(resolved)
  let draining = false

  async function begin(request: EngineRequest): Promise<Begun<Tx>> {
    let question: Question
    try {
      const scope = isPromise(request.scope)
        ? await withinTime('scope', resolved.handlerTimeoutMs, request.scope)
        : request.scope
      const found = keyOf(answers, request)
      const reading = isPromise(found) ? await found : found
      if (reading.kind === 'invalid') {
        const what = resolved.key === undefined ? `The ${headerName} header` : 'The key'
        return refused('key-invalid', `${what} cannot be used: ${reading.reason}.`)
      }
      const key = reading.kind === 'key' ? reading.key : undefined
      const facts = { namespace: resolved.namespace, scope, key }
      const traceparent = traceparentOf(request)
      if (resolved.authenticate !== undefined) {
        const { body } = await inputOf(request)
        await authenticated(answers, request, body)
      }
      if (key === undefined) return withoutKey({ ...UNKEYED, facts, traceparent, request })
      const isValid = isValidKey(answers, key)
      if (!(isPromise(isValid) ? await isValid : isValid)) {
        return refused('key-invalid', 'The key does not have the form that this API asks for.')
      }
      const given = inputOf(request)
      const counting = countedInput(answers, request, isPromise(given) ? await given : given)
      const counted = isPromise(counting) ? await counting : counting
      const sealing = sealOf(answers)
      const seal = isPromise(sealing) ? await sealing : sealing
      const prints = acceptedFingerprints(counted, seal)
      question = {
        facts,
        fingerprints: prints.accepted,
        olderFingerprints: prints.older,
        seal,
        traceparent,
        signal: request.signal,
        request,
      }
    } catch (error) {
      return refusalOf(error)
    }
    return await ask(question)
  }

  /** What is wrong with the request itself; any other error is the app's. */
  function refusalOf(error: unknown) {
    if (!(error instanceof OncekeyError)) throw error
    const { code, message } = error
    if (code === 'request-too-large' || code === 'body-unsupported') return refused(code, message)
    if (error.code !== 'not-authentic') throw error
    return refused(error.code, 'Its signature or credentials do not fit what was sent.')
  }

  function ask(question: Question): Promise<Begun<Tx>> {
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
      if (held.kind !== 'problem' || held.code !== 'outcome-unknown') return held
      const asAgain = (policy: 'retake' | 'hold') =>
        decide(claimOf(question, resolved, policy), question)
      return await reconcile(find, claim, held, asAgain, question)
    } finally {
      active.end()
    }
  }

  /** One atomic question to the store, and what its answer means. */
  async function decide(claim: Claim, question: Question): Promise<Begun<Tx>> {
    active.begin()
    try {
      let decision = await store.begin(claim)
      if (decision.kind === 'mismatch' && question.olderFingerprints !== undefined) {
        const older = question.olderFingerprints()
        decision = await store.begin({ ...claim, fingerprints: [...claim.fingerprints, ...older] })
      }
      tell('oncekey:decision', () => ({ ...factsOf(question), decision: decision.kind }))
      switch (decision.kind) {
        case 'run':
          return { kind: 'run', run: start(decision.attempt, question) }
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
          }
        case 'result-gone':
          return refused(
            'result-gone',
            'The request was carried out once; its response is not kept any more. Read the current state instead.',
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
    try {
      const attempt = await store.open({ leaseMs: resolved.leaseMs })
      return { kind: 'run', run: start(attempt, question) }
    } catch (error) {
      return storeFailure(resolved, question, 'begin', error)
    } finally {
      active.end()
    }
  }

  function start(attempt: Attempt<Tx>, question: Question): Run<Tx> {
    active.begin()
    return startRun({ options: resolved, attempt, question, askAgain, onOver: active.end })
  }

  function askAgain(question: Question): Promise<Begun<Tx>> {
    return decide(claimOf(question, resolved, 'hold'), question)
  }

  function refused(code: ProblemCode, detail: string, retryAfterMs?: number) {
    return problemAnswer(resolved, code, detail, retryAfterMs)
  }

  async function drain({ deadlineMs = 30_000 } = {}): Promise<number> {
    milliseconds('deadlineMs', deadlineMs, 0)
    draining = true
    await active.none(deadlineMs)
    return active.count
  }

  return { options: resolved, covers: (method) => resolved.methods.has(method), begin, ask, drain }
}

type Find = Extract<WhenUnknown, (...args: never[]) => unknown>

/** What a request without a key does not ask for. */
const UNKEYED = {
  fingerprints: [''],
  olderFingerprints: undefined,
  seal: undefined,
  signal: undefined,
} as const

const ELSEWHERE = 'Send the same request again; another server will take it.'

/** W3C Trace Context, so that an event can be followed back to the request that caused it. */
function traceparentOf(request: EngineRequest): string | undefined {
  const [value] = request.header('traceparent')
  return value !== undefined && isTraceparent(value) ? value : undefined
}
